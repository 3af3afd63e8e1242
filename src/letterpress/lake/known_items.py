"""The items that a snapshot knows of one recommender, by tenant: for retrieval and for their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.errors import StorageError
from letterpress.lake.key_table import KeyTable
from letterpress.lake.snapshot_layout import KEY_SEPARATOR
from letterpress.lake.text_column import TextColumn

ITEMS = "items"
DESCRIBED = "items.described"
SPANS = "items.spans"


class ItemDescription(msgspec.Struct):
    """What is known of an item beside its numbers."""

    kind: str
    source_id: str | None = None
    labels: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class KnownItems:
    """Items sorted by (tenant, item_id); everything by row, read from mapped files when it is asked for."""

    table: KeyTable
    descriptions: TextColumn
    attributes: NDArray[np.float64]
    """(n_items, n_attributes), NaN where missing."""
    count_rows: NDArray[np.int64]
    """For every item its row in the counts by item."""
    spans: dict[str, tuple[int, int]]
    """First row and end of each tenant."""

    def __len__(self) -> int:
        return len(self.table)

    def find(self, tenant: str, item_ids: Sequence[str]) -> NDArray[np.int64]:
        """The row of each item, `len(self)` for one that is not known."""
        start = f"{tenant}{KEY_SEPARATOR}"
        return self.table.find([start + item_id for item_id in item_ids])

    def rows(self, tenant: str) -> range:
        """The rows of a tenant; empty when it is not known."""
        return range(*self.spans.get(tenant, (0, 0)))

    def item_id(self, row: int) -> str:
        return self.table.keys[row].partition(KEY_SEPARATOR)[2]

    def describe(self, row: int) -> ItemDescription:
        return _decoder.decode(self.descriptions.raw(row))


_decoder = msgspec.json.Decoder(ItemDescription)


def load_known_items(folder: Path, attribute_names: tuple[str, ...]) -> KnownItems:
    """The items in `folder`, whose files were verified before.

    Raises:
        StorageError: the files do not fit each other.
    """
    table = KeyTable.open(folder, ITEMS)
    items = KnownItems(
        table=table,
        descriptions=TextColumn.open(folder, DESCRIBED),
        attributes=np.asarray(np.load(folder / "items.npy", mmap_mode="r")),
        count_rows=np.asarray(np.load(folder / "items.count_rows.npy", mmap_mode="r")),
        spans=msgspec.msgpack.decode((folder / SPANS).read_bytes(), type=dict[str, tuple[int, int]]),
    )
    shapes = (items.attributes.shape, len(items.descriptions), items.count_rows.shape)
    if shapes != ((len(table), len(attribute_names)), len(table), (len(table),)):
        raise StorageError(
            f"expected {len(table)} items with {len(attribute_names)} attributes in {folder}, "
            f"found {shapes}. Run `letterpress features` to publish a new snapshot."
        )
    return items
