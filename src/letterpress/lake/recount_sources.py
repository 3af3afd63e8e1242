"""What the audit opens of raw: of slates hardly more than who was shown, and vectors of sampled hours only.

The vectors that slates log are most of raw, and all slates of a recommender are counted: read as a whole, a
thousand served slates cost as much as forty thousand others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from letterpress.lake.partition_file import name_of_partition
from letterpress.lake.partitions import hours_of_partition
from letterpress.lake.raw_schema import (
    ANCHOR_HOUR,
    ANCHOR_RECOMMENDER,
    CAMPAIGN,
    INSTANT,
    ensure_anchors,
    partition_path,
)
from letterpress.settings import Home

REACTIONS = ("item", "interaction", "outcome")
_IDS = pa.list_(pa.struct([("item_id", pa.string())]))
SHOWN = pa.schema(
    [
        ("event_id", pa.string()),
        ("tenant", pa.string()),
        ("occurred_at", INSTANT),
        ("received_at", INSTANT),
        ("slate_id", pa.string()),
        ("campaign", CAMPAIGN),
        ("snapshot", pa.string()),
        ("schema_hash", pa.string()),
        ("session_id", pa.string()),
        ("live_until", INSTANT),
        ("items", _IDS),
        ("described", _IDS),
    ]
)
"""What is read of every slate."""
_BATCH_ROWS = 65_536


class RawOfRecommender:
    """The raw files of one recommender, by event type, and which of its slates were sampled."""

    def __init__(self, home: Home, recommender: str) -> None:
        ensure_anchors(home.raw)
        self._raw, self._recommender = home.raw, recommender
        self._slates = sorted(
            home.raw.glob(f"recommender={recommender}/hour=*/slate.parquet"), key=_newest_hour, reverse=True
        )

    def newest_sampled(self) -> datetime | None:
        """When the newest sampled slate was shown; looks into no file that is older. None without any."""
        newest: datetime | None = None
        for path in self._slates:
            if newest is not None and _newest_hour(path) <= newest:
                break
            for batch in _read(path, ("occurred_at", "described")):
                shown = pc.max(batch["occurred_at"].filter(batch["described"].is_valid())).as_py()
                newest = max((each for each in (shown, newest) if each is not None), default=None)
        return newest

    def shown(self) -> pa.RecordBatchReader:
        """All slates with the columns of `SHOWN`, once."""
        return pa.RecordBatchReader.from_batches(SHOWN, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for path in self._slates:
            yield from _read(path, SHOWN.names)

    def vector_files(self, since: datetime) -> list[Path]:
        """The files of slates that were shown at `since` or later."""
        return [path for path in self._slates if _newest_hour(path) > since]

    def event_files(self, event: str) -> list[Path]:
        return sorted(self._raw.glob(f"recommender={self._recommender}/hour=*/{event}.parquet"))

    def anchor(self, event: str) -> Path:
        """An empty file with the columns of today."""
        return partition_path(self._raw, ANCHOR_RECOMMENDER, ANCHOR_HOUR, event)


def _newest_hour(path: Path) -> datetime:
    """When the hours of a file end."""
    return hours_of_partition(name_of_partition(path)).end


def _read(path: Path, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Columns of a file of slates, of items only who they are; null where the file is of an older schema."""
    with pq.ParquetFile(path) as file:
        leaves = [file.schema.column(number).path for number in range(len(file.schema.names))]
        wanted = [
            leaf
            for leaf in leaves
            if (root := leaf.partition(".")[0]) in names
            and (root not in ("items", "described") or leaf.endswith(".item_id"))
        ]
        schema = pa.schema([SHOWN.field(name) for name in names])
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
            yield _conformed(batch, schema)


def _conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    present = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in present
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
