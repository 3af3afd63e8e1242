"""Integer counts by key that grow while they are read: dictionaries of rows over one array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES

N_COUNTS = len(COUNT_NAMES)
Place = tuple[str, str]
"""(recommender, entity)."""
Keys = tuple[tuple[str, str], ...]
"""(entity, key) of everything that one item of a slate counts for."""
Group = int
"""The same by one number, from 1 on: to count for a slate is then to gather a number for each item."""
NOWHERE = 1


class Gains(NamedTuple):
    """What became known of items: n increments."""

    groups: NDArray[np.int32]
    """(n,), see `Group`."""
    columns: NDArray[np.int8]
    """Which of `COUNT_NAMES` grows."""
    amounts: NDArray[np.int64]


class LiveRows:
    """Rows of counts. Row 0 is that of every key that was never counted, row 1 what belongs `NOWHERE`."""

    def __init__(self) -> None:
        self.size = 2
        self._counts: NDArray[np.int64] = np.zeros((64, N_COUNTS), np.int64)

    def new(self) -> int:
        """One row more."""
        if self.size == len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self.size += 1
        return self.size - 1

    def add(self, rows: NDArray[np.integer], increments: NDArray[np.int64]) -> None:
        """Add increments `(n, 6)` to as many different rows."""
        self._counts[rows] += increments

    def add_gains(self, rows: NDArray[np.int32], gains: Gains) -> None:
        """Add each of n increments to all `rows` `(n, entities)` of its item."""
        places = rows * np.int64(N_COUNTS) + gains.columns[:, None]
        amounts = np.repeat(gains.amounts, rows.shape[1])
        np.add.at(self._counts.reshape(-1), places.reshape(-1), amounts)

    def take(self, rows: Sequence[int]) -> NDArray[np.int64]:
        """Counts (n, 6)."""
        return self._counts.take(rows, axis=0)


class LiveTable:
    """The counts of one entity; tables may share their rows."""

    def __init__(self, rows: LiveRows | None = None) -> None:
        self._shared = LiveRows() if rows is None else rows
        self._rows: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, key: str) -> int:
        """The row of a key from now on."""
        found = self._rows.get(key)
        if found is None:
            found = self._rows[key] = self._shared.new()
        return found

    def add(self, increments: Mapping[str, Sequence[int]]) -> None:
        """Add to many keys at once."""
        rows = np.array([self.row(key) for key in increments], np.intp)
        self._shared.add(rows, np.array(list(increments.values()), np.int64).reshape(-1, N_COUNTS))

    def rows(self, keys: Sequence[str]) -> list[int]:
        """The row of each key, 0 for one that was never counted."""
        get = self._rows.get
        return [get(key, 0) for key in keys]

    def find(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """Counts (n_keys, 6)."""
        return self._shared.take(self.rows(keys))

    def items(self) -> Iterable[tuple[str, int]]:
        """Every key with its row."""
        return self._rows.items()


class LiveTables:
    """The tables of all entities of all recommenders, over the same rows: one step adds to all of them."""

    def __init__(self) -> None:
        self._shared = LiveRows()
        self._tables: dict[Place, LiveTable] = {}
        self._groups: dict[tuple[int, ...], Group] = {}
        self._rows = np.full((64, len(ENTITIES)), NOWHERE, np.int32)
        """By group, the row of each entity; `NOWHERE` for one of which the item has no key."""

    def group_of(self, recommender: str, keys: Keys) -> Group:
        """What an item counts for, from now on."""
        named = dict(keys)
        return self._group(
            tuple(
                self._table((recommender, entity)).row(named[entity]) if entity in named else NOWHERE
                for entity in ENTITIES
            )
        )

    def add(self, gains: Gains) -> None:
        """Add to all rows of the groups that `group_of` gave."""
        self._shared.add_gains(self._rows.take(gains.groups, axis=0), gains)

    def find(self, recommender: str, keys: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.int64]]:
        """Counts (n_keys, 6) by entity."""
        rows: list[int] = []
        for entity, names in keys.items():
            table = self._tables.get((recommender, entity))
            rows += [0] * len(names) if table is None else table.rows(names)
        counts = self._shared.take(rows)
        found, start = {}, 0
        for entity, names in keys.items():
            found[entity] = counts[start : start + len(names)]
            start += len(names)
        return found

    def items(self) -> dict[Place, dict[str, list[int]]]:
        """Every key that was counted with its counts, by recommender and entity."""
        found = {}
        for place, table in list(self._tables.items()):
            keys = list(table.items())
            counts = self._shared.take([row for _, row in keys]).tolist()
            found[place] = {key: count for (key, _), count in zip(keys, counts, strict=True) if any(count)}
        return found

    def moved(self, gains: Sequence[Gains]) -> tuple[LiveTables, list[Gains]]:
        """Tables that hold `gains` and no key beside theirs, and these gains in groups of those tables."""
        moved = LiveTables()
        is_used = np.zeros(len(self._groups) + 1, np.bool_)
        for each in gains:
            is_used[each.groups] = True
        used = np.flatnonzero(is_used)
        new_rows = self._move_keys(moved, self._rows[used])
        new_groups = np.zeros(len(is_used), np.int32)
        new_groups[used] = [moved._group(tuple(rows)) for rows in new_rows[self._rows[used]].tolist()]
        kept = [each._replace(groups=new_groups[each.groups]) for each in gains]
        for each in kept:
            moved.add(each)
        return moved, kept

    def _move_keys(self, moved: LiveTables, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Give the keys of `rows` a row in `moved`; by row of ours, that row there."""
        is_used = np.zeros(self._shared.size, np.bool_)
        is_used[rows] = True
        new_rows = np.full(self._shared.size, NOWHERE, np.int32)
        for place, table in self._tables.items():
            for key, row in table.items():
                if is_used[row]:
                    new_rows[row] = moved._table(place).row(key)
        return new_rows

    def _group(self, rows: tuple[int, ...]) -> Group:
        found = self._groups.get(rows)
        if found is None:
            found = self._groups[rows] = len(self._groups) + 1
            if found == len(self._rows):
                self._rows = np.concatenate([self._rows, np.full_like(self._rows, NOWHERE)])
            self._rows[found] = rows
        return found

    def _table(self, place: Place) -> LiveTable:
        found = self._tables.get(place)
        if found is None:
            found = self._tables[place] = LiveTable(self._shared)
        return found
