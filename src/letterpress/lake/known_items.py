"""The items that a snapshot knows of one recommender, by tenant: for retrieval and for their attributes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.errors import StorageError


class _Described(msgspec.Struct):
    tenants: list[str]
    item_ids: list[str]
    kinds: list[str]
    source_ids: list[str | None]
    labels: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class KnownItems:
    """Items sorted by (tenant, item_id); everything by row."""

    item_ids: list[str]
    kinds: list[str]
    source_ids: list[str | None]
    labels: list[dict[str, str]]
    attribute_names: tuple[str, ...]
    attributes: NDArray[np.float64]
    """(n_items, n_attributes), NaN where missing; mapped from the disk."""
    spans: dict[str, tuple[int, int]]
    """First row and end of each tenant."""
    _rows: dict[tuple[str, str], int]

    def __len__(self) -> int:
        return len(self.item_ids)

    def row(self, tenant: str, item_id: str) -> int | None:
        """The row of an item; None when it is not known."""
        return self._rows.get((tenant, item_id))

    def rows(self, tenant: str) -> range:
        """The rows of a tenant; empty when it is not known."""
        return range(*self.spans.get(tenant, (0, 0)))


def load_known_items(folder: Path, attribute_names: tuple[str, ...]) -> KnownItems:
    """The items in `folder`, as `items.keys` and `items.npy` hold them.

    Raises:
        StorageError: the two files do not fit each other.
    """
    described = msgspec.msgpack.decode((folder / "items.keys").read_bytes(), type=_Described)
    attributes = np.asarray(np.load(folder / "items.npy", mmap_mode="r"))
    if attributes.shape != (len(described.item_ids), len(attribute_names)):
        raise StorageError(
            f"expected {len(described.item_ids)} items with {len(attribute_names)} attributes in {folder}, "
            f"found {attributes.shape}. Run `letterpress features` to publish a new snapshot."
        )
    keys = list(zip(described.tenants, described.item_ids, strict=True))
    return KnownItems(
        item_ids=described.item_ids,
        kinds=described.kinds,
        source_ids=described.source_ids,
        labels=described.labels,
        attribute_names=attribute_names,
        attributes=attributes,
        spans=_spans(described.tenants),
        _rows=dict(zip(keys, range(len(keys)), strict=True)),
    )


def _spans(tenants: list[str]) -> dict[str, tuple[int, int]]:
    spans: dict[str, tuple[int, int]] = {}
    for row, tenant in enumerate(tenants):
        first, _ = spans.get(tenant, (row, row))
        spans[tenant] = (first, row + 1)
    return spans
