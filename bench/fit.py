"""`fit`: training a ranker against bare XGBoost on the same matrix: time, peak memory, growth with rows.

Every training runs in a process of its own (`python -m bench.fit WHO ROWS`), so that its peak memory is
its own. Figures and goals were fixed here before the run. The large set lies in a file that trees are grown
from; pages of files that the system keeps in memory while nobody needs it are not counted.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.report import figure, write_result
from letterpress.clock import SystemClock
from letterpress.datasets.feature_rows import FeatureRows, Room
from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.train_ranker import MAX_ROUNDS, FitPlan, train_ranker
from letterpress.ranking.tree_parameters import GAIN_PARAMETERS, TREE_PARAMETERS
from letterpress.recommenders import get_recommender
from letterpress.settings import let_idle_threads_sleep

ROWS, SMALL_ROWS, FEATURES, ITEMS = 1_000_000, 250_000, 40, 8
TREES, TIMES, THREADS = 200, 3, 2
LARGE_ROWS, LARGE_TREES, BLOCK_ROWS = 4_000_000, 25, 200_000
VALID_SHARE = 0.2
SEED = 11


def draw_slates(rows: int, seed: int) -> TrainingSet:
    """Slates of eight items whose gains follow ten of forty features, with noise."""
    random = np.random.default_rng(seed)
    slates = rows // ITEMS
    features = random.normal(size=(slates * ITEMS, FEATURES)).astype(np.float32)
    features[random.random(features.shape) < 0.05] = np.nan
    told = np.nan_to_num(features[:, :10]) @ np.linspace(1.0, 0.1, 10).astype(np.float32)
    gains = 1.0 / (1.0 + np.exp(-(told + random.normal(size=len(told)).astype(np.float32))))
    items = np.arange(len(told)) % 5000
    return TrainingSet(
        feature_names=tuple(f"f{place}" for place in range(FEATURES)),
        features=features,
        gains=gains.astype(np.float32),
        clicks=(gains > 0.5).astype(np.int64),
        position=np.ones(len(told), np.int32),
        propensity=np.full(len(told), np.nan),
        item_codes=items.astype(np.int32),
        item_ids=np.arange(5000).astype(object),
        group_offsets=np.arange(0, len(told) + 1, ITEMS),
        slate_ids=np.arange(slates).astype(object),
        campaign_codes=(np.arange(slates) // 2).astype(np.int32),
        shown_at=np.arange(slates) * 1_000_000,
    )


def train_ours(train: TrainingSet, valid: TrainingSet) -> int:
    """The trees of our ranker, which is kept from stopping early."""
    declared = replace(get_recommender("image_enhancement"), slate_size=ITEMS)
    plan = FitPlan(rounds=TREES, patience=TREES)
    return train_ranker(train, valid, declared, seed=SEED, threads=THREADS, plan=plan).trees


def train_paged(train: TrainingSet, valid: TrainingSet) -> int:
    """The same with fewer trees: what counts is the memory, and how long a tree takes."""
    declared = replace(get_recommender("image_enhancement"), slate_size=ITEMS)
    plan = FitPlan(rounds=LARGE_TREES, patience=LARGE_TREES)
    return train_ranker(train, valid, declared, seed=SEED, threads=THREADS, plan=plan).trees


def train_bare(train: TrainingSet, valid: TrainingSet) -> int:
    """The trees of XGBoost alone: the same parameters and rows, its own NDCG on the same held-out slates."""
    let_idle_threads_sleep()
    import xgboost

    parameters = {**TREE_PARAMETERS, **GAIN_PARAMETERS, "seed": SEED, "nthread": THREADS}
    parameters |= {"disable_default_eval_metric": False, "eval_metric": f"ndcg@{ITEMS}"}
    parameters |= {"ndcg_exp_gain": False, "verbosity": 0}
    fitted = xgboost.QuantileDMatrix(train.features, label=train.gains)
    fitted.set_group(train.group_sizes)
    watched = xgboost.QuantileDMatrix(valid.features, label=valid.gains, ref=fitted)
    watched.set_group(valid.group_sizes)
    booster = xgboost.train(
        parameters, fitted, num_boost_round=TREES, evals=[(watched, "valid")], verbose_eval=False
    )
    return int(booster.num_boosted_rounds())


def draw_into_a_file(rows: int, folder: Path) -> TrainingSet:
    """As `draw_slates`, drawn in blocks, with features that never were in memory as a whole."""
    features, parts = FeatureRows(Room(0, folder)), []
    for first in range(0, rows, BLOCK_ROWS):
        block = draw_slates(min(BLOCK_ROWS, rows - first), 100 + first)
        features.append(block.features)
        parts.append(replace(block, features=block.features[:, :0].copy()))
    whole = TrainingSet.joined(parts)
    return replace(whole, features=features.in_order(np.arange(whole.rows)))


class PeakMemory:
    """The most memory that this process had to itself, looked at ten times a second."""

    def __init__(self) -> None:
        self.gigabytes = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        status = Path("/proc/self/status")
        while not self._ended.wait(0.1):
            (line,) = [each for each in status.read_text().splitlines() if each.startswith("RssAnon")]
            self.gigabytes = max(self.gigabytes, int(line.split()[1]) / 2**20)


def measure_once(who: str, rows: int) -> dict[str, Any]:
    """Seconds and peak memory of one training, measured in this process."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as name:
        train = draw_into_a_file(rows, Path(name)) if who == "paged" else draw_slates(rows, 1)
        watched = int(rows * VALID_SHARE)
        valid = draw_into_a_file(watched, Path(name)) if who == "paged" else draw_slates(watched, 2)
        with PeakMemory() as own:
            began = time.perf_counter()
            trees = {"ours": train_ours, "paged": train_paged, "bare": train_bare}[who](train, valid)
            seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"trees": trees, "seconds": seconds, "peak_gb": peak, "own_gb": own.gigabytes}


