"""Reads one Parquet file of the lake; a damaged one is an error that names it and says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.errors import StorageError


@contextmanager
def opened_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """The file at `path`, to be read inside the block only.

    Raises:
        StorageError: it is damaged or missing; perhaps only while it is read.
    """
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        found = "none" if isinstance(error, FileNotFoundError) else f"it damaged ({reason})"
        raise StorageError(
            f"expected a Parquet file at {path}, found {found}. Nothing was changed. Run `letterpress lake "
            "--verify`, which names every file that is damaged and says what to do, then run this again."
        ) from error


def read_rows(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Its rows, with those of `columns` that it has.

    Raises:
        StorageError: it is damaged or missing.
    """
    with opened_parquet(path) as file:
        if columns is None:
            return file.read()
        names = set(file.schema_arrow.names)
        return file.read(columns=[name for name in columns if name in names])


def read_texts(path: Path) -> pa.Table:
    """Its rows with the columns that hold texts, and of nested ones only the parts that do.

    Raises:
        StorageError: it is damaged or missing.
    """
    with opened_parquet(path) as file:
        leaves = [file.schema.column(place) for place in range(len(file.schema))]
        return file.read(columns=[leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"])


def count_rows(path: Path) -> int:
    """How many rows it has, as its footer tells.

    Raises:
        StorageError: its footer is damaged, or it is missing.
    """
    with opened_parquet(path) as file:
        return int(file.metadata.num_rows)
