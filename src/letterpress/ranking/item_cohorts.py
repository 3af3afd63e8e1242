"""Why a model still trains on old items: what each cohort of them, by age, brings to the newest slates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.paired_bootstrap import Interval, paired_bootstrap
from letterpress.ranking.data_age import ages_in_days, sampled_over_time
from letterpress.ranking.rank_slates import ndcg_by
from letterpress.ranking.scorer import Scorer

Floats = NDArray[np.float64]
Fit = Callable[[TrainingSet], Scorer]
EDGES_DAYS = (1, 7, 28, 90, 365)
MOST_SLATES = 3_000
"""Slates that are learnt from anew without each cohort, evenly over time: an answer, not another model."""


class Cohort(NamedTuple):
    """Items that were first shown so many days before the newest slate."""

    youngest_days: int
    oldest_days: int | None
    """None: no end."""
    items: int
    rows: int
    share: float
    """Of the rows that are trained on."""
    change: Interval | None
    """In NDCG on later slates if the cohort was dropped; None where it cannot be told."""

    @property
    def label(self) -> str:
        """`1 to 7 days`."""
        if self.oldest_days is None:
            return f"{self.youngest_days} days and more"
        return f"{self.youngest_days} to {self.oldest_days} days"

    def as_numbers(self) -> dict[str, Any]:
        return {
            "age": self.label,
            "items": self.items,
            "rows": self.rows,
            "share": round(self.share, 6),
            "ndcg_change": None if self.change is None else self.change.as_numbers(),
        }


def cohorts_by_age(train: TrainingSet, later: TrainingSet, fit: Fit, *, k: int, seed: int) -> list[Cohort]:
    """The cohorts of the items of `train`, the youngest first, each dropped in turn and judged on `later`.

    With and without a cohort, `fit` is asked anew, so that nothing but its rows differs.
    """
    cohorts = _cohorts_of(_ages_of_items(train))
    of_rows = cohorts[train.item_codes]
    codes = np.unique(of_rows).tolist()
    some = sampled_over_time(train, MOST_SLATES)
    changes = _changes(some, cohorts[some.item_codes], later, fit, k=k, seed=seed)
    return [
        Cohort(
            youngest_days=(0, *EDGES_DAYS)[code],
            oldest_days=(*EDGES_DAYS, None)[code],
            items=len(np.unique(train.item_codes[of_rows == code])),
            rows=int((of_rows == code).sum()),
            share=float((of_rows == code).mean()),
            change=changes.get(code),
        )
        for code in codes
    ]


def _ages_of_items(train: TrainingSet) -> Floats:
    """How many days before the newest slate each item was first shown, by its code."""
    ages = np.zeros(int(train.item_codes.max()) + 1)
    np.maximum.at(ages, train.item_codes, np.repeat(ages_in_days(train), train.group_sizes))
    return ages


def _cohorts_of(ages: Floats) -> NDArray[np.int64]:
    """Which span of `EDGES_DAYS` each age falls in."""
    return np.searchsorted(np.array(EDGES_DAYS, np.float64), ages, side="right").astype(np.int64)


def _changes(
    train: TrainingSet, of_rows: NDArray[np.int64], later: TrainingSet, fit: Fit, *, k: int, seed: int
) -> dict[int, Interval]:
    """What becomes of NDCG without each cohort; empty where there is but one: nothing is left without it."""
    codes = np.unique(of_rows).tolist()
    if len(codes) < 2:
        return {}
    whole = ndcg_by(fit(train), later, k)
    found = {}
    for code in codes:
        without = ndcg_by(fit(train.take_rows(of_rows != code)), later, k)
        try:
            found[code] = paired_bootstrap(whole, without, later.campaign_codes, seed=seed)
        except NotEnoughDataError:  # later slates are of too few campaigns
            continue
    return found
