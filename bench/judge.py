"""`judge`: how often the judge is wrong on worlds whose truth is known, and how fast it is.

A world is arrays: slates of eight items with expected gains between 0 and 1, campaigns that differ in level
and in how well each model fits them, positions that are looked at less and less, and labels that are one
draw each. The challenger's noise is solved for on a large population so that its true NDCG@8 differs from
the champion's by exactly what a scenario says. Figures and goals were fixed here before the run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock
from letterpress.evaluation.examination import BOUNDS, Examination, estimate_examination
from letterpress.evaluation.ndcg import dcg_per_group, ndcg_per_group
from letterpress.evaluation.verdict import Gained, RankersOnTest, judge_by_ndcg
from letterpress.recommenders import get_recommender

SEEDS = 2000
K, SLATES_EACH = 8, 3
CAMPAIGNS = 600
HISTORY = 4
"""Position is estimated on as many times the judged slates, as a snapshot holds training slates too."""
EPSILON = 0.005
WORSE, EQUAL, BETTER = -EPSILON, 0.0, 0.02
CHAMPION_NOISE = 1.5
EXAMINATION_POWER = 0.5
EXPLORED = 0.05
LOOKS, KEPT_SHARE = 10, 0.5
POPULATION = 30_000
ROUNDS = 1000
SPEED_SLATES = 100_000
FEWEST = get_recommender("image_enhancement").gates.min_test_campaigns
FEW_CAMPAIGNS, FEW_SLATES, SPREAD = (2, 3, 5, 10, FEWEST), 240, 0.04
"""So few campaigns share the slates, and their gains differ with that standard deviation."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """Slates of one draw; gains and scores are `(n_slates, 8)`."""

    campaigns: NDArray[np.int64]
    gains: Floats
    """What each item is expected to gain when it is looked at."""
    champion: Floats
    noise: Floats
    appeal: Floats

    def challenger(self, noise: float) -> Floats:
        """Scores of a challenger that knows the appeal up to so much noise."""
        return np.asarray(self.appeal + noise * self.noise, np.float64)


def draw_world(rng: np.random.Generator, campaigns: int) -> World:
    """Both models err alike by half and on their own by half, more in some campaigns than in others."""
    slates = campaigns * SLATES_EACH
    codes = np.repeat(np.arange(campaigns), SLATES_EACH)
    level = rng.normal(0.0, 0.5, campaigns)[codes, None]
    appeal, shared = rng.normal(size=(2, slates, K))
    errors = [
        np.exp(rng.normal(0.0, 0.3, campaigns))[codes, None]
        * (0.8 * shared + 0.6 * rng.normal(size=(slates, K)))
        for _ in range(2)
    ]
    gains = np.minimum(0.95, 0.25 * np.exp(0.8 * appeal + level))
    return World(codes, gains, appeal + CHAMPION_NOISE * errors[0], errors[1], appeal)


def offsets_of(values: Floats) -> NDArray[np.int64]:
    return np.arange(0, values.size + 1, K)


Metric = Callable[[Floats, Floats, NDArray[np.int64], int], Floats]


def total(metric: Metric, world: World, scores: Floats) -> float:
    """The sum over slates of a metric in true gains."""
    return float(metric(scores.ravel(), world.gains.ravel(), offsets_of(world.gains), K).sum())


def true_change(metric: Metric, world: World, noise: float) -> float:
    """Relative change of a metric in true gains by a challenger with that noise."""
    return total(metric, world, world.challenger(noise)) / total(metric, world, world.champion) - 1.0


def solve_noise(world: World, change: float) -> float:
    """The challenger's noise that gives this relative change of true NDCG@8."""
    wanted = (1.0 + change) * total(ndcg_per_group, world, world.champion)
    low, high = 0.1, 6.0
    for _ in range(15):
        middle = (low + high) / 2
        is_too_good = total(ndcg_per_group, world, world.challenger(middle)) > wanted
        low, high = (middle, high) if is_too_good else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Log:
    """How slates were shown: labels, positions and propensities, all `(n_slates, 8)`."""

    labels: Floats
    positions: NDArray[np.int64]
    propensities: Floats


def show(world: World, rng: np.random.Generator, *, is_ordered: bool) -> Log:
    """Slates in random order, or all but the explored ones in the champion's."""
    shape = world.gains.shape
    positions = np.argsort(rng.random(shape), axis=1).argsort(axis=1) + 1
    propensities = np.full(shape, 1.0 / K)
    if is_ordered:
        wanted = np.argsort(-world.champion, axis=1).argsort(axis=1) + 1
        explored = rng.random(len(positions)) < EXPLORED
        positions = np.where(explored[:, None], positions, wanted)
        propensities = (1 - EXPLORED) * (positions == wanted) + EXPLORED / K
    seen = rng.random(shape) < positions.astype(float) ** -EXAMINATION_POWER
    labels = (seen & (rng.random(shape) < world.gains)).astype(float)
    return Log(labels, positions, propensities)


