"""What counts as the pace of a session: what is counted, how far back, and how long a reaction may take."""

from __future__ import annotations

from datetime import timedelta

SESSION_SPAN = timedelta(minutes=30)
"""A pace is that of so long; what a builder does to a slate counts when it arrives within as long of it.

At most half of the hour that live logs are kept behind a snapshot, so that a worker that has just begun
knows all of it (ADR 0035).
"""
SESSION_COUNTS = ("session_requests", "session_choices", "session_edits", "session_microseconds")
"""What a session did in its last `SESSION_SPAN`, and since when: columns of `training_examples`."""
