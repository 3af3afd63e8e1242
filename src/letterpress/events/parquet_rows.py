"""Parquet tables as lines of the native log: our own raw files, or one flat row an event.

A row of a flat table has a column a field, with those of nested parts dotted (`campaign.campaign_id`), as
structs, or as texts of JSON. Nulls are absent fields. What a row says is judged by the codec like any line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.errors import UsageError
from letterpress.events.types import EVENT_NAMES, EVENT_TYPES, model_fields

SUFFIX = ".parquet"
ROWS_AT_ONCE = 4096

_RENAMED = {"schema_hash": "feature_schema"}
"""Raw columns that kept the name which their field had in version 1."""
_MAPS = ("attributes", "labels")
_PARTS = (*_MAPS, "campaign", "experiment", "items", "described", "candidate_scores", "extra")
"""Fields that are no single value: a column of texts has them as JSON."""


def find_tables(folder: Path) -> list[Path]:
    """The Parquet files directly inside `folder`, and those of its partitions as they lie in raw, sorted."""
    inside = [*folder.glob(f"*{SUFFIX}"), *folder.glob(f"recommender=*/hour=*/*{SUFFIX}")]
    return sorted(path for path in inside if path.is_file())


def parquet_lines(
    path: Path, *, recommender: str | None = None, tenant: str | None = None
) -> Iterator[bytes]:
    """A line of JSON for every row. `recommender` and `tenant` are for rows that name none.

    A raw file lies in a folder `recommender=...`, which says the recommender, and is named after its event.

    Raises:
        UsageError: it is no Parquet file, or nothing says which events its rows are.
    """
    with open_table(path) as table:
        given = _given(path, table.schema_arrow, recommender, tenant)
        for batch in table.iter_batches(batch_size=ROWS_AT_ONCE):
            yield from map(partial(row_line, given), batch.to_pylist())


def open_table(path: Path) -> pq.ParquetFile:
    """The file, ready to be read. Raises UsageError when it is no Parquet file."""
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).partition("\n")[0].partition(":")[0]
        raise UsageError(f"expected a Parquet file at {path}, found: {reason}. Get it again.") from error


def check_table(path: Path) -> None:
    """Raises UsageError when `parquet_lines` could not say which events the rows of `path` are."""
    with open_table(path) as table:
        _given(path, table.schema_arrow, None, None)


def _given(path: Path, schema: pa.Schema, recommender: str | None, tenant: str | None) -> dict[str, Any]:
    """What the rows are said to be where they do not say it themselves."""
    given: dict[str, Any] = {} if "type" in schema.names else {"type": _event_of(path, schema)}
    folder = next((part for part in path.parts if part.startswith("recommender=")), None)
    recommender = folder.partition("=")[2] if folder else recommender
    return {**given, "recommender": recommender, "tenant": tenant}


def _event_of(path: Path, schema: pa.Schema) -> str:
    """By the file's name, else by columns that only one event type has."""
    if path.stem in EVENT_NAMES:
        return path.stem
    columns = {name.partition(".")[0] for name in schema.names}
    fits = [
        name
        for name, model in zip(EVENT_NAMES, EVENT_TYPES, strict=True)
        if {each.name for each in model_fields(model) if each.required} - {"recommender", "tenant"} <= columns
    ]
    if fits:
        return max(fits, key=lambda name: len(model_fields(EVENT_TYPES[EVENT_NAMES.index(name)])))
    raise UsageError(
        f"expected a column `type`, or all required fields of one event type, in {path}; found the columns "
        f"{', '.join(schema.names)}. docs/events/README.md lists the fields."
    )


def row_line(given: dict[str, Any], row: dict[str, Any]) -> bytes:
    """The line of JSON of one row; `given` is for what it does not say itself."""
    document: dict[str, Any] = {}
    for column, value in row.items():
        if value is not None:
            _put(document, _RENAMED.get(column, column), value)
    for name, value in given.items():
        if value is not None:
            document.setdefault(name, value)
    return msgspec.json.encode(document, enc_hook=str)


def _put(document: dict[str, Any], column: str, value: Any) -> None:
    """Set a field; a dotted column is a field of the part before its dot."""
    first, dot, rest = column.partition(".")
    if dot and first in _PARTS:
        part = document.setdefault(first, {})
        if isinstance(part, dict):
            _put(part, rest, value)
            return
    document[column] = _as_json(column, value)


def _as_json(column: str, value: Any) -> Any:
    """As the native log has it: maps are objects, times have an offset, `extra` is JSON again."""
    if column in _PARTS and isinstance(value, str):
        return _as_document(value)
    if column in _MAPS and isinstance(value, list):
        return dict(value)
    if isinstance(value, dict):
        return {name: _as_json(name, each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_as_json("", each) for each in value]
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC)
    return value


def _as_document(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text
