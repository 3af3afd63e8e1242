"""Point-in-time training sets and temporal splits.

No model is trained here. May ask lake, features and what they ask.
"""
