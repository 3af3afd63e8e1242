"""Features of all rows as they come in, batch by batch: in memory, or in a file where they are too many."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Room:
    """How many bytes of features may be held in memory, and the folder for those beyond."""

    memory_bytes: int
    folder: Path


@dataclass(slots=True)
class FeatureRows:
    """Batches of features `(n, n_features)`, in the order in which they came.

    Batches beyond the room go to a file that has no name, so nothing stays behind when the process dies.
    """

    room: Room | None = None
    """None: everything is held in memory."""
    _parts: list[Floats] = field(default_factory=list)
    _bytes: int = 0

    def append(self, part: Floats) -> None:
        """Take the features of one batch."""
        self._bytes += part.nbytes
        kept = self._new_array(part.shape)
        kept[:] = part
        self._parts.append(kept)

    def in_order(self, order: NDArray[np.int64]) -> Floats:
        """Features `(n, n_features)` where row `i` is the row `order[i]` of all that came.

        Beyond the room they are a map of a file. The batches are let go one by one, so that there are never
        two of everything.
        """
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        out = self._new_array((len(order), self._parts[0].shape[1]))
        first = 0
        self._parts.reverse()
        while self._parts:
            part = self._parts.pop()
            out[places[first : first + len(part)]] = part
            first += len(part)
        return out

    def _new_array(self, shape: tuple[int, ...]) -> Floats:
        """An array without values: in memory as long as all that came fits there, else a map of a file."""
        if self.room is None or self._bytes <= self.room.memory_bytes:
            return np.empty(shape, np.float32)
        self.room.folder.mkdir(parents=True, exist_ok=True)
        return _map_of_new_file(self.room.folder, shape, np.dtype(np.float32))


def _map_of_new_file(folder: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """A map of a file in `folder` that has no name."""
    descriptor, name = tempfile.mkstemp(prefix="features-", suffix=".f32", dir=folder)
    os.close(descriptor)
    mapped = np.memmap(name, kind, mode="w+", shape=shape)
    Path(name).unlink()
    return mapped


def folder_of_map(features: NDArray[np.generic]) -> Path | None:
    """Where the file lay that `features` are a map of; None where they are held in memory."""
    name = features.filename if isinstance(features, np.memmap) else None
    return Path(name).parent if name is not None else None


def taken_rows(values: NDArray[np.generic], rows: NDArray[np.bool_]) -> NDArray[np.generic]:
    """`values[rows]`, without a copy where the chosen rows are neighbours.

    A copy of a map is a map as well, of another file beside the first, unless it is at most a block.
    """
    chosen = np.flatnonzero(rows)
    if len(chosen) and chosen[-1] - chosen[0] + 1 == len(chosen):
        return values[chosen[0] : chosen[-1] + 1]
    folder = folder_of_map(values)
    if folder is None or len(chosen) <= BLOCK_ROWS:
        return values[rows]
    taken = _map_of_new_file(folder, (len(chosen), *values.shape[1:]), values.dtype)
    for block in _blocks(len(chosen)):
        taken[block] = values[chosen[block]]
    return taken


def joined_rows(parts: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    """The rows of `parts`, one after the other; a map where one of them is and all are over a block."""
    folder = next((found for part in parts if (found := folder_of_map(part)) is not None), None)
    rows = sum(len(part) for part in parts)
    if folder is None or rows <= BLOCK_ROWS:
        return np.concatenate(parts)
    joined, first = _map_of_new_file(folder, (rows, *parts[0].shape[1:]), parts[0].dtype), 0
    for part in parts:
        joined[first : first + len(part)] = part
        first += len(part)
    return joined


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(first, first + BLOCK_ROWS) for first in range(0, rows, BLOCK_ROWS))
