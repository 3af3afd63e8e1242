"""Publishes immutable feature snapshots and opens them: what batch knows, ready to be read by row.

A snapshot is written aside, hashed, renamed into place and only then named by `current.json`; a reader
therefore sees a whole one or the one before.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.atomic_file import sync_path, write_atomically
from letterpress.clock import Clock
from letterpress.errors import NotYetThereError, StorageError, as_clause
from letterpress.lake.complete_hours import complete_until, start_of_hour
from letterpress.lake.denied_features import DENIED, Denied, read_denied, write_denied
from letterpress.lake.durability import sync_paths
from letterpress.lake.key_table import KeySearch, KeyTable
from letterpress.lake.known_items import KnownItems, load_known_items
from letterpress.lake.recent_slates import RecentSlates
from letterpress.lake.snapshot_export import export_recommender, read_span
from letterpress.lake.snapshot_layout import (
    COUNT_NAMES,
    CURRENT,
    ENTITIES,
    FORMAT,
    KEY_SEPARATOR,
    MANIFEST,
    REBUILD,
    WINDOWS,
    Current,
    Manifest,
    RecommenderEntry,
    SnapshotSpec,
    check_schema_hashes,
    encode_manifest,
    hash_files,
    read_current,
    read_current_or_none,
    read_manifest,
    snapshot_id,
    verify_file,
    verify_files,
)
from letterpress.lake.warehouse import connect_warehouse
from letterpress.settings import Home

KEPT = 5
Check = Callable[[Path, Manifest], None]
"""Given the folder of a snapshot that is not published yet; raises when it must not be."""
TRAINING = "training.parquet"


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A published snapshot. `is_new` is False when its content had been published before."""

    snapshot: str
    manifest: Manifest
    is_new: bool


def publish_snapshot(
    home: Home,
    spec: Mapping[str, SnapshotSpec],
    clock: Clock,
    *,
    threads: int,
    kept: int = KEPT,
    check: Check | None = None,
) -> SnapshotInfo:
    """Write what the warehouse holds as a snapshot, make it the current one, drop all but `kept`.

    Counts are of complete hours only (ADR 0025): what is still on its way, or arrived in the running hour,
    is left for the next snapshot. They never go back behind those of the current one. `check` looks at what
    was written before anybody can read it; what it raises leaves everything as it was.

    Raises:
        NotYetThereError: there is no warehouse.
        BrokenError: another process writes it.
        StorageError: it lacks the marts, or the files cannot be written; the current snapshot stays.
    """
    home.snapshots.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".staged-", dir=home.snapshots))
    try:
        manifest = _write_files(home, staged, spec, clock, threads)
        if check is not None:
            check(staged, manifest)
        name, is_new = snapshot_id(manifest), _move_into_place(home, staged, manifest)
    except duckdb.Error as error:
        raise StorageError(
            f"expected the marts of dbt in {home.warehouse} and room to export them, found: "
            f"{as_clause(error)}. Run `letterpress features`."
        ) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    _make_current(home, name, clock, kept)
    return SnapshotInfo(name, manifest, is_new)


def _write_files(
    home: Home, staged: Path, spec: Mapping[str, SnapshotSpec], clock: Clock, threads: int
) -> Manifest:
    entries = {}
    until = complete_until(home, clock)
    with connect_warehouse(home, read_only=True, threads=threads) as connection:
        newest, first_hour, last_hour = read_span(connection)
        as_of = _as_of(home, newest, until, clock)
        for recommender, wanted in sorted(spec.items()):
            rows = export_recommender(connection, staged / recommender, recommender, wanted, as_of)
            entries[recommender] = RecommenderEntry(
                wanted.attributes, wanted.features, wanted.schema_hash, rows
            )
    if denied := read_denied(home.root):
        write_denied(staged, denied)
    paths = sorted(path for path in staged.rglob("*") if path.is_file())
    hashed = zip(paths, hash_files(paths), strict=True)
    files = {str(path.relative_to(staged)): entry for path, entry in hashed}
    manifest = Manifest(FORMAT, as_of, first_hour, last_hour, entries, files)
    (staged / MANIFEST).write_bytes(encode_manifest(manifest))
    sync_paths((*paths, staged / MANIFEST, *(staged / recommender for recommender in entries), staged))
    return manifest


