"""`worlds`: how often the judge is wrong from a raw log to a verdict, on simulated worlds of known truth.

Each world is a week of the simulated editor through landing, raw, dbt, a snapshot and the training set. A
ranker is trained on it as always. Champion and challenger are that ranker with trees of nonsense added,
by so much that the true NDCG@8 of the challenger differs from the champion's by exactly what is asked:
worse by epsilon, equal, better by 2 %. Each world is judged by several such pairs on the labels of its
log, with slices. Figures and goals were fixed here before the run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.known_world import KnownWorld, open_world
from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock
from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.ndcg import dcg_per_group, ndcg_per_group
from letterpress.evaluation.verdict import Verdict, judge_by_ndcg
from letterpress.orchestration.judge_challenger import slices_of
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.popularity import popularity_bundle
from letterpress.ranking.position_bias import position_bias_of
from letterpress.ranking.rank_slates import rank_slates
from letterpress.ranking.train_bundle import train_bundle
from letterpress.settings import let_idle_threads_sleep

WORLDS = 50
SLATES = 6_000
PAIRS = 4
EPSILON = 0.005
WORSE, EQUAL, BETTER = -EPSILON, 0.0, 0.02
CHANGES = {"worse by epsilon": WORSE, "equal": EQUAL, "+2 % true NDCG": BETTER}
CHAMPION_SHORT = 0.04
"""How far the champion's true NDCG is below that of the ranker as trained: room for a better challenger."""
MOST_NOISE = 64.0
NOISE_TREES = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truth:
    """What rankers of one world are truly worth."""

    world: KnownWorld

    def ndcg(self, scores: Floats) -> float:
        """Mean true NDCG of an order by `scores` of the later slates."""
        later, k = self.world.later, self.world.recommender.slate_size
        return float(ndcg_per_group(scores, self.world.expected, later.group_offsets, k).mean())

    def dcg(self, scores: Floats) -> float:
        """The sum of true DCG, which the verdict's gain is about."""
        later, k = self.world.later, self.world.recommender.slate_size
        return float(dcg_per_group(scores, self.world.expected, later.group_offsets, k).sum())

    def solve(self, sound: Floats, nonsense: Floats, wanted: float) -> float:
        """How much nonsense brings the true NDCG of `sound + share * nonsense` down to `wanted`."""
        low, high = 0.0, MOST_NOISE
        for _ in range(20):
            middle = (low * high) ** 0.5 if low else high / 64
            is_too_good = self.ndcg(sound + middle * nonsense) > wanted
            low, high = (middle, high) if is_too_good else (low, middle)
        return high


def grow_nonsense(part: TrainingSet, seeds: Sequence[int]) -> list[bytes]:
    """For each seed, trees that learnt random labels of the rows of `part`."""
    let_idle_threads_sleep()
    import xgboost

    matrix = xgboost.QuantileDMatrix(part.features, label=np.zeros(part.rows), missing=np.nan)
    parameters = {"max_depth": 5, "eta": 0.3, "base_score": 0.0, "nthread": 1, "verbosity": 0}
    grown = []
    for seed in seeds:
        matrix.set_label(np.random.default_rng(seed).normal(size=part.rows))
        booster = xgboost.train({**parameters, "seed": seed}, matrix, num_boost_round=NOISE_TREES)
        grown.append(bytes(booster.save_raw("json")))
    return grown


def add_trees(sound: ModelBundle, nonsense: bytes, share: float) -> bytes:
    """The booster whose score is that of `sound` and `share` times that of `nonsense`."""
    import xgboost

    whole = json.loads(xgboost.Booster(model_file=bytearray(sound.booster or b"")).save_raw("json"))
    model = whole["learner"]["gradient_booster"]["model"]
    added = json.loads(nonsense)["learner"]["gradient_booster"]["model"]["trees"]
    for tree in added:
        tree["split_conditions"] = [
            value * share if left == -1 else value
            for value, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
        ]
    model["trees"] += added
    for number, tree in enumerate(model["trees"]):
        tree["id"] = number
    count = len(model["trees"])
    model["gbtree_model_param"]["num_trees"] = str(count)
    model["tree_info"] = [0] * count
    model["iteration_indptr"] = list(range(count + 1))
    booster = xgboost.Booster(model_file=bytearray(json.dumps(whole), "utf-8"))
    return bytes(booster.save_raw("ubj"))


def judge_world(seed: int) -> dict[str, Any]:
    """Every verdict of one world: by change and pair whether promoted, the interval, and the truth."""
    world = open_world(seed, SLATES)
    trained = train_bundle(world.recommender, world.split, snapshot=world.snapshot, seed=seed, threads=1)
    nonsense = grow_nonsense(world.split.train, range(seed * 100, seed * 100 + 2 * PAIRS))
    verdicts = [
        {"change": told, **judge_pair(world, trained, nonsense[2 * pair : 2 * pair + 2], change, seed=seed)}
        for pair in range(PAIRS)
        for told, change in CHANGES.items()
    ]
    return {"seed": seed, "slates": len(world.split.test), "verdicts": verdicts}


