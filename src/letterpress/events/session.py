"""What counts as the pace of a session: how far back it looks, and how long a reaction may take."""

from __future__ import annotations

from datetime import timedelta

SESSION_SPAN = timedelta(minutes=30)
"""A pace is that of so long; what a builder does to a slate counts when it arrives within as long of it.

At most half of the hour that live logs are kept behind a snapshot, so that a worker that has just begun
knows all of it (ADR 0035).
"""
