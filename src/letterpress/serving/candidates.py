"""Finds the items of a request: those it carries, or the tenant's own, with all that is known of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from letterpress.lake.known_items import ItemDescription
from letterpress.lake.snapshots import COUNT_NAMES, KnownItems, Snapshot
from letterpress.recommenders import Recommender
from letterpress.serving.messages import RankRequest, RequestItem
from letterpress.serving.problems import wrong_field

RETRIEVED_ITEMS = 200
"""Most items that are ranked when the request names none."""


_UNKNOWN = ItemDescription(kind="unknown")

LABEL_OF_KEYS = "enhancement"
"""The item label that is part of an entity's key."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items to rank, in the order of the request."""

    item_ids: list[str]
    attributes: NDArray[np.float64]
    """(n, attributes of the recommender), NaN where nothing is known."""
    labels: list[dict[str, str]]
    source_ids: list[str | None]
    """What each item was made from, as far as the request or the snapshot says."""


def gather_candidates(
    recommender: Recommender, snapshot: Snapshot, request: RankRequest, *, max_items: int
) -> Candidates:
    """The items to rank. What the request says of an item goes before what the snapshot knows.

    Raises:
        RequestProblemError: 422 for no items, too many, or one of them twice.
    """
    if request.items is None:
        return _retrieve(recommender, snapshot, request.tenant)
    items = request.items
    if not 1 <= len(items) <= max_items:
        raise wrong_field("items", f"items: expected 1 to {max_items} items, found {len(items)}.")
    item_ids = [item.item_id for item in items]
    if len(set(item_ids)) < len(item_ids):
        twice, _ = Counter(item_ids).most_common(1)[0]
        place = item_ids.index(twice, item_ids.index(twice) + 1)
        raise wrong_field(f"items[{place}].item_id", "items: expected every item once, found one twice.")
    return _describe(recommender, snapshot.items(recommender.name), request.tenant, items)


def _describe(
    recommender: Recommender, known: KnownItems, tenant: str, items: list[RequestItem]
) -> Candidates:
    """The items with all that is known; what the request describes in full is not looked up."""
    names = recommender.attributes
    check_labels = itemgetter(LABEL_OF_KEYS, *(label for label, _ in recommender.item_vocabularies))
    take_all = itemgetter(*names) if len(names) > 1 else _no_shortcut
    values: list[Sequence[float]] = []
    labels: list[dict[str, str]] = []
    sources = [item.source_id for item in items]
    for place, item in enumerate(items):
        try:
            check_labels(item.labels)
            values.append(take_all(item.attributes))  # all are given: in one go, in C
        except KeyError:
            pass
        else:
            labels.append(item.labels)
            continue
        row = int(known.find(tenant, [item.item_id])[0])
        is_known = row < len(known)
        base = known.attributes[row].tolist() if is_known else [math.nan] * len(names)
        values.append([item.attributes.get(name, base[at]) for at, name in enumerate(names)])
        described = known.describe(row) if is_known else _UNKNOWN
        labels.append(described.labels | item.labels if is_known else item.labels)
        sources[place] = item.source_id or described.source_id
    flat = np.fromiter(chain.from_iterable(values), np.float64, len(items) * len(names))
    attributes = flat.reshape(len(items), len(names))
    return Candidates([item.item_id for item in items], attributes, labels, sources)


def _no_shortcut(_attributes: dict[str, float]) -> Sequence[float]:
    raise KeyError


def _retrieve(recommender: Recommender, snapshot: Snapshot, tenant: str) -> Candidates:
    """The tenant's known items, those with the most of the popularity target first."""
    known = snapshot.items(recommender.name)
    rows = known.rows(tenant)
    if not rows:
        raise wrong_field(
            "items", "items: null asks for the tenant's known items, found none; send the items to rank."
        )
    counts = snapshot.item_counts(recommender.name, rows)
    target = recommender.target(recommender.popularity_target)
    best = np.argsort(-counts[:, COUNT_NAMES.index(target.numerator)], kind="stable")[:RETRIEVED_ITEMS]
    chosen = [rows[place] for place in best.tolist()]
    described = [known.describe(row) for row in chosen]
    return Candidates(
        [known.item_id(row) for row in chosen],
        np.asarray(known.attributes[chosen], np.float64),
        [each.labels for each in described],
        [each.source_id for each in described],
    )
