"""Whether data can teach a ranker: what would give a model that looks fine and knows nothing is refused."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.recommenders import Recommender


def require_teachable(train: TrainingSet, recommender: Recommender, *, has_slates: bool) -> None:
    """Refuse data that would give a model that looks fine and knows nothing.

    Raises:
        NotEnoughDataError: too few slates or campaigns, nothing clicked, equal labels, single items, or no
            feature that tells items apart.
    """
    name = recommender.name
    train.require(recommender.gates.min_training_slates, f"train {name} on")
    if not (train.clicks > 0).any():
        raise NotEnoughDataError(
            f"{name}: expected clicks to learn from, found none in {len(train)} slates; wait for outcomes."
        )
    if np.ptp(train.gains) == 0:
        raise NotEnoughDataError(
            f"{name}: expected gains that differ, found {train.gains[0]:.4g} in all {train.rows} rows; "
            "check the declared targets against the log."
        )
    if not _has_a_telling_feature(train.features):
        raise NotEnoughDataError(
            f"{name}: expected features that differ between items, found every one of "
            f"{train.features.shape[1]} constant or missing; see what is known of them with "
            "`letterpress features --list`."
        )
    if has_slates:
        _require_comparisons(train, name)


def require_gains(valid: TrainingSet, recommender: Recommender) -> None:
    """Refuse slates that cannot tell when to stop.

    Raises:
        NotEnoughDataError: nothing in them gained.
    """
    if not (valid.gains > 0).any():
        raise NotEnoughDataError(
            f"{recommender.name}: expected gains in the {len(valid)} slates that tell when to stop, found "
            "none; collect more of the log."
        )


def _has_a_telling_feature(features: NDArray[np.float32]) -> bool:
    """Whether any column has two values, a missing one among them; column by column, as most stop at once."""
    return any(bool((column != column[0]).any() and not np.isnan(column).all()) for column in features.T)


def _require_comparisons(train: TrainingSet, name: str) -> None:
    campaigns = len(np.unique(train.campaign_codes))
    if campaigns < 2:
        raise NotEnoughDataError(
            f"{name}: expected slates of several campaigns, found {campaigns}; collect more campaigns."
        )
    if int(train.group_sizes.max()) < 2:
        raise NotEnoughDataError(
            f"{name}: expected slates of several items, found one item in each of {len(train)}; declare "
            "judge='snips' for a log of single slots."
        )
