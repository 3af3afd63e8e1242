"""Takes away features that a tenant denied: the one function for requests and for rows of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from letterpress.features.feature_view import LABELS, Feature
from letterpress.features.views import VIEWS, feature_plan
from letterpress.recommenders import Recommender

OF_VIEW, OF_LABEL = "view:", "label:"

Deny = Mapping[str, tuple[str, ...]]
"""By tenant, names of features, `view:<name>` and `label:<name>`."""


def deny_features(recommender: Recommender, denied: Deny, tenant: str, features: NDArray[np.float32]) -> None:
    """Set what `tenant` denied to its default in `features` `(n, n_features)`, in place."""
    names = denied.get(tenant)
    if names:
        columns, defaults = denied_columns(recommender, names)
        features[:, columns] = defaults


def deny_rows(
    recommender: Recommender, denied: Deny, tenants: Sequence[str], features: NDArray[np.float32]
) -> None:
    """The same where every row has a tenant of its own."""
    if not denied:
        return
    owners = np.asarray(tenants, dtype=object)
    for tenant in denied:
        rows = np.flatnonzero(owners == tenant)
        if len(rows):
            chosen = features[rows]
            deny_features(recommender, denied, tenant, chosen)
            features[rows] = chosen


@lru_cache(maxsize=1024)
def denied_columns(
    recommender: Recommender, names: tuple[str, ...]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The columns that `names` mean, and what each feature is when nothing is known."""
    plan = feature_plan(recommender)
    placed = [(view.name, feature) for view in plan.views for feature in view.features]
    columns = [at for at, (view, feature) in enumerate(placed) if _is_denied(view, feature, names)]
    defaults = np.array([plan.features[at].default for at in columns], np.float32)
    return np.array(columns, np.intp), defaults


def _is_denied(view: str, feature: Feature, names: tuple[str, ...]) -> bool:
    meant = {feature.name, f"{OF_VIEW}{view}", *(f"{OF_LABEL}{label}" for label in feature.sensitivity)}
    return not meant.isdisjoint(names)


def unknown_names(recommenders: Sequence[Recommender], names: Sequence[str]) -> list[str]:
    """Those of `names` that mean no feature of any recommender."""
    known = {f"{OF_VIEW}{view}" for view in VIEWS} | {f"{OF_LABEL}{label}" for label in LABELS}
    known |= {name for each in recommenders for name in feature_plan(each).names}
    return [name for name in names if name not in known]
