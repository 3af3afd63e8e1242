"""Versions, aliases, lineage and packaging as a Bento; the only room that talks to MLflow.

No request is answered here. May ask ranking, evaluation and lake.
"""