def rankers_on(world: World, log: Log, noise: float, examination: Examination | None = None) -> RankersOnTest:
    """What the judge sees, with labels freed of position by `examination` and its bounds."""
    offsets, labels = offsets_of(world.gains), log.labels.ravel()
    scores = {"champion": world.champion.ravel(), "challenger": world.challenger(noise).ravel()}
    ndcg = {name: ndcg_per_group(each, labels, offsets, K) for name, each in scores.items()}
    freed = [labels]
    if examination is not None:
        freed = [labels * examination.weights(log.positions.ravel(), bound) for bound in BOUNDS]
    gained = tuple(
        Gained(**{name: dcg_per_group(each, gains, offsets, K) for name, each in scores.items()})
        for gains in freed
    )
    return RankersOnTest(
        k=K,
        popularity=ndcg["champion"],
        champion=ndcg["champion"],
        challenger=ndcg["challenger"],
        campaigns=world.campaigns,
        gained=gained,
    )


def judge_once(seed: int, *, noise: float, is_ordered: bool, is_freed: bool = True) -> list[float]:
    """Promoted by our rule, by the rule of ADR 0009, by NDCG above -epsilon; and the interval of the gain."""
    rng = np.random.default_rng([seed, is_ordered])
    world = draw_world(rng, CAMPAIGNS)
    log = show(world, rng, is_ordered=is_ordered)
    found: Examination | None = None
    if is_ordered and is_freed:
        past = draw_world(rng, CAMPAIGNS * HISTORY)
        seen = show(past, rng, is_ordered=True)
        found = estimate_examination(
            seen.labels.ravel() > 0,
            seen.positions.ravel(),
            seen.propensities.ravel(),
            offsets_of(seen.labels),
            past.campaigns,
        )
    verdict = judge_by_ndcg(
        rankers_on(world, log, noise, found),
        epsilon=EPSILON,
        min_test_slates=100,
        min_test_campaigns=FEWEST,
        seed=seed,
        rounds=ROUNDS,
    )
    numbers = verdict.numbers
    difference, tolerated = numbers["difference"]["low"], EPSILON * numbers["champion"]["mean"]
    gain = numbers["gain"]
    return [verdict.promoted, difference > tolerated, difference > -tolerated, gain["low"], gain["high"]]


def judge_night_after_night(seed: int, *, noise: float) -> list[float]:
    """Whether any of ten retrained challengers was promoted: with looks spent, and with a first look each."""
    rng = np.random.default_rng([seed, 7])
    fresh = CAMPAIGNS - int(KEPT_SHARE * CAMPAIGNS)
    pool = draw_world(rng, CAMPAIGNS + LOOKS * fresh)
    log = show(pool, rng, is_ordered=False)
    any_spent = any_naive = False
    for look in range(1, LOOKS + 1):
        start = (look - 1) * fresh * SLATES_EACH
        rows = slice(start, start + CAMPAIGNS * SLATES_EACH)
        own = 0.8 * pool.noise[rows] + 0.6 * rng.normal(size=pool.noise[rows].shape)
        own *= np.sqrt((pool.noise**2).mean() / (own**2).mean())
        world = World(pool.campaigns[rows], pool.gains[rows], pool.champion[rows], own, pool.appeal[rows])
        seen = Log(log.labels[rows], log.positions[rows], log.propensities[rows])
        verdict = judge_by_ndcg(
            rankers_on(world, seen, noise),
            epsilon=EPSILON,
            min_test_slates=100,
            min_test_campaigns=FEWEST,
            seed=seed,
            rounds=ROUNDS // 4,
            look=look,
        )
        gain = verdict.numbers["gain"]
        any_spent |= verdict.promoted
        any_naive |= gain["mean"] > 0 and gain["low"] > -EPSILON
    return [any_spent, any_naive]


def judge_few(seed: int, *, campaigns: int) -> list[float]:
    """Whether a challenger that is worse by epsilon is promoted: as declared, and with two campaigns."""
    rng = np.random.default_rng([seed, campaigns])
    codes = np.arange(FEW_SLATES) % campaigns
    champion = rng.gamma(4.0, 0.25, FEW_SLATES)
    change = 1.0 + WORSE + SPREAD * rng.normal(size=campaigns)[codes]
    challenger = champion * change + 0.05 * rng.normal(size=FEW_SLATES)
    judged = RankersOnTest(K, champion, champion, challenger, codes)
    return [
        judge_by_ndcg(
            judged,
            epsilon=EPSILON,
            min_test_slates=100,
            min_test_campaigns=fewest,
            seed=seed,
            rounds=ROUNDS // 2,
        ).promoted
        for fewest in (FEWEST, 2)
    ]


def over_seeds(workers: Executor, work: Callable[[int], list[float]], seeds: int) -> Floats:
    """What `work` gives for each seed `(seeds, n)`."""
    return np.array(list(workers.map(work, range(seeds), chunksize=20)), dtype=np.float64)


