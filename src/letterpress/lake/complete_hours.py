"""Up to when everything that was received is in the warehouse: what a snapshot may hold (ADR 0025).

An event passes from the memory of a worker into its log file, from there into raw, from there into the
marts. The places are looked at in that order, so that one which moves on meanwhile is seen at least once.
"""

from __future__ import annotations

from datetime import UTC, datetime

from letterpress.clock import Clock
from letterpress.lake.ledger import ledger_path, open_ledger
from letterpress.lake.partitions import HourRange
from letterpress.lake.received_mark import read_marks
from letterpress.lake.removed_hours import is_taken, is_whole_build_owed, strike_off_removed, take_removed
from letterpress.lake.service_log import stamps_of_waiting
from letterpress.lake.unbuilt_hours import oldest_unbuilt, strike_off_built, take_unbuilt
from letterpress.settings import Home


def complete_until(home: Home, clock: Clock) -> datetime:
    """The last whole hour before which nothing was received that the marts lack."""
    bounds = [clock.now(), *read_marks(home.live), *stamps_of_waiting(home)]
    if ledger_path(home).is_file():
        with open_ledger(home) as ledger:
            bounds += oldest_unbuilt(ledger)
    return start_of_hour(min(bounds))


def start_of_hour(moment: datetime) -> datetime:
    """The start of the UTC hour that holds `moment`."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def range_to_build(home: Home, changed: HourRange | None) -> HourRange | None:
    """`changed`, or None for all of history: also when raw lost events that marts still hold (ADR 0046)."""
    return None if changed is None or has_lost_on_purpose(home) else changed


def begin_build(home: Home, changed: HourRange | None) -> None:
    """Remember what a build of `changed` (all of history when None) takes in; before it reads raw."""
    with open_ledger(home) as ledger:
        take_unbuilt(ledger, changed)
        if changed is None:
            take_removed(ledger)


def finish_build(home: Home, changed: HourRange | None) -> None:
    """Say that the marts hold what the build of `changed` took in; safe to repeat."""
    with open_ledger(home) as ledger:
        strike_off_built(ledger, None if is_taken(ledger) else changed)


def has_lost_on_purpose(home: Home) -> bool:
    """Whether the next snapshot is the first without what was removed: that it holds less is no loss."""
    if not ledger_path(home).is_file():
        return False
    with open_ledger(home) as ledger:
        return is_whole_build_owed(ledger)


def finish_removal(home: Home) -> None:
    """Say that a snapshot without what was removed is published; safe to repeat."""
    with open_ledger(home) as ledger:
        strike_off_removed(ledger)
