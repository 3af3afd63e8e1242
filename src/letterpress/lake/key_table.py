"""Finds the rows of keys: a hash table in mapped files, which opens at once and is shared by processes.

A dictionary of a million keys takes a second and 150 MB to build in every worker. Here the slots lie on the
disk, filled when the snapshot is published; a compiled loop probes them and compares the whole key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.errors import StorageError
from letterpress.lake.text_column import Bytes, Ends, TextColumn, write_texts
from letterpress.machine_code import compile_loop

Slots = NDArray[np.uint32]

_FEWEST_SLOTS = 8


def slots_file(stem: str) -> str:
    """Name of the file that holds the table itself; the keys lie beside it."""
    return f"{stem}.slots.npy"


def _mapped(values: Sequence[int], kind: Any) -> NDArray[Any]:
    """An array that may not be written, as mapped files are: the compiler tells the two apart."""
    array = np.array(values, kind)
    array.setflags(write=False)
    return array


def _try_fill(fill: Callable[..., Any]) -> None:
    text, ends = _mapped([97], np.uint8), _mapped([0, 1], np.int64)
    fill(text, ends, np.zeros(_FEWEST_SLOTS, np.uint32))


def _try_search(search: Callable[..., Any]) -> None:
    tables, none = np.zeros((0, 1), np.int64), np.zeros(0, np.int64)
    for text in (_mapped([], np.uint8), np.zeros(0, np.uint8)):
        search(tables, none, text, none, none, np.zeros((0, 0), np.int64))


def _compiled_fill() -> Callable[..., Any]:
    from letterpress.lake.key_search import fill_slots

    return compile_loop(fill_slots, _try_fill)


def _compiled_search() -> Callable[..., Any]:
    from letterpress.lake.key_search import search_tables

    return compile_loop(search_tables, _try_search)


def write_key_table(folder: Path, stem: str, keys: pa.ChunkedArray | pa.Array) -> None:
    """Write `keys`, in the order of their rows, and the table that finds them.

    Raises:
        StorageError: a key stands twice, so its row would be either of two.
    """
    write_texts(folder, stem, keys)
    column = TextColumn.open(folder, stem)
    n_slots = max(_FEWEST_SLOTS, 1 << (2 * max(len(column), 1) - 1).bit_length())
    slots: Slots = np.zeros(n_slots, np.uint32)
    repeated = _compiled_fill()(column.text, column.ends, slots)
    if repeated:
        raise StorageError(
            f"expected every key of {stem} once, found {repeated} of them again. Run `letterpress features`."
        )
    np.save(folder / slots_file(stem), slots)


class KeyTable:
    """Rows of keys. `len(table)` is the row that stands for every unknown key."""

    def __init__(self, keys: TextColumn, slots: Slots) -> None:
        self.keys = keys
        self.slots = slots
        self._search = KeySearch([(self, None)])

    @classmethod
    def open(cls, folder: Path, stem: str) -> KeyTable:
        """Raises StorageError when the files do not fit each other."""
        keys = TextColumn.open(folder, stem)
        slots = np.asarray(np.load(folder / slots_file(stem), mmap_mode="r"))
        size = len(slots)
        if size < 2 * len(keys) or size & (size - 1) or len(keys.text) != keys.ends[-1]:
            raise StorageError(
                f"expected a table of {len(keys)} keys in {folder / slots_file(stem)}, found one of {size} "
                "slots. Run `letterpress features` to publish a new snapshot."
            )
        return cls(keys, slots)

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: Sequence[str]) -> NDArray[np.int64]:
        """The row of each key, `len(self)` for one that is not known."""
        return self._search.find([keys])[0]

    def find_all(self, other: TextColumn) -> NDArray[np.int64]:
        """The row of every text of `other`."""
        return self._search.find_bytes(other.text, np.array(other.ends), [len(other)])[0]

    def describe(self, counts: NDArray[np.integer] | None) -> list[int]:
        """A row of `tables` for `search_tables`: what machine code reads of this table and its counts.

        Raises:
            StorageError: an array is not of the kind that it must be, so its bytes would be misread.
        """
        text, ends, slots = self.keys.text, self.keys.ends, self.slots
        is_half = counts is not None and counts.dtype == np.int32
        places = [_address_of(text, np.uint8), _address_of(ends, np.int64), _address_of(slots, np.uint32)]
        counted = 0 if counts is None else _address_of(counts, np.int32 if is_half else np.int64)
        return [*places, len(slots), len(self), counted, int(is_half)]


class KeySearch:
    """Finds keys of several tables with one call of machine code, which costs as much as many keys."""

    def __init__(self, tables: Sequence[tuple[KeyTable, NDArray[np.integer] | None]]) -> None:
        # What is described by its address must not go away; the tables themselves would hold this in turn.
        self._held = [(table.keys, table.slots, counts) for table, counts in tables]
        described = [table.describe(counts) for table, counts in tables]
        self._tables = np.array(described, np.int64) if described else np.zeros((0, 0), np.int64)
        self._search = _compiled_search()

    def find(self, wanted: Sequence[Sequence[str]]) -> list[NDArray[np.int64]]:
        """Of each table the rows of the keys that are `wanted` of it."""
        return self.find_bytes(*_bytes_of(wanted), [len(some) for some in wanted])

    def find_bytes(self, wanted: Bytes, ends: Ends, sizes: Sequence[int]) -> list[NDArray[np.int64]]:
        """The same of keys in `wanted` that lie between `ends`, `sizes` of them a table."""
        bounds = _bounds_of(sizes)
        rows = np.empty(bounds[-1], np.int64)
        none = np.empty((len(rows), 0), np.int64)
        self._search(self._tables, np.array(bounds, np.int64), wanted, ends, rows, none)
        return [rows[start:end] for start, end in pairwise(bounds)]

    def counts(self, wanted: Sequence[Sequence[str]], width: int) -> list[NDArray[np.int64]]:
        """Of each table the counts (n_keys, width) of the keys that are `wanted` of it."""
        text, ends = _bytes_of(wanted)
        bounds = _bounds_of([len(some) for some in wanted])
        rows, counts = np.empty(bounds[-1], np.int64), np.empty((bounds[-1], width), np.int64)
        self._search(self._tables, np.array(bounds, np.int64), text, ends, rows, counts)
        return [counts[start:end] for start, end in pairwise(bounds)]


def _address_of(array: NDArray[Any], kind: Any) -> int:
    if array.dtype != kind or not array.flags.c_contiguous:
        raise StorageError(
            f"expected {np.dtype(kind)} in a row in a file of the snapshot, found {array.dtype}. "
            "Run `letterpress features` to publish a new snapshot."
        )
    return int(array.ctypes.data)


def _bounds_of(sizes: Sequence[int]) -> list[int]:
    return list(accumulate(sizes, initial=0))


def _bytes_of(wanted: Sequence[Sequence[str]]) -> tuple[Bytes, Ends]:
    """All keys as bytes, and where each begins and the last one ends."""
    keys = [key for some in wanted for key in some]
    text = "".join(keys)
    # As a rule a key has as many bytes as characters; where it has not, each is encoded by itself.
    lengths = map(len, keys) if text.isascii() else map(_count_bytes, keys)
    ends = np.fromiter(accumulate(lengths, initial=0), np.int64, len(keys) + 1)
    # Bytes that may be written, because numba knows the kind of such an array at once.
    return np.frombuffer(bytearray(text.encode("utf-8", "surrogatepass")), np.uint8), ends


def _count_bytes(key: str) -> int:
    return len(key.encode("utf-8", "surrogatepass"))
