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
        """Add to many keys at once."""
        if not increments:
            return
        rows = [self._rows.setdefault(key, len(self._rows) + 1) for key in increments]
        while len(self._rows) >= len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._counts[rows] += np.array(list(increments.values()), np.int64)

    def find(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Counts (n_keys, 6)."""
        rows = self._rows
        return self._counts.take([rows.get(key, 0) for key in keys], axis=0)

    def items(self) -> Iterable[tuple[str, list[int]]]:
        """Every key with its counts."""
        return ((key, self._counts[row].tolist()) for key, row in self._rows.items())


def merge_into(target: Increments, increments: Increments) -> None:
    """Add increments to those that are held; those that are new are kept as they are."""
    for key, amounts in increments.items():
        held = target.get(key)
        target[key] = amounts if held is None else [n + more for n, more in zip(held, amounts, strict=True)]
