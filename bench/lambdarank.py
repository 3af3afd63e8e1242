"""`lambdarank`: our ranker against LightGBM's, on LightGBM's own example and trained in the same run.

Both get the same queries and are measured by our NDCG@5 (gain `2 ** grade - 1`) on the example's test file.
LightGBM is trained twice: stopped early on a fifth of the queries, and on all of them with the 100 trees of
the example. Ours gets the same fifth to stop on; it is so small that the platform counts trees by folds and
learns from all queries. A test of 50 queries says little, so the figures are means over seeds, which also
draw which queries are held out.
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from bench.report import figure, write_result
from letterpress.clock import SystemClock
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotYetThereError
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.ranking.train_ranker import train_ranker
from letterpress.recommenders import Recommender, get_recommender
from letterpress.settings import Settings, read_settings

SEEDS = 10
K = 5
N_FEATURES = 300
VALID_SHARE = 0.2
LIGHTGBM = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [K],
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "min_sum_hessian_in_leaf": 5.0,
    "bagging_freq": 1,
    "bagging_fraction": 0.9,
    "verbosity": -1,
    "deterministic": True,
}
"""The settings of the example itself."""
EXAMPLE_TREES = 100
MAX_ROUNDS, PATIENCE = 400, 40


def read_queries(settings: Settings, part: str) -> TrainingSet:
    """The example's `train` or `test` part as slates.

    Raises:
        NotYetThereError: the reference data is absent.
    """
    folder = (settings.reference_data or settings.project.parent / "shared" / "data") / "lambdarank"
    if not folder.is_dir():
        raise NotYetThereError(
            f"expected the reference data {folder.name} beside the checkout, found none; "
            "set LETTERPRESS_REFERENCE_DATA."
        )
    lines = gzip.decompress((folder / f"rank.{part}.gz").read_bytes()).decode().splitlines()
    features = np.full((len(lines), N_FEATURES), np.nan, dtype=np.float32)
    grades = np.empty(len(lines))
    for row, line in enumerate(lines):
        grade, *cells = line.split()
        grades[row] = float(grade)
        for cell in cells:
            place, _, value = cell.partition(":")
            features[row, int(place) - 1] = float(value)
    sizes = np.array((folder / f"rank.{part}.query").read_text().split(), dtype=np.int64)
    queries = np.arange(len(sizes))
    return TrainingSet(
        feature_names=tuple(f"f{place}" for place in range(N_FEATURES)),
        features=features,
        gains=(2.0**grades - 1.0).astype(np.float32),
        clicks=(grades > 0).astype(np.int64),
        position=np.ones(len(lines), dtype=np.int32),
        propensity=np.full(len(lines), np.nan),
        item_codes=np.arange(len(lines), dtype=np.int32),
        item_ids=np.arange(len(lines)).astype(object),
        group_offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        slate_ids=queries.astype(object),
        campaign_codes=queries.astype(np.int32),
        shown_at=queries * 1_000_000,
    )


def ndcg_at(scores: NDArray[np.floating], test: TrainingSet) -> float:
    """Mean NDCG@5 over the queries that have any gain."""
    return float(np.nanmean(ndcg_per_group(scores, test.gains, test.group_offsets, K)))


def our_scores(
    declared: Recommender, train: TrainingSet, valid: TrainingSet, test: TrainingSet, seed: int, threads: int
) -> NDArray[np.float32]:
    import xgboost

    trained = train_ranker(train, valid, declared, seed=seed, threads=threads)
    booster = xgboost.Booster(model_file=bytearray(trained.booster))
    return np.asarray(booster.inplace_predict(test.features), dtype=np.float32)


def their_scores(
    train: TrainingSet, valid: TrainingSet, test: TrainingSet, seed: int, threads: int
) -> NDArray[np.float64]:
    import lightgbm

    def grades(part: TrainingSet) -> NDArray[np.float64]:
        return np.log2(part.gains + 1.0).round()

    fitted = lightgbm.Dataset(train.features, grades(train), group=train.group_sizes)
    booster = lightgbm.train(
        {**LIGHTGBM, "seed": seed, "num_threads": threads},
        fitted,
        num_boost_round=MAX_ROUNDS,
        valid_sets=[
            lightgbm.Dataset(valid.features, grades(valid), group=valid.group_sizes, reference=fitted)
        ],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    return np.asarray(booster.predict(test.features), dtype=np.float64)


def their_scores_of_all(
    whole: TrainingSet, test: TrainingSet, seed: int, threads: int
) -> NDArray[np.float64]:
    import lightgbm

    grades = np.log2(whole.gains + 1.0).round()
    fitted = lightgbm.Dataset(whole.features, grades, group=whole.group_sizes)
    parameters = {**LIGHTGBM, "seed": seed, "num_threads": threads}
    booster = lightgbm.train(parameters, fitted, num_boost_round=EXAMPLE_TREES)
    return np.asarray(booster.predict(test.features), dtype=np.float64)


def run(path: Path) -> None:
    """Measure and write `path`."""
    settings = read_settings()
    whole, test = read_queries(settings, "train"), read_queries(settings, "test")
    pictures = get_recommender("image_enhancement")
    declared = replace(
        pictures,
        slate_size=K,
        objective="pairwise",
        gates=replace(pictures.gates, min_training_slates=50, min_test_slates=20),
    )
    ours, theirs, of_all = [], [], []
    for seed in range(SEEDS):
        held = np.random.default_rng(seed).random(len(whole)) < VALID_SHARE
        train, valid = whole.take(~held), whole.take(held)
        ours.append(ndcg_at(our_scores(declared, train, valid, test, seed, settings.threads), test))
        theirs.append(ndcg_at(their_scores(train, valid, test, seed, settings.threads), test))
        of_all.append(ndcg_at(their_scores_of_all(whole, test, seed, settings.threads), test))
        print(
            f"seed {seed}: ours {ours[-1]:.4f}, LightGBM {theirs[-1]:.4f}, of all {of_all[-1]:.4f}",
            flush=True,
        )
    error = float(np.std(np.array(ours) - np.array(theirs), ddof=1) / SEEDS**0.5)
    figures = [
        figure("NDCG@5 of our ranker, mean", mean(ours), ""),
        figure("NDCG@5 of LightGBM, mean", mean(theirs), ""),
        figure("NDCG@5 of LightGBM that learns from all, mean", mean(of_all), ""),
        figure("ratio", mean(ours) / mean(theirs), "x", ">= 0.99"),
        figure("ratio to LightGBM that learns from all", mean(ours) / mean(of_all), "x", ">= 0.99"),
        figure("standard error of the difference over seeds", error, ""),
    ]
    note = (
        f"{len(whole)} queries to learn from, {VALID_SHARE:.0%} of them to stop on, {len(test)} to "
        f"test; {SEEDS} seeds. LightGBM has the settings of its own example, ours those of the platform."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=lambdarank", note=note)
