"""The record of every verdict: `registry/verdicts/<recommender>/<version>.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.clock import Clock
from letterpress.errors import StorageError
from letterpress.evaluation.verdict import Verdict
from letterpress.settings import Home


class VerdictRecord(msgspec.Struct, kw_only=True, frozen=True):
    """One verdict with every number that it rests on."""

    recommender: str
    version: int
    model: str
    champion: str
    """The model that it was compared with."""
    promoted: bool
    reason: str
    numbers: dict[str, Any]
    judged_at: str


def verdict_path(home: Home, recommender: str, version: int) -> Path:
    """Where the verdict on that version lies."""
    return home.registry / "verdicts" / recommender / f"{version}.json"


def write_verdict(
    home: Home, recommender: str, version: int, *, champion: str, verdict: Verdict, clock: Clock
) -> VerdictRecord:
    """Keep the verdict; one that says the same already is left with its own time."""
    record = VerdictRecord(
        recommender=recommender,
        version=version,
        model=f"{recommender}/{version}",
        champion=champion,
        promoted=verdict.promoted,
        reason=verdict.reason,
        numbers=msgspec.to_builtins(verdict.numbers),
        judged_at=clock.now().isoformat(),
    )
    old = read_verdict(home, recommender, version)
    if old is not None and msgspec.structs.replace(old, judged_at=record.judged_at) == record:
        return old
    text = msgspec.json.format(msgspec.json.encode(record), indent=2)
    write_atomically(verdict_path(home, recommender, version), text + b"\n")
    return record


def read_verdict(home: Home, recommender: str, version: int) -> VerdictRecord | None:
    """The verdict on that version; None before it was judged.

    Raises:
        StorageError: the record cannot be read.
    """
    path = verdict_path(home, recommender, version)
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=VerdictRecord)
    except msgspec.DecodeError as error:
        raise StorageError(
            f"{path}: expected a verdict, found {error}; run `letterpress evaluate --recommender "
            f"{recommender}` to judge again."
        ) from error


def look_of(home: Home, recommender: str, version: int, *, champion: str) -> int:
    """Which challenger of `champion` this version is, counted from 1; judged again, it keeps its number.

    Only verdicts that compared something count: one refused for lack of evidence has looked at nothing.
    """
    looks = {}
    for path in verdict_path(home, recommender, version).parent.glob("*.json"):
        record = read_verdict(home, recommender, int(path.stem))
        if record is not None and record.champion == champion and "look" in record.numbers:
            looks[record.version] = int(record.numbers["look"])
    return looks.get(version, 1 + max(looks.values(), default=0))
