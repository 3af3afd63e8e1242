"""`resiliency`: half-lives recovered on drifting worlds, and what age weights are worth under drift.

In a world of half-life h every coefficient follows a path whose correlation with itself falls by half every
h days. Figures and goals were fixed here before the run.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray

from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.evaluation.resiliency import associations, half_life_of, transfers

Floats = NDArray[np.float64]
HALF_LIVES = (5.0, 10.0, 20.0)
DAYS, SLATES_A_DAY, ITEMS, FEATURES = 120, 40, 8, 40
WORLDS = 20
NOISE = 1.0


def draw_paths(rng: np.random.Generator, half_lives: Floats, days: int) -> Floats:
    """Coefficients `(days, n_features)`: stationary paths that forget by half in `half_lives` days."""
    kept = np.exp2(-1.0 / half_lives)
    paths = np.empty((days, len(half_lives)))
    paths[0] = rng.normal(size=len(half_lives))
    for day in range(1, days):
        paths[day] = kept * paths[day - 1] + np.sqrt(1 - kept**2) * rng.normal(size=len(half_lives))
    return paths


def draw_log(
    rng: np.random.Generator, paths: Floats
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Features, gains, slate offsets and the day of each slate."""
    days = np.repeat(np.arange(len(paths)), SLATES_A_DAY)
    rows_of = np.repeat(days, ITEMS)
    features = rng.normal(size=(len(rows_of), paths.shape[1]))
    utility = (features * paths[rows_of]).sum(axis=1) / np.sqrt(paths.shape[1])
    gains = 1.0 / (1.0 + np.exp(-(utility + NOISE * rng.normal(size=len(utility)))))
    return features, gains, np.arange(0, len(rows_of) + 1, ITEMS), days


def recover(half_life: float, seed: int) -> tuple[float, bool]:
    """The half-life found in one world, and whether its interval holds the true one."""
    rng = np.random.default_rng([seed, int(half_life)])
    log = draw_log(rng, draw_paths(rng, np.full(FEATURES, half_life), DAYS))
    found = half_life_of(transfers(associations(*log)))
    return found.windows, found.low <= half_life <= found.high


def ndcg_of_weighted(half_life: float, seed: int) -> tuple[float, float]:
    """NDCG@8 on the newest day of a linear model with uniform weights, and with weights by age."""
    rng = np.random.default_rng([seed, 99])
    features, gains, offsets, days = draw_log(rng, draw_paths(rng, np.full(FEATURES, half_life), DAYS))
    past = days < DAYS - 1
    cut = offsets[:-1][~past][0]
    known = half_life_of(
        transfers(associations(features[:cut], gains[:cut], offsets[: past.sum() + 1], days[past]))
    )
    ages = (DAYS - 1 - np.repeat(days, ITEMS)[:cut]).astype(float)
    test_offsets = offsets[past.sum() :] - cut
    scores = []
    for weights in (np.ones(cut), known.weights(ages)):
        weighted = features[:cut] * weights[:, None]
        ridge = weighted.T @ features[:cut] + np.eye(FEATURES)
        slopes = np.linalg.solve(ridge, weighted.T @ (gains[:cut] - gains[:cut].mean()))
        ndcg = ndcg_per_group(features[cut:] @ slopes, gains[cut:], test_offsets, ITEMS)
        scores.append(float(np.nanmean(ndcg)))
    return scores[0], scores[1]


def run(path: Path) -> None:
    """Measure and write `path`."""
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
            figure(f"{name}: worlds within 20 %", near, ""),
        ]
    figures.append(figure("95 % intervals that hold the true half-life", mean(held), ""))
    pairs = [ndcg_of_weighted(10.0, seed) for seed in range(WORLDS)]
    uniform, weighted = (mean(each[place] for each in pairs) for place in (0, 1))
    figures += [
        figure("NDCG@8 on the newest day, uniform weights", uniform, ""),
        figure("NDCG@8 on the newest day, weights by age", weighted, ""),
        figure("gain by weights", weighted / uniform - 1, "", ">= 0"),
    ]
    note = (
        f"{DAYS} days of {SLATES_A_DAY} slates with {ITEMS} items, {FEATURES} features whose coefficients "
        f"drift; {WORLDS} worlds each."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=resiliency", note=note)
