"""How a snapshot looks on disk: file names, manifest, entity keys, and the checks on opening one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from letterpress.errors import StorageError, as_clause
from letterpress.settings import Home

FORMAT = 4
COUNT_NAMES = ("shown", "chosen", "delivered", "clicked", "converted", "unsubscribed")
ENTITIES: dict[str, tuple[str, ...]] = {
    "item": ("tenant", "item_id"),
    "item_segment": ("tenant", "item_id", "segment"),
    "enhancement_industry": ("enhancement", "industry"),
    "enhancement": ("enhancement",),
    "tenant": ("tenant",),
    "send_hour": ("tenant", "send_hour"),
}
"""What counts are kept by, and the columns that make its key; `send_hour` is 0 to 23, UTC."""
WINDOWS = ("birth", "28d", "7d", "1d")
"""What each entity is counted over, from the longest; see `window_start` (ADR 0023)."""
WINDOW_DAYS = {"28d": 28, "7d": 7, "1d": 1}
KNOWN_COUNTS = tuple(
    f"{entity}_{count}" + ("" if window == "birth" else f"_{window}")
    for entity in ENTITIES
    for window in WINDOWS
    for count in COUNT_NAMES
)
"""The same in the columns of `training_examples`, in their order."""
KEY_SEPARATOR = "\x1f"
MANIFEST = "manifest.json"
CURRENT = "current.json"
_HASHERS = 4
"""Files hashed at a time; SHA-256 lets other threads run."""
REBUILD = "Run `letterpress features` to publish a new one."


def window_start(as_of: datetime, days: int) -> datetime:
    """What arrived until then is outside a window of `days` whole days and today so far, as of `as_of`.

    A start is a midnight (UTC), and the hour that ends at midnight belongs to the day before, so that a
    window only grows within a day.

    >>> from datetime import UTC
    >>> window_start(datetime(2026, 1, 6, 0, tzinfo=UTC), 1).isoformat()
    '2026-01-04T00:00:00+00:00'
    >>> window_start(datetime(2026, 1, 6, 1, tzinfo=UTC), 1).isoformat()
    '2026-01-05T00:00:00+00:00'
    """
    today = (as_of - timedelta(hours=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days)


class SnapshotSpec(msgspec.Struct, frozen=True):
    """What to publish of one recommender. Attributes and features in the order of their columns."""

    attributes: tuple[str, ...]
    features: tuple[str, ...]
    schema_hash: str


class FileEntry(msgspec.Struct, frozen=True):
    sha256: str
    n_bytes: int


class RecommenderEntry(msgspec.Struct, frozen=True):
    """What the snapshot holds of one recommender; `rows` by file stem."""

    attributes: tuple[str, ...]
    features: tuple[str, ...]
    schema_hash: str
    rows: dict[str, int]


class Manifest(msgspec.Struct, frozen=True):
    """Everything that identifies a snapshot; no wall time, so that equal content has an equal id."""

    format: int
    as_of: datetime | None
    """A whole hour: counts hold what had arrived before it; null when nothing has."""
    first_hour: str | None
    last_hour: str | None
    """Slate hours that the training sets span."""
    recommenders: dict[str, RecommenderEntry]
    files: dict[str, FileEntry]
    """By path relative to the snapshot."""


class Current(msgspec.Struct, frozen=True):
    """`current.json`: which snapshot to serve, and those before it, newest first."""

    snapshot: str
    published_at: datetime
    history: tuple[str, ...] = ()


def encode_manifest(manifest: Manifest) -> bytes:
    """The one spelling of a manifest: sorted keys, no spaces."""
    return msgspec.json.encode(manifest, order="sorted")


def snapshot_id(manifest: Manifest) -> str:
    """Sixteen hex digits of the manifest's SHA-256."""
    return hashlib.sha256(encode_manifest(manifest)).hexdigest()[:16]


def hash_file(path: Path) -> FileEntry:
    """SHA-256 and size of a file."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileEntry(digest, path.stat().st_size)


def hash_files(paths: Sequence[Path]) -> list[FileEntry]:
    """The same of many files, in their order."""
    with ThreadPoolExecutor(_HASHERS) as pool:
        return list(pool.map(hash_file, paths))


def read_current(home: Home) -> Current | None:
    """What `current.json` says; None when nothing was ever published.

    Raises:
        StorageError: the file cannot be read as what it should be.
    """
    path = home.snapshots / CURRENT
    try:
        return msgspec.json.decode(path.read_bytes(), type=Current)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise StorageError(
            f"expected {path} to name a snapshot, found: {as_clause(error)}. {REBUILD}"
        ) from error


def read_current_or_none(home: Home) -> Current | None:
    """What `current.json` says; None when there is none that can be read, for one about to be written."""
    try:
        return read_current(home)
    except StorageError:
        return None


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the snapshot in `folder`, checked against the folder's name.

    Raises:
        StorageError: it is missing, unreadable, of another format, or was changed.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (msgspec.DecodeError, OSError) as error:
        raise StorageError(
            f"expected a snapshot in {folder}, found: {as_clause(error)}. {REBUILD}"
        ) from error
    if manifest.format != FORMAT:
        raise StorageError(
            f"expected snapshot format {FORMAT}, found {manifest.format} in {folder}. {REBUILD}"
        )
    if snapshot_id(manifest) != folder.name:
        raise StorageError(
            f"expected the manifest of snapshot {folder.name}, "
            f"found that of {snapshot_id(manifest)}. {REBUILD}"
        )
    return manifest


def verify_file(folder: Path, name: str, entry: FileEntry) -> Path:
    """The path of a file whose content is what the manifest says.

    Raises:
        StorageError: it is missing, cut short or changed.
    """
    path = folder / name
    try:
        n_bytes = path.stat().st_size
        found = hash_file(path) if n_bytes == entry.n_bytes else FileEntry("not read", n_bytes)
    except OSError as error:
        raise StorageError(
            f"expected {name} in snapshot {folder.name}, found: {as_clause(error)}. {REBUILD}"
        ) from error
    if found != entry:
        raise StorageError(
            f"expected {entry.n_bytes} bytes with SHA-256 {entry.sha256[:12]} in {name} of snapshot "
            f"{folder.name}, found {found.n_bytes} bytes with {found.sha256[:12]}. {REBUILD}"
        )
    return path


def verify_files(folder: Path, files: Mapping[str, FileEntry]) -> None:
    """Raises StorageError for the first file whose content is not what the manifest says."""
    with ThreadPoolExecutor(_HASHERS) as pool:
        list(pool.map(partial(verify_file, folder), files, files.values()))


def check_schema_hashes(manifest: Manifest, folder: Path, expected: Mapping[str, str]) -> None:
    """Raises StorageError when a recommender's features are not those that `expected` names."""
    for recommender, schema_hash in expected.items():
        entry = manifest.recommenders.get(recommender)
        found = entry.schema_hash if entry else "none"
        if found != schema_hash:
            raise StorageError(
                f"expected feature schema {schema_hash} of {recommender} in snapshot {folder.name}, "
                f"found {found}. {REBUILD}"
            )
