"""The record of every verdict: `registry/verdicts/<recommender>/<version>.json` is the newest on a version.

What it said before, of another champion or with other numbers, is beside it as `earlier/<version>-<n>.json`.
"""

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
    """Keep the verdict beside the earlier ones; one that says the same already is left with its own time."""
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
    if old is not None:
        _keep_earlier(home, old)
    _write(verdict_path(home, recommender, version), record)
    return record


def _write(path: Path, record: VerdictRecord) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def _keep_earlier(home: Home, record: VerdictRecord) -> None:
    """Put the record beside the earlier ones; a writer that died before its successor has done so already."""
    numbers = _earlier_numbers(home, record.recommender, record.version)
    last = max(numbers, default=0)
    if last and _read(_earlier_path(home, record.recommender, record.version, last)) == record:
        return
    _write(_earlier_path(home, record.recommender, record.version, last + 1), record)


def _earlier_path(home: Home, recommender: str, version: int, number: int) -> Path:
    return verdict_path(home, recommender, version).parent / "earlier" / f"{version}-{number}.json"


def _earlier_numbers(home: Home, recommender: str, version: int) -> list[int]:
    folder = verdict_path(home, recommender, version).parent / "earlier"
    return sorted(int(path.stem.partition("-")[2]) for path in folder.glob(f"{version}-*.json"))


def read_verdict(home: Home, recommender: str, version: int) -> VerdictRecord | None:
    """The verdict on that version; None before it was judged.

    Raises:
        StorageError: the record cannot be read.
    """
    path = verdict_path(home, recommender, version)
    return _read(path) if path.exists() else None


def _read(path: Path) -> VerdictRecord:
    try:
        return msgspec.json.decode(path.read_bytes(), type=VerdictRecord)
    except msgspec.DecodeError as error:
        raise StorageError(
            f"{path}: expected a verdict, found {error}; remove the file and run `letterpress evaluate` to "
            "judge again."
        ) from error


def all_verdicts(home: Home, recommender: str) -> list[VerdictRecord]:
    """Every verdict ever given on the recommender's versions: newest version first, of it the newest first.

    Raises:
        StorageError: a record cannot be read.
    """
    folder = verdict_path(home, recommender, 0).parent
    versions = sorted((int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit()), reverse=True)
    return [
        _read(path)
        for version in versions
        for path in (
            verdict_path(home, recommender, version),
            *(
                _earlier_path(home, recommender, version, number)
                for number in reversed(_earlier_numbers(home, recommender, version))
            ),
        )
    ]


def look_of(home: Home, recommender: str, version: int, *, champion: str) -> int:
    """Which challenger of `champion` this version is, counted from 1; judged again, it keeps its number.

    Only verdicts that compared something count: one refused for lack of evidence has looked at nothing.
    """
    looks = {
        record.version: int(record.numbers["look"])
        for record in all_verdicts(home, recommender)
        if record.champion == champion and "look" in record.numbers
    }
    return looks.get(version, 1 + max(looks.values(), default=0))
