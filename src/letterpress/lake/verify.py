"""Whether the lake still holds what was written: every file against its recorded checksum."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from letterpress.errors import StorageError
from letterpress.lake.identity import is_unchanged
from letterpress.lake.identity_store import identity_folder
from letterpress.lake.landing import SEALED
from letterpress.lake.ledger import finish_moves, identity_runs, ledger_path, open_ledger
from letterpress.lake.rewrite import drop_empty_files, raw_files
from letterpress.lake.snapshot_layout import CURRENT, MANIFEST, read_current, read_manifest, verify_file
from letterpress.lake.stored_files import StoredFile, hash_stored, recorded_files
from letterpress.settings import Home

_HOUR = re.compile(r"/(?:hour|day)=([0-9T:-]+)/")

RESTORE_RAW = (
    "restore it from a backup; without one delete it, run `letterpress lake --reindex`, which makes its "
    "events unknown, import the logs of these hours again, then run `letterpress features`"
)
RESTORE_QUARANTINE = "restore it from a backup; raw and features do not depend on it"
REMOVE = "find out who put it there, and move it away"
REINDEX = "run `letterpress lake --reindex`, which makes the index anew from raw"
REPUBLISH = "run `letterpress features` to publish a new snapshot"


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not as it was recorded. `hours` is the partition it belongs to, where it has one."""

    path: str
    kind: Literal["changed", "missing", "unrecorded"]
    expected: str
    found: str
    hours: str | None
    next_step: str


@dataclass(frozen=True, slots=True)
class LakeCheck:
    """How many files and bytes were read, and what differs."""

    files: int
    n_bytes: int
    differences: list[Difference]


def verify_lake(home: Home) -> LakeCheck:
    """Compare raw, quarantine and snapshots with what was recorded when they were written.

    The caller holds the ingest lock, so that nothing changes meanwhile.

    Raises:
        StorageError: the ledger cannot be read, or a file that is there cannot.
    """
    recorded: dict[str, StoredFile] = {}
    if ledger_path(home).is_file():
        finish_moves(home)
        drop_empty_files(home)
        with open_ledger(home) as ledger:
            recorded = recorded_files(ledger)
    present = {str(path.relative_to(home.root)): path for path in _lake_files(home)}
    differences = [
        found for path, record in recorded.items() if (found := _compare(path, record, present.get(path)))
    ]
    differences += [_unrecorded(path) for path in present if path not in recorded]
    n_bytes = sum(each.n_bytes for each in recorded.values())
    differences += _check_identity(home)
    snapshots = _Snapshots(home)
    differences += snapshots.differences()
    return LakeCheck(len(recorded) + snapshots.files, n_bytes + snapshots.n_bytes, differences)


def _check_identity(home: Home) -> list[Difference]:
    """Runs of the index of known events against the checksums that name them."""
    if not ledger_path(home).is_file():
        return []
    folder = identity_folder(home)
    named = {run.name: run for run in identity_runs(home)}
    found = [
        Difference(
            str((folder / name).relative_to(home.root)),
            "changed" if (folder / name).exists() else "missing",
            f"{run.n_keys} keys with the checksum in its name",
            "others",
            None,
            REINDEX,
        )
        for name, run in named.items()
        if not is_unchanged(folder, run)
    ]
    left = (path for path in sorted(folder.glob("[!.]*")) if path.name not in named)
    return found + [_unrecorded(str(path.relative_to(home.root))) for path in left]


def _lake_files(home: Home) -> Iterator[Path]:
    """Everything in raw and quarantine that a commit may have written; not the empty anchors."""
    yield from raw_files(home)
    yield from sorted([*home.quarantine.glob("[!.]*.jsonl"), *home.quarantine.glob(f"[!.]*{SEALED}")])


def _compare(path: str, record: StoredFile, present: Path | None) -> Difference | None:
    expected = f"{record.n_bytes} bytes with SHA-256 {record.sha256[:12]}"
    if present is None:
        return Difference(path, "missing", expected, "no file", hours_of(path), _restore(path))
    n_bytes = present.stat().st_size
    sha256 = hash_stored(present)
    if sha256 == record.sha256:
        return None
    found = f"{n_bytes} bytes with SHA-256 {sha256[:12]}"
    return Difference(path, "changed", expected, found, hours_of(path), _restore(path))


def _unrecorded(path: str) -> Difference:
    return Difference(
        path, "unrecorded", "only files that an ingest wrote", "this one", hours_of(path), REMOVE
    )


def _restore(path: str) -> str:
    return RESTORE_QUARANTINE if path.startswith("quarantine/") else RESTORE_RAW


def hours_of(path: str) -> str | None:
    """The hour or day whose rows the file at `path` holds, as its folder names it.

    >>> hours_of("raw/recommender=open_bandit/hour=2026-01-05T03/slate.parquet")
    '2026-01-05T03'
    """
    found = _HOUR.search(f"/{path}")
    return found[1] if found else None


class _Snapshots:
    """Every kept snapshot against its manifest."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.files = self.n_bytes = 0

    def differences(self) -> list[Difference]:
        found: list[Difference] = []
        folders = sorted(path for path in self._home.snapshots.glob("[!.]*") if path.is_dir())
        for folder in folders:
            found += self._check(folder)
        try:
            current = read_current(self._home)
        except StorageError as error:
            pointer = self._home.snapshots / CURRENT
            return [*found, self._difference(pointer, "changed", "the name of a snapshot", str(error))]
        names = () if current is None else (current.snapshot, *current.history)
        present = {folder.name for folder in folders}
        return found + [
            self._difference(self._home.snapshots / name, "missing", f"the snapshot {name}", "none")
            for name in names
            if name not in present
        ]

    def _check(self, folder: Path) -> list[Difference]:
        try:
            manifest = read_manifest(folder)
        except StorageError as error:
            return [self._difference(folder / MANIFEST, "changed", "its manifest", str(error))]
        found = []
        for name, entry in manifest.files.items():
            self.files, self.n_bytes = self.files + 1, self.n_bytes + entry.n_bytes
            try:
                verify_file(folder, name, entry)
            except StorageError as error:
                kind: Literal["changed", "missing"] = "changed" if (folder / name).exists() else "missing"
                expected = f"{entry.n_bytes} bytes with SHA-256 {entry.sha256[:12]}"
                found.append(self._difference(folder / name, kind, expected, str(error)))
        known = {*manifest.files, MANIFEST}
        present = (path for path in sorted(folder.rglob("*")) if path.is_file())
        found += [
            Difference(
                str(path.relative_to(self._home.root)),
                "unrecorded",
                "only its own files",
                "this one",
                None,
                REMOVE,
            )
            for path in present
            if path.relative_to(folder).as_posix() not in known
        ]
        return found

    def _difference(
        self, path: Path, kind: Literal["changed", "missing"], expected: str, found: str
    ) -> Difference:
        return Difference(str(path.relative_to(self._home.root)), kind, expected, found, None, REPUBLISH)
