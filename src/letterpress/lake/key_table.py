"""Finds the rows of keys: a hash table in mapped files, which opens at once and is shared by processes.

A dictionary of a million keys takes a second and 150 MB to build in every worker. Here the slots lie on the
disk, filled when the snapshot is published; a compiled loop probes them and compares the whole key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.errors import StorageError
from letterpress.lake.text_column import Bytes, Ends, TextColumn, write_texts
from letterpress.machine_code import compile_loop

Slots = NDArray[np.uint32]

_OFFSET, _PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)  # FNV-1a, 64 bits
_HALF = np.uint64(32)
_FEWEST_SLOTS = 8


def slots_file(stem: str) -> str:
    """Name of the file that holds the table itself; the keys lie beside it."""
    return f"{stem}.slots.npy"


def _fill(text: Bytes, ends: Ends, slots: Slots) -> int:
    """Put every key in its slot, as row + 1; returns how many keys had been there before."""
    mask, repeated = np.uint64(slots.shape[0] - 1), 0
    for row in range(ends.shape[0] - 1):
        code = _OFFSET
        for place in range(ends[row], ends[row + 1]):
            code = (code ^ np.uint64(text[place])) * _PRIME
        slot = (code ^ (code >> _HALF)) & mask
        while slots[slot] != 0:
            other = slots[slot] - np.uint32(1)
            length = ends[row + 1] - ends[row]
            if ends[other + 1] - ends[other] == length:
                same = True
                for place in range(length):
                    if text[ends[other] + place] != text[ends[row] + place]:
                        same = False
                        break
                if same:
                    repeated += 1
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = np.uint32(row + 1)
    return repeated


def _probe(
    text: Bytes, ends: Ends, slots: Slots, wanted: Bytes, wanted_ends: Ends, rows: NDArray[np.int64]
) -> None:
    """Write into `rows` the row of each wanted key, or how many keys there are when it is not known."""
    mask, unknown = np.uint64(slots.shape[0] - 1), ends.shape[0] - 1
    for key in range(wanted_ends.shape[0] - 1):
        start, end = wanted_ends[key], wanted_ends[key + 1]
        code = _OFFSET
        for place in range(start, end):
            code = (code ^ np.uint64(wanted[place])) * _PRIME
        slot = (code ^ (code >> _HALF)) & mask
        rows[key] = unknown
        while slots[slot] != 0:
            row = slots[slot] - np.uint32(1)
            begin = ends[row]
            if ends[row + 1] - begin == end - start:
                same = True
                for place in range(end - start):
                    if text[begin + place] != wanted[start + place]:
                        same = False
                        break
                if same:
                    rows[key] = row
                    break
            slot = (slot + np.uint64(1)) & mask


def _mapped(values: Sequence[int], kind: Any) -> NDArray[Any]:
    """An array that may not be written, as mapped files are: the compiler tells the two apart."""
    array = np.array(values, kind)
    array.setflags(write=False)
    return array


def _try_fill(fill: Callable[..., Any]) -> None:
    text, ends = _mapped([97], np.uint8), _mapped([0, 1], np.int64)
    fill(text, ends, np.zeros(_FEWEST_SLOTS, np.uint32))


def _try_probe(probe: Callable[..., Any]) -> None:
    text, ends, slots = _mapped([], np.uint8), _mapped([0], np.int64), _mapped([0] * 8, np.uint32)
    probe(text, ends, slots, text, np.zeros(1, np.int64), np.zeros(0, np.int64))


def write_key_table(folder: Path, stem: str, keys: pa.ChunkedArray | pa.Array) -> None:
    """Write `keys`, in the order of their rows, and the table that finds them.

    Raises:
        StorageError: a key stands twice, so its row would be either of two.
    """
    write_texts(folder, stem, keys)
    column = TextColumn.open(folder, stem)
    n_slots = max(_FEWEST_SLOTS, 1 << (2 * max(len(column), 1) - 1).bit_length())
    slots: Slots = np.zeros(n_slots, np.uint32)
    repeated = compile_loop(_fill, _try_fill)(column.text, column.ends, slots)
    if repeated:
        raise StorageError(
            f"expected every key of {stem} once, found {repeated} of them again. Run `letterpress features`."
        )
    np.save(folder / slots_file(stem), slots)


class KeyTable:
    """Rows of keys. `len(table)` is the row that stands for every unknown key."""

    def __init__(self, keys: TextColumn, slots: Slots) -> None:
        self.keys = keys
        self._slots = slots
        self._probe = compile_loop(_probe, _try_probe)

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
        return find_each([(self, keys)])[0]

    def fill_rows(self, wanted: Bytes, ends: Ends, rows: NDArray[np.int64]) -> None:
        """Write into `rows` `(n,)` what `find` answers for the n keys in `wanted` that lie between `ends`."""
        self._probe(self.keys.text, self.keys.ends, self._slots, wanted, ends, rows)

    def find_all(self, other: TextColumn) -> NDArray[np.int64]:
        """The row of every text of `other`."""
        rows = np.empty(len(other), np.int64)
        self._probe(self.keys.text, self.keys.ends, self._slots, other.text, np.array(other.ends), rows)
        return rows


def find_each(wanted: Sequence[tuple[KeyTable, Sequence[str]]]) -> list[NDArray[np.int64]]:
    """What `find` answers for keys of several tables: they become bytes together, which is half the work."""
    keys = [key for _, some in wanted for key in some]
    text = "".join(keys)
    # As a rule a key has as many bytes as characters; where it has not, each is encoded by itself.
    lengths = map(len, keys) if text.isascii() else map(_count_bytes, keys)
    ends = np.fromiter(accumulate(lengths, initial=0), np.int64, len(keys) + 1)
    whole = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    rows = np.empty(len(keys), np.int64)
    found, start = [], 0
    for table, some in wanted:
        end = start + len(some)
        found.append(rows[start:end])
        table.fill_rows(whole, ends[start : end + 1], found[-1])
        start = end
    return found


def _count_bytes(key: str) -> int:
    return len(key.encode("utf-8", "surrogatepass"))
