"""The resiliency score of every feature on every day that a version learned from, as a table.

`registry/resiliency/<recommender>/<version>.parquet`: DuckDB or anything that reads Parquet may ask it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.atomic_file import write_atomically
from letterpress.settings import Home

ALL_FEATURES = "all"
"""What the table calls the score of a whole row."""
SCHEMA = pa.schema(
    [
        ("day", pa.date32()),
        ("feature", pa.string()),
        ("age_days", pa.int32()),
        ("rows", pa.int64()),
        ("half_life_days", pa.float64()),
        ("is_demonstrated", pa.bool_()),
        ("score", pa.float64()),
    ]
)


def resiliency_table(facts: Mapping[str, Any]) -> pa.Table:
    """One row a day and feature, of `resiliency` in a bundle's training facts; the grain is both together.

    `score` is what the feature told on that day beside what it tells on the newest, 0..1: 1 where no decay is
    demonstrated, null where the feature tells nothing.
    """
    half_lives = {ALL_FEATURES: facts["half_life"], **facts["features"]}
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for partition in facts["partitions"]:
        for feature, half_life in half_lives.items():
            columns["feature"].append(feature)
            columns["half_life_days"].append(None if half_life is None else half_life["days"])
            columns["is_demonstrated"].append(None if half_life is None else half_life["is_demonstrated"])
            columns["score"].append(_score(half_life, partition["age_days"]))
            for name in ("day", "age_days", "rows"):
                columns[name].append(partition[name])
    days = pa.array(columns.pop("day"), pa.string()).cast(pa.date32())
    return pa.table({"day": days, **columns}, schema=SCHEMA)


def _score(half_life: Mapping[str, Any] | None, age_days: int) -> float | None:
    if half_life is None:
        return None
    return float(2.0 ** (-age_days / half_life["days"])) if half_life["is_demonstrated"] else 1.0


def write_resiliency_table(home: Home, recommender: str, version: int, facts: Mapping[str, Any]) -> Path:
    """Write the table of a version by atomic rename; its path."""
    path = home.registry / "resiliency" / recommender / f"{version}.parquet"
    buffer = io.BytesIO()
    pq.write_table(resiliency_table(facts), buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())
    return path
