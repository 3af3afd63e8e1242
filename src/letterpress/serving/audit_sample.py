"""What a request says of its items: logged with some slates, so that their features can be recomputed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from letterpress.events.codec import encoder
from letterpress.events.personal_data import mask_text, may_hold_contact
from letterpress.events.types import DescribedItem
from letterpress.ranking.exploration import SEED_BITS
from letterpress.recommenders import Recommender
from letterpress.serving.candidates import LABEL_OF_KEYS
from letterpress.serving.messages import RequestItem

_HOUR_SECONDS = 3600
_SCRAMBLE = 0x9E3779B97F4A7C15
"""An odd number that spreads seeds: small ones are explored, and the sample must not be just those."""


class AuditSample:
    """Which slates of a worker are audited: each recommender's first of every hour, a share of the others."""

    def __init__(self, share: float, vectors_per_hour: int) -> None:
        self._share, self._wanted = share, vectors_per_hour
        self._hour = -1
        self._taken: dict[str, int] = {}

    def takes(self, recommender: str, seed: int, shown_at: datetime, vectors: int) -> bool:
        """Whether a slate of so many items is; with few slates a share of them would be next to none."""
        hour = int(shown_at.timestamp()) // _HOUR_SECONDS
        if hour != self._hour:
            self._hour = hour
            self._taken.clear()
        taken = self._taken.get(recommender, 0)
        if taken < self._wanted:
            self._taken[recommender] = taken + vectors
            return True
        return is_sampled(seed, self._share)


def is_sampled(seed: int, share: float) -> bool:
    """Whether a slate is among the `share` that are audited; known from its seed alone.

    >>> sum(is_sampled(seed << 40, 0.25) for seed in range(10_000)) // 100
    25
    """
    return (seed * _SCRAMBLE) % (1 << SEED_BITS) < share * (1 << SEED_BITS)


def describe_items(
    recommender: Recommender, items: Sequence[RequestItem] | None, shown: Sequence[str]
) -> list[DescribedItem] | None:
    """What the request said of the items in `shown`, in that order; those it only named are left out.

    None when a text could hold a contact: such a slate stays out of the sample, as nothing of this is masked.
    """
    given = {item.item_id: item for item in items or ()}
    labels = {LABEL_OF_KEYS, *(name for name, _ in recommender.item_vocabularies), recommender.text_label}
    described = [
        DescribedItem(
            item_id=item_id,
            attributes={k: v for k, v in given[item_id].attributes.items() if k in recommender.attributes},
            labels={k: v for k, v in given[item_id].labels.items() if k in labels},
        )
        for item_id in shown
        if item_id in given
    ]
    described = [each for each in described if each.attributes or each.labels]
    texts = [each.labels for each in described]
    return None if may_hold_contact(encoder.encode(texts)) and _holds_contact(texts) else described


def _holds_contact(texts: Sequence[Mapping[str, str]]) -> bool:
    """Whether anything in `texts` would be masked: any sign beyond ASCII, and `%`, asks for a closer look."""
    found: Counter[str] = Counter()
    for each in texts:
        for text in each.values():
            mask_text(text, lambda: b"", found)
    return bool(found)
