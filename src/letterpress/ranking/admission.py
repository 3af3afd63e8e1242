"""Tries a view that is not admitted: does it leak, is it there, what does it cost, does it help?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.classification import auc
from letterpress.evaluation.paired_bootstrap import Interval, paired_bootstrap
from letterpress.features import columns_for_batch
from letterpress.features.views import trial_plan
from letterpress.ranking.rank_slates import ndcg_by
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.train_ranker import train_ranker
from letterpress.recommenders import Recommender

LEARNT_FROM = (
    "chosen",
    "delivered",
    "opened",
    "clicked",
    "converted",
    "unsubscribed",
    "bounced",
    "email_score",
    "position",
)
"""Columns of the training examples that say what became of a row, or what the log made of it."""
MOST_AUC, LEAST_COVERAGE, MOST_MICROSECONDS = 0.95, 0.5, 60.0
ROWS_ALONE, ROWS_OF_A_REQUEST, TIMES = 200, 24, 400


@dataclass(frozen=True, slots=True)
class Check:
    """One test of a view."""

    name: str
    passed: bool
    found: str
    wanted: str


def with_view(recommender: Recommender, view: str) -> Recommender:
    """The recommender as it would be if it listed `view` as well."""
    views = tuple(each for each in recommender.feature_views if each != view)
    return replace(recommender, feature_views=(*views, view))


def compute_trial(recommender: Recommender, table: pa.Table) -> NDArray[np.float32]:
    """Features `(n, n_features)` of a recommender that lists a candidate last."""
    return trial_plan(recommender).compute(columns_for_batch(recommender, table))


def new_columns(recommender: Recommender) -> slice:
    """Where the features of the view that is listed last stand."""
    plan = trial_plan(recommender)
    return slice(len(plan.names) - len(plan.views[-1].features), len(plan.names))


def check_known_at(recommender: Recommender, rows: pa.Table) -> Check:
    """Whether values stay the same without what is learnt from, and alone as among other rows."""
    rows = rows.slice(0, ROWS_ALONE)
    together = compute_trial(recommender, rows)
    blind = compute_trial(
        recommender, rows.drop_columns([each for each in LEARNT_FROM if each in rows.column_names])
    )
    alone = np.concatenate([compute_trial(recommender, rows.slice(at, 1)) for at in range(rows.num_rows)])
    seen, others = together.tobytes() != blind.tobytes(), together.tobytes() != alone.tobytes()
    found = ["changes without what is learnt from"] * seen + ["depends on other rows"] * others
    wanted = "the same values without labels, and alone"
    return Check("known at the time", not found, " and ".join(found) or "the same values", wanted)


def check_single_features(recommender: Recommender, split: Split) -> Check:
    """Whether some feature tells by itself which items gained: then it knows what comes after."""
    names = trial_plan(recommender).names
    columns = range(*new_columns(recommender).indices(len(names)))
    hits = (split.train.gains > 0).astype(np.int64)
    worst, name = 0.5, names[columns[0]]
    for column in columns:
        values = split.train.features[:, column]
        known = ~np.isnan(values)
        if 0 < hits[known].sum() < known.sum():
            found = auc(values[known], hits[known])
            if max(found, 1 - found) > worst:
                worst, name = max(found, 1 - found), names[column]
    return Check(
        "no single feature knows", worst <= MOST_AUC, f"AUC {worst:.3f} of {name}", f"at most {MOST_AUC}"
    )


def check_coverage(recommender: Recommender, features: NDArray[np.float32]) -> Check:
    """Whether each new one of `features` is known in enough rows, and is not the same in all of them."""
    names, found = trial_plan(recommender).names, []
    lowest = 1.0
    for column in range(*new_columns(recommender).indices(len(names))):
        values = features[:, column]
        known = values[~np.isnan(values)]
        lowest = min(lowest, len(known) / max(1, len(values)))
        if len(known) and known.min() == known.max():
            found.append(f"{names[column]} is always {known[0]:g}")
    told = "; ".join([f"known in {lowest:.1%} at least", *found])
    wanted = f"known in {LEAST_COVERAGE:.0%}, and not constant"
    return Check("coverage", lowest >= LEAST_COVERAGE and not found, told, wanted)


def check_cost(recommender: Recommender, rows: pa.Table) -> Check:
    """What the view adds to the features of one request; the median of many."""
    columns = columns_for_batch(recommender, rows.slice(0, ROWS_OF_A_REQUEST))
    view = trial_plan(recommender).views[-1]
    out = np.empty((len(view.features), columns.n_rows), np.float32)
    microseconds = _median_seconds(lambda: view.fill(columns, out)) * 1e6
    return Check(
        "cost of a request",
        microseconds <= MOST_MICROSECONDS,
        f"{microseconds:.1f} us for {columns.n_rows} items",
        f"at most {MOST_MICROSECONDS:g} us",
    )


def _median_seconds(step: Callable[[], None]) -> float:
    spent = []
    for _ in range(TIMES):
        started = time.perf_counter()
        step()
        spent.append(time.perf_counter() - started)
    return float(np.median(spent))


def check_ablation(
    recommender: Recommender, split: Split, *, seed: int, threads: int
) -> tuple[Check, Interval]:
    """NDCG with the view less that without it, on the same test slates; an interval by campaigns.

    Raises:
        NotEnoughDataError: the data cannot teach a ranker, or holds too few campaigns.
    """
    without = Split(*(_without(part, new_columns(recommender)) for part in split))
    ndcg = [_ndcg(recommender, each, seed=seed, threads=threads) for each in (without, split)]
    change = paired_bootstrap(ndcg[0], ndcg[1], split.test.campaign_codes, seed=seed)
    epsilon = recommender.gates.epsilon
    wanted = f"no plausible loss: above {-epsilon:g}"
    return Check("ablation", change.low > -epsilon, f"NDCG {change}", wanted), change


def _without(part: TrainingSet, columns: slice) -> TrainingSet:
    kept = np.delete(np.arange(len(part.feature_names)), columns)
    names = tuple(part.feature_names[column] for column in kept)
    return replace(part, feature_names=names, features=np.ascontiguousarray(part.features[:, kept]))


def _ndcg(recommender: Recommender, split: Split, *, seed: int, threads: int) -> NDArray[np.float64]:
    trained = train_ranker(split.train, split.valid, recommender, seed=seed, threads=threads)
    return ndcg_by(BoosterScorer(trained.booster, threads=threads), split.test, recommender.slate_size)
