"""Metrics, off-policy estimators, intervals and verdicts: arrays in, numbers out.

No file is read or written. May ask the foundation.
"""
