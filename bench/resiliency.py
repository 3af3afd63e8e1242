"""`resiliency`: half-lives recovered on drifting worlds, and what age weights are worth under drift.

In a world of half-life h every coefficient follows a path whose correlation with itself falls by half every
h days. What is measured and weighed, and the trainer, are the platform's own. Figures and goals were fixed
here before the run.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray

from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock
from letterpress.datasets.training_set import MICROSECONDS_PER_HOUR, TrainingSet
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.evaluation.paired_bootstrap import bootstrap_mean
from letterpress.ranking.age_trial import try_weights
from letterpress.ranking.data_age import measure_data_age
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.train_ranker import TrainedRanker, refit_ranker, train_ranker
from letterpress.recommenders import get_recommender

Floats = NDArray[np.float64]
HALF_LIVES = (5.0, 10.0, 20.0)
DAYS, SLATES_A_DAY, ITEMS, FEATURES = 120, 40, 8, 40
VALID_DAYS = 3
WORLDS, STILL_WORLDS, TRAINED_WORLDS = 20, 60, 8
NOISE = 1.0
DRIFTING = 10.0
"""Half-life of the worlds that rankers are trained in."""


def draw_paths(rng: np.random.Generator, half_lives: Floats, days: int) -> Floats:
    """Coefficients `(days, n_features)`: stationary paths that forget by half in `half_lives` days."""
    kept = np.exp2(-1.0 / half_lives)
    paths = np.empty((days, len(half_lives)))
    paths[0] = rng.normal(size=len(half_lives))
    for day in range(1, days):
        paths[day] = kept * paths[day - 1] + np.sqrt(1 - kept**2) * rng.normal(size=len(half_lives))
    return paths


def draw_slates(rng: np.random.Generator, paths: Floats, *, first_day: int = 0) -> TrainingSet:
    """Slates of every day of `paths`, whose gains follow the coefficients of the day, with noise."""
    days = np.repeat(np.arange(len(paths)), SLATES_A_DAY)
    rows_of = np.repeat(days, ITEMS)
    features = rng.normal(size=(len(rows_of), paths.shape[1])).astype(np.float32)
    utility = (features * paths[rows_of]).sum(axis=1) / np.sqrt(paths.shape[1])
    gains = 1.0 / (1.0 + np.exp(-(utility + NOISE * rng.normal(size=len(utility)))))
    hours = 24 * (first_day + days) + np.tile(np.arange(SLATES_A_DAY), len(paths)) * 24 / SLATES_A_DAY
    return TrainingSet(
        feature_names=tuple(f"f{place}" for place in range(paths.shape[1])),
        features=features,
        gains=gains.astype(np.float32),
        clicks=(gains > 0.5).astype(np.int64),
        position=np.ones(len(gains), np.int32),
        propensity=np.full(len(gains), np.nan),
        item_codes=(np.arange(len(gains)) % 500).astype(np.int32),
        item_ids=np.arange(500).astype(object),
        group_offsets=np.arange(0, len(gains) + 1, ITEMS),
        slate_ids=np.arange(len(days)).astype(object),
        campaign_codes=(np.arange(len(days)) // 2).astype(np.int32),
        shown_at=(hours * MICROSECONDS_PER_HOUR).astype(np.int64),
    )


def recover(half_life: float, seed: int) -> tuple[float, bool]:
    """The half-life found in one world, and whether its interval holds the true one."""
    rng = np.random.default_rng([seed, int(half_life)])
    found = measure_data_age(draw_slates(rng, draw_paths(rng, np.full(FEATURES, half_life), DAYS))).overall
    return (0.0, False) if found is None else (found.days, found.low <= half_life <= found.high)


def claims_decay(seed: int) -> bool:
    """Whether decay is claimed in a world that stands still."""
    rng = np.random.default_rng([seed, 7])
    return measure_data_age(draw_slates(rng, np.tile(rng.normal(size=FEATURES), (DAYS, 1)))).weighs


def ndcg_of_trained(half_life: float, seed: int) -> tuple[float, float]:
    """NDCG@8 on many slates of the day after, of rankers with uniform weights and with weights by age."""
    rng = np.random.default_rng([seed, 99])
    paths = draw_paths(rng, np.full(FEATURES, half_life), DAYS)
    last = DAYS - VALID_DAYS - 1
    train = draw_slates(rng, paths[:last])
    valid = draw_slates(rng, paths[last:-1], first_day=last)
    test = draw_slates(rng, np.repeat(paths[-1:], 10, axis=0), first_day=DAYS - 1)
    declared = get_recommender("image_enhancement")

    def train_on(part: TrainingSet) -> TrainedRanker:
        return train_ranker(part, valid, declared, seed=seed, threads=1)

    def ndcg(trained: TrainedRanker) -> float:
        scores = BoosterScorer(trained.booster).score(test.features)
        return float(np.nanmean(ndcg_per_group(scores, test.gains, test.group_offsets, ITEMS)))

    uniform = train_on(train)
    trial = try_weights(
        train,
        valid,
        lambda part: BoosterScorer(refit_ranker(part, uniform, threads=1)),
        k=ITEMS,
        seed=seed,
    )
    return ndcg(uniform), ndcg(train_on(trial.train))


def _recovery() -> list[Figure]:
    figures: list[Figure] = []
    held = []
    for half_life in HALF_LIVES:
        found = [recover(half_life, seed) for seed in range(WORLDS)]
        off = abs(median(each for each, _ in found) / half_life - 1)
        held += [inside for _, inside in found]
        near = mean(abs(each / half_life - 1) <= 0.2 for each, _ in found)
        name = f"half-life of {half_life:g} days"
        figures += [
            figure(f"{name}: distance of the median over {WORLDS} worlds", off, "", "< 0.2"),
            figure(f"{name}: worlds within 20 %", near, "", ">= 0.8"),
        ]
    figures.append(figure("95 % intervals that hold the true half-life", mean(held), "", ">= 0.9"))
    claimed = mean(claims_decay(seed) for seed in range(STILL_WORLDS))
    figures.append(figure("worlds that stand still in which decay is claimed", claimed, "", "< 0.051"))
    return figures


def _worth() -> list[Figure]:
    pairs = np.array([ndcg_of_trained(DRIFTING, seed) for seed in range(TRAINED_WORLDS)])
    gain = bootstrap_mean(pairs[:, 1] / pairs[:, 0] - 1.0, np.arange(TRAINED_WORLDS), seed=1)
    return [
        figure("NDCG@8 on the day after, rankers with uniform weights", float(pairs[:, 0].mean()), ""),
        figure("NDCG@8 on the day after, rankers with weights by age", float(pairs[:, 1].mean()), ""),
        figure("gain by weights, mean over worlds", gain.mean, "", ">= 0"),
        figure("gain by weights, lower bound of 95 %", gain.low, "", ">= 0"),
    ]


def run(path: Path) -> None:
    """Measure and write `path`."""
    note = (
        f"{DAYS} days of {SLATES_A_DAY} slates with {ITEMS} items, {FEATURES} features whose coefficients "
        f"drift; {WORLDS} worlds for each half-life, {STILL_WORLDS} that stand still. Rankers are the "
        f"platform's own, trained in {TRAINED_WORLDS} worlds of half-life {DRIFTING:g} days."
    )
    write_result(
        path,
        [*_recovery(), *_worth()],
        at=SystemClock().now(),
        command="make bench NAME=resiliency",
        note=note,
    )
