"""How much is known of every feature in the newest training rows of a snapshot, and in the one before it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from letterpress.datasets.read_training_set import declared_schema
from letterpress.datasets.training_arrays import features_as_trained
from letterpress.lake.snapshot_gate_facts import FeatureCoverage, folder_before
from letterpress.lake.snapshot_layout import Manifest
from letterpress.recommenders import RECOMMENDERS, Recommender
from letterpress.settings import Home

ROWS = 5_000
SLOW_VIEWS = {"sentence": 200}
"""Rows that are measured where a view takes milliseconds a row."""
FEWEST_ROWS = 100
"""Of fewer rows, one that has no value is no news."""


def coverage_since(home: Home, snapshot: str, folder: Path, manifest: Manifest) -> list[FeatureCoverage]:
    """Every feature of the snapshot in `folder`, beside the newest other snapshot.

    Empty for a recommender that has few rows in either, or whose rows have other columns: these are other
    expectations' business.
    """
    before = folder_before(home, snapshot)
    if before is None:
        return []
    entries = {name: entry for name, entry in manifest.recommenders.items() if name in RECOMMENDERS}
    return [
        each
        for name, entry in entries.items()
        for each in _compare(RECOMMENDERS[name], folder, before, entry.attributes)
    ]


def _compare(
    recommender: Recommender, folder: Path, before: Path, attributes: Collection[str]
) -> list[FeatureCoverage]:
    paths = [each / recommender.name / "training.parquet" for each in (folder, before)]
    if not paths[1].is_file():
        return []
    rows, known_rows = (newest_rows(path, ROWS) for path in paths)
    has_other_columns = set(rows.column_names) != set(known_rows.column_names)
    if has_other_columns or min(rows.num_rows, known_rows.num_rows) < FEWEST_ROWS:
        return []
    names, values = newest_features(recommender, rows)
    _, known = newest_features(recommender, known_rows)
    return [
        FeatureCoverage(
            recommender=recommender.name,
            feature=name,
            coverage=_coverage(values[:, column]),
            known_coverage=_coverage(known[:, column]),
            is_constant=_is_constant(values[:, column]),
            was_constant=_is_constant(known[:, column]),
            beyond_known=_beyond(values[:, column], known[:, column]) if name in attributes else 0.0,
        )
        for column, name in enumerate(names)
    ]


def _coverage(values: NDArray[np.float32]) -> float:
    return float((~np.isnan(values)).mean())


def _is_constant(values: NDArray[np.float32]) -> bool:
    present = values[~np.isnan(values)]
    return len(present) == 0 or bool((present == present[0]).all())


def _beyond(values: NDArray[np.float32], known: NDArray[np.float32]) -> float:
    """Share of values further outside of the range of `known` than it is wide; 0 where it has no width.

    >>> _beyond(np.array([0.2, 255.0, np.nan, 1.9], np.float32), np.array([0.0, 1.0], np.float32))
    0.25
    """
    if _is_constant(known):
        return 0.0
    low, high = np.nanmin(known), np.nanmax(known)
    width = high - low
    return float(((values < low - width) | (values > high + width)).mean())


def newest_rows(path: Path, most: int, *, older_by: timedelta = timedelta(0)) -> pa.Table:
    """The last `most` rows of a training set, which is in the order of time.

    Of those only that are `older_by` than the newest of all.
    """
    with pq.ParquetFile(path) as file:
        groups: list[pa.Table] = [file.schema_arrow.empty_table()]
        until = None
        for number in reversed(range(file.num_row_groups)):
            group = file.read_row_group(number)
            if older_by and "shown_at" in group.column_names:
                until = until or pc.max(group["shown_at"]).as_py() - older_by
                group = group.filter(pc.less_equal(group["shown_at"], until))
            groups.insert(0, group)
            if sum(group.num_rows for group in groups) >= most:
                break
    table = pa.concat_tables(groups)
    return table.slice(max(0, table.num_rows - most))


def newest_features(recommender: Recommender, rows: pa.Table) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Names, and values `(n, n_features)` as a model would be trained on: logged ones, else computed anew."""
    schema = declared_schema(recommender, {})  # what is known, whether or not it may be used
    most = min(SLOW_VIEWS.get(view, ROWS) for view in recommender.feature_views)
    values, _ = features_as_trained(rows.slice(max(0, rows.num_rows - most)), schema)
    return schema.names, values
