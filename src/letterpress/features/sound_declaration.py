"""Whether what a recommender declares of its features can be computed: asked before any is made."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, get_args

from letterpress.recommenders import EvidenceRate, Recommender, Window

MEND = "correct its declaration in recommenders/ and run `letterpress features --list`."


def require_sound(recommender: Recommender, views: Collection[str], entities: Collection[str]) -> None:
    """Nothing, when all views, entities and numbers that `recommender` declares are such.

    Raises:
        ValueError: one is not; names what was expected, what was found, and what to run.
    """
    for view in recommender.feature_views:
        require_one_of(recommender, "view", view, views)
    for entity in recommender.evidence_entities:
        require_one_of(recommender, "entity to count by", entity, entities)
    for rate in recommender.evidence_rates:
        _require_sound_rate(recommender, rate)


def require_one_of(recommender: Recommender, what: str, found: str, known: Collection[str]) -> None:
    """Nothing, when `found` is one of the `known` names; `what` says of what.

    Raises:
        ValueError: it is none of them.
    """
    if found not in known:
        names = ", ".join(known) or "none, as it declares none"
        raise ValueError(f"expected the {what} of {recommender.name} among {names}, found {found!r}; {MEND}")


def _require_sound_rate(recommender: Recommender, rate: EvidenceRate) -> None:
    told = f"rate {rate.name} of {recommender.name}"
    _require_number(f"prior from 0 to 1 of {told}", rate.prior, least=0.0, most=1.0)
    _require_number(f"weight above 0 of {told}", rate.weight, above=0.0)
    _require_number(f"half-life in days above 0 of {told}", rate.half_life_days, above=0.0)
    for entity, windows in rate.windows:
        require_one_of(
            recommender, f"entity of the windows of {rate.name}", entity, recommender.evidence_entities
        )
        for window in windows:
            require_one_of(recommender, f"window of {rate.name}", window, get_args(Window))


def _require_number(
    what: str, found: Any, *, least: float = -math.inf, most: float = math.inf, above: float = -math.inf
) -> None:
    """Nothing, when it is a finite number in these bounds; whatever was written may stand there."""
    is_number = isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
    if not (is_number and least <= found <= most and found > above):
        raise ValueError(f"expected the {what}, found {found!r}; {MEND}")