def judge_pair(
    world: KnownWorld, trained: ModelBundle, nonsense: Sequence[bytes], change: float, *, seed: int
) -> dict[str, Any]:
    """The verdict on a challenger whose true NDCG differs by `change` from the champion's."""
    truth, features = Truth(world), world.later.features
    sound = trained.scorer().score(features)
    wanted = truth.ndcg(sound) * (1 - CHAMPION_SHORT)
    bundles, scores = [], []
    for each, aim in zip(nonsense, (wanted, wanted * (1 + change)), strict=True):
        share = truth.solve(sound, replace(trained, booster=each).scorer().score(features), aim)
        bundles.append(replace(trained, booster=add_trees(trained, each, share)))
        scores.append(bundles[-1].scorer().score(features))
    verdict = judge(world, *bundles, seed=seed)
    gain = verdict.numbers["gain"]
    return {
        "promoted": verdict.promoted,
        "low": gain["low"],
        "high": gain["high"],
        "gain": truth.dcg(scores[1]) / truth.dcg(scores[0]) - 1,
        "ndcg": truth.ndcg(scores[1]) / truth.ndcg(scores[0]) - 1,
        "campaigns": gain["clusters"],
        "harmed": any(each["is_harmed"] for each in verdict.numbers["slices"]),
    }


def judge(world: KnownWorld, champion: ModelBundle, challenger: ModelBundle, *, seed: int) -> Verdict:
    """The platform's verdict on the test slates of its own split."""
    declared, split = world.recommender, world.split
    rankers = rank_slates(
        split.test,
        declared.slate_size,
        popularity=popularity_bundle(declared, world.snapshot),
        champion=champion,
        challenger=challenger,
        threads=1,
        bias=position_bias_of(split, declared),
        slices=slices_of(declared, split),
    )
    gates = declared.gates
    return judge_by_ndcg(
        rankers,
        epsilon=EPSILON,
        min_test_slates=gates.min_test_slates,
        min_test_campaigns=gates.min_test_campaigns,
        seed=seed,
    )


def run(path: Path, *, worlds: int = WORLDS) -> None:
    """Measure and write `path`."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as workers:
        found = []
        for each in workers.map(judge_world, range(1, worlds + 1)):
            found.append(each)
            print(f"world {each['seed']} of {worlds}: {_promoted(each)}", flush=True)
    campaigns = np.mean([one["campaigns"] for each in found for one in each["verdicts"]])
    note = (
        f"{worlds} worlds of {SLATES:,} slates in a week, simulated, ingested, built, published, split and "
        f"trained on by the platform, judged on about {campaigns:,.0f} campaigns; {PAIRS} pairs of rankers "
        f"for each change and world, whose true NDCG@8 is solved for. Truth is the mean of what slates from "
        "the test's start on gain when reactions are drawn anew; three quarters of them are those that are "
        "judged on. Conditions other than slices are left out: they "
        "depend on the machine."
    )
    write_result(path, figures_of(found), at=SystemClock().now(), command="make bench NAME=worlds", note=note)


def _promoted(world: dict[str, Any]) -> str:
    counts = dict.fromkeys(CHANGES, 0)
    for each in world["verdicts"]:
        counts[each["change"]] += each["promoted"]
    return ", ".join(f"{told} promoted {count} of {PAIRS}" for told, count in counts.items())


def figures_of(worlds: list[dict[str, Any]]) -> list[Figure]:
    """Shares over all verdicts of each change, with the worst distance from the truth that was asked for."""
    goals = dict(zip(CHANGES, ("< 0.05", None, ">= 0.8"), strict=True))
    figures = [figure("worlds", len(worlds), "worlds")]
    verdicts = [one for each in worlds for one in each["verdicts"]]
    for told, goal in goals.items():
        mine = [each for each in verdicts if each["change"] == told]
        figures.append(figure(f"{told}: promoted", float(np.mean([e["promoted"] for e in mine])), "", goal))
        figures.append(_coverage(told, mine))
    missed = max(abs(each["ndcg"] - CHANGES[each["change"]]) for each in verdicts)
    harmed = float(np.mean([each["harmed"] for each in verdicts if each["change"] == "+2 % true NDCG"]))
    return [
        *figures,
        figure("+2 % true NDCG: a slice is called harmed", harmed, ""),
        figure("largest distance of true NDCG from what was asked", missed, "", "< 0.001"),
    ]


def _coverage(told: str, mine: list[dict[str, Any]]) -> Figure:
    """The share of intervals that hold the truth, and whether it is as agreed."""
    share = float(np.mean([each["low"] <= each["gain"] <= each["high"] for each in mine]))
    name = f"{told}: 95 % intervals that cover the true gain"
    return Figure(name=name, value=share, unit="", goal="0.93 to 0.97", met=0.93 <= share <= 0.97)