def _as_of(home: Home, newest: datetime | None, until: datetime, clock: Clock) -> datetime | None:
    """The end of the last complete hour that the warehouse knows of; None when it knows of none.

    An event that says of itself that it was received long ago must not take away what is served.
    """
    if newest is None:
        return None
    served = _served_as_of(home)
    as_of = min(newest, until) if served is None else max(served, min(newest, until))
    return min(as_of, start_of_hour(clock.now()))


def _served_as_of(home: Home) -> datetime | None:
    try:
        current = read_current(home)
        return None if current is None else read_manifest(home.snapshots / current.snapshot).as_of
    except StorageError:
        return None  # about to be replaced


def _move_into_place(home: Home, staged: Path, manifest: Manifest) -> bool:
    """True when the snapshot was not there yet; a damaged one of the same id is replaced."""
    folder = home.snapshots / snapshot_id(manifest)
    if folder.exists():
        try:
            verify_files(folder, read_manifest(folder).files)
        except StorageError:
            folder.rename(staged / "damaged")
        else:
            return False
    staged.chmod(0o755)
    os.rename(staged, folder)  # noqa: PTH104 - what is asked for is exactly rename(2)
    sync_path(home.snapshots)
    return True


def _make_current(home: Home, name: str, clock: Clock, kept: int) -> None:
    before = read_current_or_none(home)
    older = [each for each in (before.snapshot, *before.history) if each != name] if before else []
    current = Current(name, clock.now(), tuple(older[: kept - 1]))
    write_atomically(home.snapshots / CURRENT, msgspec.json.encode(current))
    for folder in home.snapshots.iterdir():
        if folder.is_dir() and folder.name not in (name, *current.history):
            shutil.rmtree(folder, ignore_errors=True)


def keep_only_current(home: Home) -> None:
    """Delete every snapshot but the current one, for good."""
    current = read_current(home)
    if current is None:
        return
    write_atomically(
        home.snapshots / CURRENT, msgspec.json.encode(Current(current.snapshot, current.published_at))
    )
    for folder in home.snapshots.iterdir():
        if folder.is_dir() and folder.name != current.snapshot:
            shutil.rmtree(folder)


def _kept_snapshots(home: Home) -> list[str]:
    return sorted(path.parent.name for path in home.snapshots.glob(f"[!.]*/{MANIFEST}"))


