"""What every published snapshot knew, kept when the snapshot itself is long gone: its moments in time."""

from __future__ import annotations

from datetime import datetime

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.clock import Clock
from letterpress.errors import StorageError, as_clause
from letterpress.lake.arrivals import Known, known_before, noted_arrivals
from letterpress.lake.denied_features import Denied, read_denied
from letterpress.lake.snapshots import SnapshotInfo
from letterpress.lake.warehouse import connect_warehouse
from letterpress.settings import Home

HISTORY = "history.json"
KEPT_MARKS = 2000


class SnapshotMark(msgspec.Struct, frozen=True):
    """How far the knowledge of a snapshot went."""

    as_of: datetime | None
    """Counts hold what had arrived before."""
    items_until: datetime | None
    """Items are as the newest description that had arrived up to then, this moment included."""
    published_at: datetime
    known: Known | None
    """What raw held before `as_of`; None when nobody counted."""
    denied: Denied = {}
    """Features that were denied, by tenant."""


def mark_snapshot(home: Home, info: SnapshotInfo, clock: Clock, *, threads: int) -> None:
    """Remember what a snapshot knew, right after it was published from the warehouse.

    Raises:
        BrokenError: another process writes the warehouse.
        StorageError: the history cannot be read.
    """
    with connect_warehouse(home, read_only=True, threads=threads) as connection:
        (items_until,) = connection.execute("select max(known_at) from dim_items").fetchone() or (None,)
    arrivals, as_of = noted_arrivals(home), info.manifest.as_of
    known = None if arrivals is None else known_before(arrivals, as_of)
    denied = read_denied(home.snapshots / info.snapshot)
    marks = read_history(home)
    marks.pop(info.snapshot, None)
    marks[info.snapshot] = SnapshotMark(as_of, items_until, clock.now(), known, denied)
    kept = dict(list(marks.items())[-KEPT_MARKS:])
    write_atomically(home.snapshots / HISTORY, msgspec.json.encode(kept))


def read_history(home: Home) -> dict[str, SnapshotMark]:
    """The marks by snapshot id, oldest first; empty when nothing was published.

    Raises:
        StorageError: the file is damaged.
    """
    path = home.snapshots / HISTORY
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, SnapshotMark])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise StorageError(
            f"expected the history of snapshots in {path}, found: {as_clause(error)}. Delete it: slates of "
            "older snapshots cannot be audited then; those of the next are."
        ) from error


def forget_in_history(home: Home, tenant: str) -> None:
    """Let go of what the marks say that a forgotten tenant denied; its slates are gone too."""
    marks = read_history(home)
    kept = {
        name: msgspec.structs.replace(
            mark, denied={owner: names for owner, names in mark.denied.items() if owner != tenant}
        )
        for name, mark in marks.items()
    }
    if kept != marks:
        write_atomically(home.snapshots / HISTORY, msgspec.json.encode(kept))
