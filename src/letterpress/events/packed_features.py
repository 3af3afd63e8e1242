"""Feature vectors as bytes: a third of what the same numbers take as decimals (ADR 0032).

A model sees float32. As decimals each of them needs the 17 digits of the double that it is read back as.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from letterpress.events.types import ShownItem

_KIND = np.dtype("<f4")


def pack_features(rows: NDArray[np.float32]) -> list[bytes]:
    """Each row of `(n, n_features)` as `ShownItem.packed_features`."""
    whole, width = rows.astype(_KIND, copy=False).tobytes(), rows.shape[1] * _KIND.itemsize
    return [whole[start : start + width] for start in range(0, rows.shape[0] * width, width)]


def unpack_features(packed: bytes) -> NDArray[np.float32]:
    """The numbers `(n_features,)`; NaN is missing.

    >>> unpack_features(pack_features(np.array([[0.1, np.nan]], np.float32))[0]).tolist()
    [0.10000000149011612, nan]
    """
    return np.frombuffer(packed, _KIND)


def features_of(item: ShownItem) -> list[float | None] | None:
    """What the model saw of an item, however it was logged; None where it was not.

    An infinity is missing, too: JSON has none, so raw never had one.
    """
    if item.packed_features is None:
        return item.features
    numbers = unpack_features(item.packed_features).tolist()
    return [number if math.isfinite(number) else None for number in numbers]


def find_torn(items: Sequence[ShownItem]) -> int | None:
    """The place of the first item whose bytes are no whole numbers; None when all are well."""
    for place, item in enumerate(items):
        if item.packed_features is not None and len(item.packed_features) % _KIND.itemsize:
            return place
    return None