class Snapshot:
    """An opened snapshot. All of it stays on the disk and is mapped, so that workers share it."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._counts: dict[tuple[str, str], NDArray[np.integer]] = {}
        self._keys: dict[tuple[str, str], KeyTable] = {}
        self._searches: dict[tuple[str, tuple[str, ...]], KeySearch] = {}
        self._items: dict[str, KnownItems] = {}
        self.denied: Denied = {}
        """Features that are denied, by tenant."""
        self._recent: dict[str, RecentSlates] = {}

    @property
    def snapshot_id(self) -> str:
        return self.folder.name

    @property
    def as_of(self) -> datetime | None:
        """Counts hold what had arrived before this moment; None when nothing has."""
        return self.manifest.as_of

    @classmethod
    def open(
        cls, home: Home, snapshot: str | None = None, *, schema_hashes: Mapping[str, str] | None = None
    ) -> Snapshot:
        """The snapshot called `snapshot`, or the current one; every served file is verified and loaded.

        Raises:
            NotYetThereError: there is none of that name, or none at all.
            StorageError: a file is missing, cut short or changed, or a recommender in
                `schema_hashes` has another feature schema.
        """
        if snapshot is None:
            current = read_current(home)
            if current is None:
                raise NotYetThereError(f"expected a snapshot in {home.snapshots}, found none. {REBUILD}")
            snapshot = current.snapshot
        elif snapshot not in (known := _kept_snapshots(home)):
            raise NotYetThereError(
                f"expected a snapshot that {home.snapshots} holds, found {snapshot!r} and there only "
                f"{', '.join(known) or 'none'}. {REBUILD}"
            )
        folder = home.snapshots / snapshot
        manifest = read_manifest(folder)
        check_schema_hashes(manifest, folder, schema_hashes or {})
        opened = cls(folder, manifest)
        served = {name: entry for name, entry in manifest.files.items() if not name.endswith(TRAINING)}
        verify_files(folder, served)
        for recommender in manifest.recommenders:
            opened._load(recommender)
        if DENIED in manifest.files:
            opened.denied = read_denied(folder)
        return opened

    def _load(self, recommender: str) -> None:
        folder = self.folder / recommender
        for entity in ENTITIES:
            keys = KeyTable.open(folder, entity)
            counts = np.asarray(np.load(folder / f"{entity}.npy", mmap_mode="r"))
            expected = (len(keys) + 1, len(WINDOWS) * len(COUNT_NAMES))
            if counts.shape != expected:
                raise StorageError(
                    f"expected {expected} counts in {entity}.npy of snapshot {self.snapshot_id}, found "
                    f"{counts.shape}. {REBUILD}"
                )
            self._keys[recommender, entity] = keys
            self._counts[recommender, entity] = counts
        self._items[recommender] = load_known_items(folder, self.entry(recommender).attributes)
        self._recent[recommender] = RecentSlates.open(folder)

    def entry(self, recommender: str) -> RecommenderEntry:
        """What the manifest says of one recommender. Raises StorageError when it holds none."""
        try:
            return self.manifest.recommenders[recommender]
        except KeyError:
            raise StorageError(
                f"expected {recommender} in snapshot {self.snapshot_id}, found "
                f"{', '.join(self.manifest.recommenders) or 'nothing'}. {REBUILD}"
            ) from None

    def counts(self, recommender: str, entity: str, keys: Sequence[str]) -> NDArray[np.int64]:
        """Counts (n_keys, 4 * 6): for each of `WINDOWS` those of `COUNT_NAMES`; zeros for an unknown key.

        A key is the entity's parts joined by `KEY_SEPARATOR`.
        """
        return self.counts_of(recommender, {entity: keys})[entity]

    def counts_of(self, recommender: str, keys: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.int64]]:
        """The same of keys of several entities."""
        search = self._search(recommender, tuple(keys))
        counts = search.counts(list(keys.values()), len(WINDOWS) * len(COUNT_NAMES))
        return dict(zip(keys, counts, strict=True))

    def _search(self, recommender: str, entities: tuple[str, ...]) -> KeySearch:
        search = self._searches.get((recommender, entities))
        if search is None:
            places = [(recommender, entity) for entity in entities]
            search = KeySearch([(self._keys[place], self._counts[place]) for place in places])
            self._searches[recommender, entities] = search
        return search

    def item_counts(self, recommender: str, rows: range) -> NDArray[np.int64]:
        """Counts (n_rows, 6) of known items since birth, by their rows in `items`."""
        wanted = self._items[recommender].count_rows[rows.start : rows.stop]
        since_birth = self._counts[recommender, "item"][:, : len(COUNT_NAMES)]
        return since_birth[wanted].astype(np.int64, copy=False)

    def recent(self, recommender: str) -> RecentSlates:
        """What live counts must know of the days before this snapshot."""
        self.entry(recommender)
        return self._recent[recommender]

    def keys_of(self, recommender: str, entity: str) -> KeyTable:
        """The keys of an entity, whose rows are those of its counts."""
        return self._keys[recommender, entity]

    def items(self, recommender: str) -> KnownItems:
        """The known items of a recommender."""
        self.entry(recommender)
        return self._items[recommender]

    def training_path(self, recommender: str) -> Path:
        """The verified training set, Parquet. Raises StorageError when it is damaged or missing."""
        self.entry(recommender)
        name = f"{recommender}/{TRAINING}"
        return verify_file(self.folder, name, self.manifest.files[name])


__all__ = [
    "COUNT_NAMES",
    "ENTITIES",
    "KEY_SEPARATOR",
    "WINDOWS",
    "KnownItems",
    "Snapshot",
    "SnapshotInfo",
    "SnapshotSpec",
    "keep_only_current",
    "publish_snapshot",
    "read_current",
]
