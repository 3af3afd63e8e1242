"""Landing, quarantine, raw partitions, the warehouse connection and published snapshots.

The only room with SQL in Python. No feature is defined and no model is trained here. May ask events.
"""
