"""Finds keys of several tables, and their counts, in one call of machine code. Importing it imports numba.

A processor waits for memory where each step needs the one before. So the slots, the ends and the texts of
many keys are asked for before the first is compared: their cache misses then overlap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

from letterpress.lake.text_column import Bytes, Ends

Rows = NDArray[np.int64]

TEXT, ENDS, SLOTS, N_SLOTS, N_KEYS, COUNTS, IS_HALF = range(7)
"""Columns of `tables`: addresses of mapped arrays, and what must be known of them."""

_OFFSET, _PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)  # FNV-1a, 64 bits
_HALF = np.uint64(32)
_AT_ONCE = 128


def _pointer_to(kind: Any) -> Any:
    """What turns an address into a pointer to values of `kind`.

    An array as an argument costs about a microsecond when it may not be written, as mapped ones may not.
    """

    @intrinsic  # type: ignore[untyped-decorator] # numba ships no types
    def pointer(_typing: Any, _address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(kind)(types.int64), generate

    return pointer


_bytes_at, _slots_at = _pointer_to(types.uint8), _pointer_to(types.uint32)
_halves_at, _wholes_at = _pointer_to(types.int32), _pointer_to(types.int64)


@register_jitable  # type: ignore[untyped-decorator] # numba ships no types
def first_slot(text: Bytes, start: int, end: int, mask: np.uint64) -> np.uint64:
    """The slot at which the search for the key in `text` from `start` to `end` begins."""
    code = _OFFSET
    for place in range(start, end):
        code = (code ^ np.uint64(text[place])) * _PRIME
    return (code ^ (code >> _HALF)) & mask


@register_jitable  # type: ignore[untyped-decorator] # numba ships no types
def is_same(text: Bytes, begin: int, end: int, other: Bytes, other_begin: int, other_end: int) -> bool:
    """Whether two keys have the same bytes."""
    if end - begin != other_end - other_begin:
        return False
    for place in range(end - begin):  # noqa: SIM110 - a generator is not compiled
        if text[begin + place] != other[other_begin + place]:
            return False
    return True


@register_jitable  # type: ignore[untyped-decorator] # numba ships no types
def _touch(text: Bytes, ends: Ends, slots: NDArray[np.uint32], places: Any, touched: Bytes, n: int) -> None:
    """Read a byte of the first candidate of `n` keys; no key waits for another."""
    for key in range(n):
        row = slots[places[key]]
        touched[key] = text[ends[row - 1]] if row != 0 and ends[row] > ends[row - 1] else 0


@register_jitable  # type: ignore[untyped-decorator] # numba ships no types
def _find(table: Any, wanted: Bytes, wanted_ends: Ends, rows: Rows, start: int, stop: int) -> None:
    """Write into `rows` the row of each key from `start` to `stop`, or how many there are when unknown."""
    n_keys = table[N_KEYS]
    ends = carray(_wholes_at(table[ENDS]), (n_keys + 1,))
    text = carray(_bytes_at(table[TEXT]), (ends[n_keys],))
    slots = carray(_slots_at(table[SLOTS]), (table[N_SLOTS],))
    mask = np.uint64(table[N_SLOTS] - 1)
    places, touched = np.empty(_AT_ONCE, np.uint64), np.empty(_AT_ONCE, np.uint8)
    for first in range(start, stop, _AT_ONCE):
        last = min(first + _AT_ONCE, stop)
        for key in range(first, last):
            places[key - first] = first_slot(wanted, wanted_ends[key], wanted_ends[key + 1], mask)
        _touch(text, ends, slots, places, touched, last - first)
        for key in range(first, last):
            place, begin, end = places[key - first], wanted_ends[key], wanted_ends[key + 1]
            row = np.int64(slots[place])
            while row != 0 and not is_same(text, ends[row - 1], ends[row], wanted, begin, end):
                place = (place + np.uint64(1)) & mask
                row = np.int64(slots[place])
            rows[key] = row - 1 if row != 0 else n_keys


@register_jitable  # type: ignore[untyped-decorator] # numba ships no types
def _copy(table: Any, rows: Rows, counts: NDArray[np.int64], start: int, stop: int) -> None:
    """Write into `counts` those of each key from `start` to `stop`."""
    shape = (table[N_KEYS] + 1, counts.shape[1])
    if table[IS_HALF]:
        _copy_rows(carray(_halves_at(table[COUNTS]), shape), rows, counts, start, stop)
    else:
        _copy_rows(carray(_wholes_at(table[COUNTS]), shape), rows, counts, start, stop)


@register_jitable  # type: ignore[untyped-decorator] # numba ships no types
def _copy_rows(known: NDArray[Any], rows: Rows, counts: NDArray[np.int64], start: int, stop: int) -> None:
    """Copy a few columns of every key first, so that no row waits for the memory of the one before."""
    width = counts.shape[1]
    for key in range(start, stop):
        for column in (0, width // 2, width - 1):
            counts[key, column] = known[rows[key], column]
    for key in range(start, stop):
        for column in range(width):
            counts[key, column] = known[rows[key], column]


def search_tables(
    tables: NDArray[np.int64],
    bounds: NDArray[np.int64],
    wanted: Bytes,
    ends: Ends,
    rows: Rows,
    counts: NDArray[np.int64],
) -> None:
    """Write into `rows` `(n_keys,)` where each key stands, into `counts` `(n_keys, width)` what stands there.

    Keys from `bounds[i]` to `bounds[i + 1]` are looked for in the table that row i of `tables` describes.
    With a width of 0 only rows are found.
    """
    for number in range(tables.shape[0]):
        _find(tables[number], wanted, ends, rows, bounds[number], bounds[number + 1])
    if counts.shape[1]:
        for number in range(tables.shape[0]):
            _copy(tables[number], rows, counts, bounds[number], bounds[number + 1])


def fill_slots(text: Bytes, ends: Ends, slots: NDArray[np.uint32]) -> int:
    """How many keys had been there before; every key is put in its slot, as row + 1."""
    mask, repeated = np.uint64(slots.shape[0] - 1), 0
    for row in range(ends.shape[0] - 1):
        place = first_slot(text, ends[row], ends[row + 1], mask)
        while slots[place] != 0:
            other = np.int64(slots[place])
            repeated += is_same(text, ends[other - 1], ends[other], text, ends[row], ends[row + 1])
            place = (place + np.uint64(1)) & mask
        slots[place] = np.uint32(row + 1)
    return repeated
