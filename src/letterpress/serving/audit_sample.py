"""What a request says of its items: logged with some slates, so that their features can be recomputed."""

from __future__ import annotations

from collections.abc import Sequence

from letterpress.events.codec import encoder
from letterpress.events.personal_data import may_hold_contact
from letterpress.events.types import DescribedItem
from letterpress.ranking.exploration import SEED_BITS
from letterpress.recommenders import Recommender
from letterpress.serving.candidates import LABEL_OF_KEYS
from letterpress.serving.messages import RequestItem

_SCRAMBLE = 0x9E3779B97F4A7C15
"""An odd number that spreads seeds: small ones are explored, and the sample must not be just those."""


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
    return None if may_hold_contact(encoder.encode(texts)) else described
