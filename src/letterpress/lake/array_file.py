"""Writes columns as the rows of one array file, a block at a time: the whole is never in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Batch = Sequence[NDArray[Any]]
"""Some rows: equally long columns."""
_BLOCK_ROWS = 2048
"""A block and its columns stay in the processor's cache while rows are made of them."""


def write_rows(path: Path, batches: Iterable[Batch], shape: tuple[int, int], kind: DTypeLike) -> None:
    """Write all rows of `batches`, to the byte what `np.save` writes of an array of this shape and kind."""
    rows, width = shape
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(kind)),
        "fortran_order": False,
        "shape": (rows, width),
    }
    block: NDArray[Any] = np.empty((_BLOCK_ROWS, width), kind)
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for columns in batches:
            for start in range(0, len(columns[0]) if width else 0, _BLOCK_ROWS):
                stream.write(_fill(block, columns, start).data)


def _fill(block: NDArray[Any], columns: Batch, start: int) -> NDArray[Any]:
    part = block[: min(len(block), len(columns[0]) - start)]
    for place, column in enumerate(columns):
        part[:, place] = column[start : start + len(part)]
    return part
