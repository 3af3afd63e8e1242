"""The feature views by name, and what a recommender's views make together: names, schema hash, values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from letterpress.features.campaign_view import campaign_view
from letterpress.features.columns import Columns
from letterpress.features.evidence_view import ENTITY_WORDS, evidence_view, rate_name
from letterpress.features.feature_view import Feature, FeatureView, Fill, MakeView
from letterpress.features.life import require_admitted
from letterpress.features.picture_fit_view import picture_fit_view
from letterpress.features.picture_view import attributes_view, picture_view
from letterpress.features.resiliency_view import resiliency_view
from letterpress.features.send_time_view import send_time_view
from letterpress.features.session_view import session_view
from letterpress.features.sound_declaration import require_sound
from letterpress.features.text_view import sentence_view, text_view
from letterpress.recommenders import Recommender

DEFINITIONS = 1
"""Raise this when a `fill` changes what it computes without its definitions saying so."""

VIEWS: dict[str, MakeView] = {
    "attributes": attributes_view,
    "campaign": campaign_view,
    "evidence": evidence_view,
    "picture": picture_view,
    "picture_fit": picture_fit_view,
    "resiliency": resiliency_view,
    "send_time": send_time_view,
    "sentence": sentence_view,
    "session": session_view,
    "text": text_view,
}


@dataclass(frozen=True, slots=True, eq=False)
class FeaturePlan:
    """The views of one recommender, laid side by side."""

    views: tuple[FeatureView, ...]
    features: tuple[Feature, ...]
    names: tuple[str, ...]
    schema_hash: str
    fills: tuple[tuple[int, int, Fill], ...]
    """First feature, end, and who writes them."""

    def compute(self, columns: Columns) -> NDArray[np.float32]:
        """Features `(n_rows, n_features)`; the one way in which they are computed."""
        out: NDArray[np.float32] = np.empty((len(self.names), columns.n_rows), np.float32)
        for first, end, fill in self.fills:
            fill(columns, out[first:end])
        out += 0.0  # a negative zero becomes zero: databases forget its sign
        return np.ascontiguousarray(out.T)


@lru_cache(maxsize=64)
def feature_plan(recommender: Recommender) -> FeaturePlan:
    """The plan of a recommender; made once. A hot path keeps it rather than ask again.

    Raises:
        ValueError: it lists a view that is not admitted, or a feature twice.
    """
    plan = trial_plan(recommender)
    require_admitted(recommender.name, recommender.feature_views, plan.names)
    return plan


@lru_cache(maxsize=64)
def trial_plan(recommender: Recommender) -> FeaturePlan:
    """The plan of a recommender that may list candidates: to try them, not to train or serve with.

    Raises:
        ValueError: it lists a feature twice, or one whose default is no number or whose source is unknown, or
            what it declares to count cannot be counted.
    """
    require_sound(recommender, VIEWS, ENTITY_WORDS)
    views = tuple(VIEWS[name](recommender) for name in recommender.feature_views)
    features = tuple(feature for view in views for feature in view.features)
    names = tuple(feature.name for feature in features)
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f"expected features of {recommender.name} declared once, found twice: {twice}; rename one in "
            "features/ and run `letterpress features --list`."
        )
    _require_numbers(recommender, features)
    ends = np.cumsum([len(view.features) for view in views]).tolist()
    fills = tuple((end - len(view.features), end, view.fill) for view, end in zip(views, ends, strict=True))
    return FeaturePlan(views, features, names, _hash(features), fills)


def _require_numbers(recommender: Recommender, features: tuple[Feature, ...]) -> None:
    for feature in features:
        if isinstance(feature.default, bool) or not isinstance(feature.default, int | float):
            raise ValueError(
                f"expected a number as the default of feature {feature.name} of {recommender.name}, found "
                f"{feature.default!r}; correct its declaration and run `letterpress features --list`."
            )


def _hash(features: tuple[Feature, ...]) -> str:
    lines = [f"{each.name} {each.dtype} {each.entity}: {each.definition}" for each in features]
    return hashlib.sha256("\n".join([f"definitions {DEFINITIONS}", *lines]).encode()).hexdigest()[:16]


def feature_names(recommender: Recommender) -> tuple[str, ...]:
    """The features of a recommender, in the order of their columns."""
    return feature_plan(recommender).names


def monotone_directions(recommender: Recommender) -> dict[str, int]:
    """1 or -1 by name, for the features of a recommender that are declared to raise or lower scores."""
    return {each.name: each.monotone for each in trial_plan(recommender).features if each.monotone}


def schema_hash(recommender: Recommender) -> str:
    """Sixteen hex digits over names, types and definitions: equal for builds that compute alike."""
    return feature_plan(recommender).schema_hash


def schema_hash_of(recommender: Recommender, names: tuple[str, ...]) -> str | None:
    """What the schema hash of these features would be as they are computed today; None where one is gone.

    Equal to the hash of an older schema, it says that all of them are still computed as they were.
    """
    features = {each.name: each for each in feature_plan(recommender).features}
    if not set(names) <= features.keys():
        return None
    return _hash(tuple(features[name] for name in names))


def compute_features(recommender: Recommender, columns: Columns) -> NDArray[np.float32]:
    """Features `(n_rows, n_features)` in the order of `feature_names`; NaN where missing."""
    return feature_plan(recommender).compute(columns)


def popularity_feature(recommender: Recommender) -> str:
    """The feature by which the popularity baseline ranks: the shrunken rate of its target, by item.

    >>> from letterpress.recommenders import get_recommender
    >>> popularity_feature(get_recommender("image_enhancement"))
    'item_choose_rate'
    """
    numerator = recommender.target(recommender.popularity_target).numerator
    rate = next(each for each in recommender.evidence_rates if each.numerator == numerator)
    return rate_name("item", rate)
