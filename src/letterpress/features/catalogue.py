"""Every declared feature once, with the recommenders that use it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from letterpress.features.feature_view import Feature
from letterpress.features.life import CANDIDATES
from letterpress.features.views import VIEWS, feature_plan
from letterpress.recommenders import Recommender


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One feature. Where two recommenders compute a name differently, there are two entries of it."""

    view: str
    feature: Feature
    recommenders: tuple[str, ...]
    """Those that use it, in the order of their declaration."""


def list_features(recommenders: Iterable[Recommender]) -> list[CatalogueEntry]:
    """The features of all `recommenders`, in the order in which the first of them declares each."""
    users: dict[tuple[str, Feature], list[str]] = {}
    for recommender in recommenders:
        for view in feature_plan(recommender).views:
            for feature in view.features:
                users.setdefault((view.name, feature), []).append(recommender.name)
    return [CatalogueEntry(view, feature, tuple(names)) for (view, feature), names in users.items()]


def unused_views(recommenders: Iterable[Recommender]) -> list[str]:
    """Views that are admitted and that no one of `recommenders` lists."""
    return sorted(set(VIEWS) - CANDIDATES - {name for each in recommenders for name in each.feature_views})