def seconds_of_evaluation() -> tuple[float, float]:
    """CPU seconds of metrics and verdict with 1,000 rounds on 100,000 slates, and on a tenth of them."""
    found = []
    for slates in (SPEED_SLATES, SPEED_SLATES // 10):
        rng = np.random.default_rng(1)
        world = draw_world(rng, slates // SLATES_EACH)
        log = show(world, rng, is_ordered=False)
        started = time.process_time()
        judge_by_ndcg(
            rankers_on(world, log, CHAMPION_NOISE),
            epsilon=EPSILON,
            min_test_slates=100,
            min_test_campaigns=FEWEST,
            seed=1,
            rounds=1000,
        )
        found.append(time.process_time() - started)
    return found[0], found[1]


def run(path: Path, *, seeds: int = SEEDS) -> None:
    """Measure and write `path`."""
    started = time.monotonic()
    population = draw_world(np.random.default_rng(2026), POPULATION)
    noise = {change: solve_noise(population, change) for change in (WORSE, EQUAL, BETTER)}
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as workers:
        figures = _error_rates(workers, population, noise, seeds)
        work = partial(judge_night_after_night, noise=noise[WORSE])
        nights = over_seeds(workers, work, seeds // 4).mean(axis=0).tolist()
        few = _of_few_campaigns(workers, seeds)
    figures += [
        figure(f"worse by epsilon, any of {LOOKS} nights promoted, looks spent", nights[0], "", "< 0.05"),
        figure(f"worse by epsilon, any of {LOOKS} nights promoted, looks not counted", nights[1], ""),
    ]
    figures += few
    whole, tenth = seconds_of_evaluation()
    figures += [
        figure("evaluation of 100,000 slates, 1,000 rounds", whole, "CPU s", "< 10"),
        figure("growth of that time from a tenth of the slates", whole / tenth, "x", "< 13"),
        figure("the benchmark itself", time.monotonic() - started, "s", "< 360"),
    ]
    note = (
        f"{seeds:,} seeds (a quarter for nights and where position is ignored) of "
        f"{CAMPAIGNS} campaigns with {SLATES_EACH} slates of {K} items; epsilon {EPSILON:.1%} of NDCG. An "
        f"ordered log explores {EXPLORED:.0%} of its slates, and position is estimated on {HISTORY} times as "
        f"many. Nights share {KEPT_SHARE:.0%} of their campaigns. A rate of 0.05 or 0.95 over 2,000 seeds "
        f"has a standard error of 0.005. Load average at the end: {os.getloadavg()[0]:.1f}."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=judge", note=note)


def _error_rates(workers: Executor, population: World, noise: dict[float, float], seeds: int) -> list[Figure]:
    truth = {change: true_change(dcg_per_group, population, each) for change, each in noise.items()}
    figures: list[Figure] = []
    for is_ordered, name in ((False, "random log"), (True, "log ordered by the champion")):
        found = {
            change: over_seeds(
                workers, partial(judge_once, noise=noise[change], is_ordered=is_ordered), seeds
            )
            for change in (WORSE, EQUAL, BETTER)
        }
        rate = {change: judged[:, :3].mean(axis=0).tolist() for change, judged in found.items()}
        figures += [
            figure(f"{name}: worse by epsilon, promoted", rate[WORSE][0], "", "< 0.05"),
            figure(f"{name}: equal, promoted", rate[EQUAL][0], ""),
            figure(f"{name}: +2 % true NDCG, promoted", rate[BETTER][0], "", ">= 0.8"),
            figure(f"{name}: +2 %, promoted by the rule of ADR 0009", rate[BETTER][1], ""),
            figure(f"{name}: +2 %, promoted by raw NDCG above -epsilon", rate[BETTER][2], ""),
            figure(f"{name}: worse by epsilon, promoted by raw NDCG above -epsilon", rate[WORSE][2], ""),
            *(_coverage(name, change, judged, truth[change]) for change, judged in found.items()),
        ]
    for change, told in ((WORSE, "worse by epsilon"), (BETTER, "+2 %")):
        work = partial(judge_once, noise=noise[change], is_ordered=True, is_freed=False)
        promoted = float(over_seeds(workers, work, seeds // 4)[:, 0].mean())
        figures.append(figure(f"ordered log, position ignored: {told}, promoted", promoted, ""))
    return figures


def _of_few_campaigns(workers: Executor, seeds: int) -> list[Figure]:
    figures = []
    for campaigns in FEW_CAMPAIGNS:
        work = partial(judge_few, campaigns=campaigns)
        declared, allowed = over_seeds(workers, work, seeds).mean(axis=0).tolist()
        name = f"{campaigns} campaigns, worse by epsilon, promoted"
        figures.append(figure(name, declared, "", "< 0.05"))
        if campaigns < FEWEST:
            figures.append(figure(f"{name} if so few were allowed", allowed, ""))
    return figures


def _coverage(name: str, change: float, judged: Floats, truth: float) -> Figure:
    share = float(np.mean((judged[:, 3] <= truth) & (truth <= judged[:, 4])))
    told = f"{name}: 95 % intervals that cover the true change of {change:+.1%}"
    return Figure(name=told, value=share, unit="", goal="0.93 to 0.97", met=0.93 <= share <= 0.97)
