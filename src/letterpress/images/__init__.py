"""Decodes pictures, applies the enhancement catalogue, and measures visual features.

No files are written and no model is asked. May ask the foundation.
"""
