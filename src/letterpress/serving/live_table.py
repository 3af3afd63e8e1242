"""Integer counts by key that grow while they are read: a dictionary of rows over one array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from letterpress.lake.snapshot_layout import COUNT_NAMES

N_COUNTS = len(COUNT_NAMES)
Increments = dict[str, list[int]]
"""By key, in the order of `COUNT_NAMES`."""


class LiveTable:
    """The counts of one entity. Row 0 is the one of every key that was never counted."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._counts: NDArray[np.int64] = np.zeros((64, N_COUNTS), np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, increments: Mapping[str, Sequence[int]]) -> None:
        for key, amounts in increments.items():
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = len(self._rows) + 1
                if row == len(self._counts):
                    self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
            self._counts[row] += amounts

    def find(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Counts (n_keys, 6)."""
        rows = self._rows
        return self._counts.take([rows.get(key, 0) for key in keys], axis=0)

    def items(self) -> Iterable[tuple[str, list[int]]]:
        """Every key with its counts."""
        return ((key, self._counts[row].tolist()) for key, row in self._rows.items())


def merge_into(target: Increments, key: str, column: int, amount: int) -> None:
    """Add one amount to the increments of a key."""
    row = target.get(key)
    if row is None:
        row = target[key] = [0] * N_COUNTS
    row[column] += amount
