"""Weights by age have to prove themselves: the data ages, and later slates are ordered no worse with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.paired_bootstrap import Interval, paired_bootstrap
from letterpress.ranking.data_age import (
    MOST_SLATES,
    DataAge,
    measure_data_age,
    partition_scores,
    sampled_over_time,
    weigh_by_age,
)
from letterpress.ranking.item_cohorts import Cohort
from letterpress.ranking.rank_slates import ndcg_by
from letterpress.ranking.scorer import Scorer


class AgeTrial(NamedTuple):
    """What came of trying weights by age."""

    train: TrainingSet
    """What is to be learnt from, with weights where they proved themselves."""
    age: DataAge
    change: Interval | None
    """In NDCG on later slates by weights; None where there were none to try."""

    def as_numbers(self, cohorts: list[Cohort]) -> dict[str, Any]:
        """How fast what was learnt from becomes obsolete: numbers for the manifest and the card."""
        is_weighted = self.train.is_weighted
        return {
            **self.age.as_numbers(),
            "weights": "by age" if is_weighted else "uniform",
            "weights_change_ndcg": None if self.change is None else self.change.as_numbers(),
            "partitions": partition_scores(self.train, self.age),
            "cohorts": [each.as_numbers() for each in cohorts],
        }


def try_weights(
    train: TrainingSet,
    later: TrainingSet,
    fit: Callable[[TrainingSet], Scorer],
    *,
    k: int,
    seed: int,
) -> AgeTrial:
    """`train` with weights by age, where it is demonstrated that with them `fit` orders `later` better.

    Where no decay is demonstrated nothing is tried. Where it is, weights may still lose: slates that weigh
    little are missed, and features that follow what is counted do not age with what they once meant. At most
    20,000 slates, evenly over time, tell.

    Raises:
        NotEnoughDataError: as `fit` does.
    """
    age = measure_data_age(train)
    if not age.weighs:
        return AgeTrial(train, age, None)
    some = sampled_over_time(train, MOST_SLATES)
    ndcg = [ndcg_by(fit(part), later, k) for part in (some, weigh_by_age(some, age))]
    try:
        change = paired_bootstrap(ndcg[0], ndcg[1], later.campaign_codes, seed=seed)
    except NotEnoughDataError:  # nobody can tell whether they help
        return AgeTrial(train, age, None)
    return AgeTrial(weigh_by_age(train, age) if change.low > 0.0 else train, age, change)