def _in_a_process(who: str, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.fit", who, str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{who} {rows:,} rows: {found['seconds']:.1f} s, {found['peak_gb']:.2f} GB, {found['trees']} trees")
    return found


def run(path: Path) -> None:
    """Measure and write `path`."""
    large = [(_in_a_process("ours", ROWS), _in_a_process("bare", ROWS)) for _ in range(TIMES)]
    small = [_in_a_process("ours", SMALL_ROWS) for _ in range(TIMES)]
    paged = _in_a_process("paged", LARGE_ROWS)
    ours, bare = (median(pair[place]["seconds"] for pair in large) for place in (0, 1))
    ratio = median(mine["seconds"] / theirs["seconds"] for mine, theirs in large)
    quick = median(each["seconds"] for each in small)
    figures = [
        figure(f"{ROWS:,} x {FEATURES}, {TREES} trees", ours, "s", "< 30"),
        figure("bare XGBoost on the same matrix", bare, "s"),
        figure("ratio, median of pairs", ratio, "x", "< 1.15"),
        figure("peak memory of the process", max(mine["peak_gb"] for mine, _ in large), "GB", "< 2"),
        figure(
            f"exponent of time from {SMALL_ROWS:,} rows",
            math.log(ours / quick, ROWS / SMALL_ROWS),
            "",
            "< 1.1",
        ),
        figure(f"{LARGE_ROWS:,} x {FEATURES} from a file, {LARGE_TREES} trees", paged["seconds"], "s"),
        figure(f"memory of its own for {LARGE_ROWS:,} rows from a file", paged["own_gb"], "GB", "< 2"),
    ]
    note = (
        f"Slates of {ITEMS} items, {VALID_SHARE:.0%} more of them to watch NDCG@{ITEMS} on after every tree, "
        f"{THREADS} threads, medians of {TIMES}, ours and bare in turns, each in a process of its own. The "
        f"platform itself stops early and grows at most {MAX_ROUNDS} trees; rates come after the fit. "
        "Peak memory holds the arrays of the slates too. Features of the large set take "
        f"{LARGE_ROWS * FEATURES * 4 / 2**30:.1f} GB in their file."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=fit", note=note)


if __name__ == "__main__":
    print(json.dumps(measure_once(sys.argv[1], int(sys.argv[2]))))
