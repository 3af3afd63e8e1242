"""What the snapshot gate looks at: facts about a snapshot that is written and not yet current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from letterpress.errors import StorageError, as_clause
from letterpress.events.session import SESSION_COUNTS
from letterpress.lake.complete_hours import has_lost_on_purpose
from letterpress.lake.snapshot_layout import (
    COUNT_NAMES,
    ENTITIES,
    KNOWN_COUNTS,
    REBUILD,
    Manifest,
    RecommenderEntry,
    SnapshotSpec,
    read_current_or_none,
    read_manifest,
)
from letterpress.settings import Home

SNAPSHOT_TABLES = (
    "snapshot_schema",
    "snapshot_rows",
    "snapshot_counts",
    "snapshot_coverage",
    "snapshot_times",
)
_EMPTY = RecommenderEntry((), (), "none", {})


@dataclass(frozen=True, slots=True)
class FeatureCoverage:
    """How much is known of one feature in the newest training rows, now and in the current snapshot."""

    recommender: str
    feature: str
    coverage: float
    """Share of rows that have a value, 0..1."""
    known_coverage: float
    is_constant: bool
    was_constant: bool
    beyond_known: float = 0.0
    """Share of values of an attribute that lie further outside of the range known before than it is wide."""


@dataclass(frozen=True, slots=True)
class SnapshotUnderTest:
    """A snapshot in the folder where it was written, and what it should be."""

    snapshot: str
    folder: Path
    manifest: Manifest
    spec: Mapping[str, SnapshotSpec]
    coverage: Sequence[FeatureCoverage] = ()


def write_snapshot_facts(home: Home, under_test: SnapshotUnderTest, database: Path) -> tuple[str, ...]:
    """Facts about a snapshot, beside those of the current one, in the new file `database`.

    Raises:
        StorageError: a file of the new snapshot cannot be read.
    """
    before = manifest_before(home, under_test.snapshot)
    facts = {
        "snapshot_schema": _schemas(under_test),
        "snapshot_rows": _rows(under_test.manifest, None if has_lost_on_purpose(home) else before),
        "snapshot_counts": _counts(under_test),
        "snapshot_coverage": [asdict(each) | _lost(each) for each in under_test.coverage],
        "snapshot_times": [{"hours_back": _hours_back(under_test.manifest, before)}],
    }
    with duckdb.connect(str(database)) as connection:
        for table, rows in facts.items():
            arrow = pa.Table.from_pylist(rows) if rows else _no_rows(table)
            connection.register("given", arrow)
            connection.execute(f"create table {table} as select * from given")  # noqa: S608 - our own names
            connection.unregister("given")
    return SNAPSHOT_TABLES


def _no_rows(table: str) -> pa.Table:
    columns = {
        "snapshot_coverage": (
            "recommender",
            "feature",
            "coverage",
            "coverage_lost",
            "became_constant",
            "beyond_known",
        ),
    }[table]
    return pa.table({name: pa.array([], pa.float64()) for name in columns})


def folder_before(home: Home, snapshot: str) -> Path | None:
    """The newest other snapshot than `snapshot`: the current one, or the one before it; None without one."""
    current = read_current_or_none(home)
    names = (current.snapshot, *current.history) if current else ()
    folders = (home.snapshots / name for name in names if name != snapshot)
    return next((folder for folder in folders if folder.is_dir()), None)


def manifest_before(home: Home, snapshot: str) -> Manifest | None:
    """What that snapshot holds; None when there is none that can be read."""
    folder = folder_before(home, snapshot)
    try:
        return read_manifest(folder) if folder else None
    except StorageError:
        return None


def _schemas(under_test: SnapshotUnderTest) -> list[dict[str, Any]]:
    """One row a declared recommender."""
    return [
        _schema(under_test, name, wanted, under_test.manifest.recommenders.get(name, _EMPTY))
        for name, wanted in sorted(under_test.spec.items())
    ]


def _schema(
    under_test: SnapshotUnderTest, name: str, wanted: SnapshotSpec, entry: RecommenderEntry
) -> dict[str, Any]:
    training = under_test.folder / name / "training.parquet"
    try:
        columns = pq.read_schema(training).names
    except (pa.ArrowException, OSError) as error:
        raise StorageError(
            f"expected a training set of {name} in the new snapshot, found: {as_clause(error)}. {REBUILD}"
        ) from error
    return {
        "recommender": name,
        "has_declared_schema": int(entry.schema_hash == wanted.schema_hash),
        "features_missing": len(set(wanted.features) - set(entry.features)),
        "features_undeclared": len(set(entry.features) - set(wanted.features)),
        "attributes_differ": int(entry.attributes != wanted.attributes),
        "training_columns_missing": len({*KNOWN_COUNTS, *SESSION_COUNTS} - set(columns)),
    }


def _rows(manifest: Manifest, before: Manifest | None) -> list[dict[str, Any]]:
    """One row a recommender and kind of rows; `rows_kept` is a multiple of what the current snapshot has.

    Slates of the last days are left out: they are as many as there was traffic, and go by themselves.
    Nothing is compared with what stood before events were removed on purpose.
    """
    known = before.recommenders if before else {}
    return [
        {
            "recommender": name,
            "kind": kind,
            "rows": rows,
            "rows_kept": rows / was if (was := known.get(name, _EMPTY).rows.get(kind, 0)) else 1.0,
        }
        for name, entry in sorted(manifest.recommenders.items())
        for kind, rows in sorted(entry.rows.items())
        if kind != "recent"
    ]


def _counts(under_test: SnapshotUnderTest) -> list[dict[str, Any]]:
    """One row a recommender and kind of entity."""
    return [
        {"recommender": name, "entity": entity, **_facts_of(under_test.folder / name / f"{entity}.npy")}
        for name in sorted(under_test.manifest.recommenders)
        for entity in ENTITIES
    ]


def _facts_of(path: Path) -> dict[str, Any]:
    counts: NDArray[np.int64] = np.load(path, mmap_mode="r")
    known, unknown = counts[:-1], counts[-1]
    width = len(COUNT_NAMES)
    windows = [known[:, start : start + width] for start in range(0, counts.shape[1], width)]
    delivered, clicked = (windows[0][:, COUNT_NAMES.index(name)] for name in ("delivered", "clicked"))
    outgrown = [(wide < narrow).any(axis=1) for wide, narrow in pairwise(windows)]
    return {
        "smallest_count": int(known.min(initial=0)),
        "unknown_is_counted": int(unknown.any()),
        "clicked_above_delivered": float((clicked > delivered).mean()) if len(known) else 0.0,
        "windows_not_nested": int(sum(each.sum() for each in outgrown)),
    }


def _lost(each: FeatureCoverage) -> dict[str, Any]:
    return {
        "coverage_lost": each.known_coverage - each.coverage,
        "became_constant": int(each.is_constant and not each.was_constant),
    }


def _hours_back(manifest: Manifest, before: Manifest | None) -> float:
    """By how much the new snapshot knows of less time than the current one; 0 when it does not."""
    if before is None or before.as_of is None:
        return 0.0
    if manifest.as_of is None:
        return float("inf")
    return max(0.0, (before.as_of - manifest.as_of).total_seconds() / 3600)
