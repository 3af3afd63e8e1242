"""Fits a linear head to A/B tests: ridge on log click rates within the test, weighted by evidence.

What the arms of a test share (its story, its day, its readers) says nothing of which arm wins, so both
sides are centred within the test. An arm's log rate has a variance of about one over its clicks, and some
more that no text explains; its weight is one over their sum. How much to shrink is chosen by folds of whole
tests, with near-duplicate texts in one fold, inside of what is trained on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from letterpress.errors import NotEnoughDataError
from letterpress.ranking.linear_head import LinearHead, Weights
from letterpress.ranking.near_duplicates import grouped_folds, near_duplicate_groups

Floats = NDArray[np.float64]

SENTENCE_PREFIX = "sentence_"
SPREAD = 0.1
"""Standard deviation of an arm's log rate beside that of counting."""
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""In units of the mean weight of a row."""
COUNT_SHARES = (0.5, 0.7, 1.0)
"""Length of the block of counts beside that of the sentence, both measured within tests."""
FOLDS = 5
MIN_SHAPE, MAX_SHAPE = 1.0, 1000.0


@dataclass(frozen=True, slots=True)
class Arms:
    """Arms of A/B tests, one a row; `tests` counts from 0 and rows of a test stand together."""

    feature_names: tuple[str, ...]
    features: NDArray[np.float32]
    """`(n, n_features)`; NaN is missing."""
    clicks: NDArray[np.int64]
    trials: NDArray[np.int64]
    tests: NDArray[np.int64]
    weights: Floats = field(default_factory=lambda: np.zeros(0))
    """What each arm counts beside its evidence `(n,)`, the same for all of a test; empty: all alike."""

    def __len__(self) -> int:
        return len(self.tests)

    def take(self, rows: NDArray[np.bool_]) -> Arms:
        """The arms where `rows` is true; tests are counted anew."""
        _, tests = np.unique(self.tests[rows], return_inverse=True)
        return Arms(
            self.feature_names,
            self.features[rows],
            self.clicks[rows],
            self.trials[rows],
            tests.astype(np.int64),
            self.weights[rows] if len(self.weights) else self.weights,
        )


class FittedHead(NamedTuple):
    head: LinearHead
    facts: dict[str, Any]
    """How it came about: rows, tests, penalty, share, error within the folds."""


class _Problem(NamedTuple):
    """Centred and scaled: what ridge solves."""

    inputs: Floats
    outputs: Floats
    weights: Floats
    scales: Floats
    """What `inputs` were divided by."""


def fit_linear_head(arms: Arms, *, seed: int) -> FittedHead:
    """The head of `arms`; of counts of words alone where no sentence features are known.

    Raises:
        NotEnoughDataError: fewer than ten tests have two arms that were delivered, or none was clicked.
    """
    with threadpool_limits(1, user_api="blas"):  # the bits must not depend on how many threads share a sum
        return _fit_head(arms, seed)


def _fit_head(arms: Arms, seed: int) -> FittedHead:
    arms = arms.take((arms.trials > 0) & np.isfinite(arms.features[:, _counted(arms)]).all(axis=1))
    _require_comparable(arms)
    counted, sentence = _counted(arms), _sentence(arms)
    has_sentences = len(sentence) > 0 and bool(np.isfinite(arms.features[:, sentence]).all())
    folds = grouped_folds(_groups(arms, sentence) if has_sentences else arms.tests, FOLDS, seed=seed)
    alone, counted_facts, left = _fit(arms, [counted], folds)
    if not has_sentences:
        return FittedHead(LinearHead(alone, None, _shape(left, arms)), {"sentences": False, **counted_facts})
    whole, facts, left = _fit(arms, [sentence, counted], folds)
    return FittedHead(LinearHead(whole, alone, _shape(left, arms)), {"sentences": True, **facts})


def _groups(arms: Arms, sentence: NDArray[np.intp]) -> NDArray[np.int64]:
    """Tests with nearly the same text as one group; every test for itself where nearly all are alike."""
    vectors = arms.features[:, sentence]
    groups = near_duplicate_groups(vectors - vectors.mean(axis=0), arms.tests)
    return groups if np.bincount(groups).max() < len(arms) / FOLDS else arms.tests


def _counted(arms: Arms) -> NDArray[np.intp]:
    return np.array([at for at, name in enumerate(arms.feature_names) if name.startswith("text_")], np.intp)


def _sentence(arms: Arms) -> NDArray[np.intp]:
    starts = [at for at, name in enumerate(arms.feature_names) if name.startswith(SENTENCE_PREFIX)]
    return np.array(starts, np.intp)


def _require_comparable(arms: Arms) -> None:
    tests = int((np.bincount(arms.tests) > 1).sum()) if len(arms) else 0
    if tests < 2 * FOLDS:
        raise NotEnoughDataError(
            f"expected at least {2 * FOLDS} A/B tests with two texts that were delivered, found {tests}; "
            "import more tests and run again."
        )
    if not arms.clicks.any():
        raise NotEnoughDataError(
            f"expected clicks to learn from, found none in {tests} A/B tests; wait for their outcomes."
        )


def evidence_weights(clicks: NDArray[np.integer]) -> Floats:
    """Weights `(n,)` of observed log rates: one over their variance.

    >>> evidence_weights(np.array([0, 99])).round(2).tolist()
    [0.99, 50.0]
    """
    weights: Floats = 1.0 / (counting_variance(clicks) + SPREAD**2)
    return weights


def log_rates(clicks: NDArray[np.integer], trials: NDArray[np.integer]) -> Floats:
    """Observed log click rates `(n,)`, half a click and one trial added."""
    rates: Floats = np.log((clicks + 0.5) / (trials + 1.0))
    return rates


def centre_within(values: Floats, tests: NDArray[np.int64], weights: Floats | None = None) -> Floats:
    """`values` `(n,)` or `(n, d)` less the weighted mean of their test.

    >>> centre_within(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1])).tolist()
    [-1.0, 1.0, 0.0]
    """
    if weights is None:
        weights = np.ones(len(values))
    totals = np.bincount(tests, weights)
    flat = values.reshape(len(values), -1)
    order = np.argsort(tests, kind="stable")
    starts = np.flatnonzero(np.diff(tests[order], prepend=-1))
    sums = np.zeros((len(totals), flat.shape[1]))
    sums[tests[order][starts]] = np.add.reduceat((flat * weights[:, None])[order], starts, axis=0)
    means = sums / np.maximum(totals, 1e-12)[:, None]
    centred: Floats = (flat - means[tests]).reshape(values.shape)
    return centred


def _problem(arms: Arms, blocks: list[NDArray[np.intp]]) -> _Problem:
    """Each block has a mean squared length of one within tests; counts are first brought to one scale."""
    weights = evidence_weights(arms.clicks)
    if len(arms.weights):
        weights = weights * arms.weights
    parts, scales = [], []
    for block in blocks:
        inputs = centre_within(arms.features[:, block].astype(np.float64), arms.tests)
        spread = np.sqrt((inputs**2).mean(axis=0))
        is_sentence = arms.feature_names[block[0]].startswith(SENTENCE_PREFIX)
        scale = np.ones(len(block)) if is_sentence else np.where(spread > 1e-9, spread, np.inf)
        length = np.sqrt(((inputs / scale) ** 2).sum(axis=1).mean())
        scale = scale * (length if length > 0 else 1.0)
        parts.append(inputs / scale)
        scales.append(scale)
    outputs = centre_within(log_rates(arms.clicks, arms.trials), arms.tests, weights)
    return _Problem(np.concatenate(parts, axis=1), outputs, weights, np.concatenate(scales))


def _fit(
    arms: Arms, blocks: list[NDArray[np.intp]], folds: NDArray[np.int64]
) -> tuple[Weights, dict[str, Any], Floats]:
    """Weights, how they were chosen, and what they left unexplained in rows that they had not seen."""
    problem = _problem(arms, blocks)
    shares = COUNT_SHARES if len(blocks) > 1 else (1.0,)
    best: tuple[float, float, float] | None = None
    unexplained = problem.outputs
    for share in shares:
        inputs = problem.inputs * _stretch(blocks, share)
        predicted = _predict_folds(inputs, problem, folds)
        errors = (problem.weights[:, None] * (problem.outputs[:, None] - predicted) ** 2).sum(axis=0)
        lowest = int(np.argmin(errors))
        if best is None or errors[lowest] < best[0]:
            best = (float(errors[lowest]), share, PENALTIES[lowest])
            unexplained = problem.outputs - predicted[:, lowest]
    error, share, penalty = best or (0.0, 1.0, 1.0)
    stretch = _stretch(blocks, share)
    solved = _solve(problem.inputs * stretch, problem, np.array([penalty]))[:, 0] * stretch / problem.scales
    columns = np.concatenate(blocks)
    weights = Weights(
        features=tuple(arms.feature_names[column] for column in columns),
        weights=tuple(solved.tolist()),
        means=tuple(arms.features[:, columns].mean(axis=0, dtype=np.float64).tolist()),
        log_rate=float(np.log((arms.clicks.sum() + 0.5) / (arms.trials.sum() + 1.0))),
    )
    whole = float((problem.weights * problem.outputs**2).sum())
    facts = {"penalty": penalty, "count_share": share, "explained": round(1 - error / whole, 6)}
    return weights, {"arms": len(arms), "tests": int(arms.tests.max()) + 1, **facts}, unexplained


def _stretch(blocks: list[NDArray[np.intp]], share: float) -> Floats:
    """One for the first block, `share` for the second."""
    return np.concatenate([np.full(len(block), share if at else 1.0) for at, block in enumerate(blocks)])


def _solve(inputs: Floats, problem: _Problem, penalties: Floats) -> Floats:
    """Weights `(d, n_penalties)` of ridge, by one decomposition for all penalties."""
    weighted = inputs * problem.weights[:, None]
    values, vectors = np.linalg.eigh(inputs.T @ weighted)
    turned = vectors.T @ (weighted.T @ problem.outputs)
    shrunk = turned[:, None] / (np.maximum(values, 0.0)[:, None] + penalties * problem.weights.mean())
    solved: Floats = vectors @ shrunk
    return solved


def _predict_folds(inputs: Floats, problem: _Problem, folds: NDArray[np.int64]) -> Floats:
    """What each penalty predicts `(n, n_penalties)` for rows of a fold that it has not seen."""
    predicted = np.zeros((len(inputs), len(PENALTIES)))
    for fold in range(FOLDS):
        seen = folds != fold
        part = _Problem(inputs[seen], problem.outputs[seen], problem.weights[seen], problem.scales)
        predicted[~seen] = inputs[~seen] @ _solve(inputs[seen], part, np.array(PENALTIES))
    return predicted


def _shape(unexplained: Floats, arms: Arms) -> float:
    """Shape of the gamma prior: one over the variance of log rates that the text leaves, counting aside."""
    sizes = np.bincount(arms.tests)[arms.tests]
    weights = evidence_weights(arms.clicks)
    compared = sizes > 1
    freed = 1.0 - 1.0 / sizes[compared]  # centring within a test of m arms leaves m - 1 of m
    counting = (weights * counting_variance(arms.clicks))[compared] * freed
    total = (weights * unexplained**2)[compared]
    variance = (total.sum() - counting.sum()) / (weights[compared] * freed).sum()
    return float(np.clip(1.0 / max(variance, 1e-9), MIN_SHAPE, MAX_SHAPE))


def counting_variance(clicks: NDArray[np.integer]) -> Floats:
    """Variance `(n,)` of observed log rates that counting alone gives."""
    variance: Floats = 1.0 / (clicks.astype(np.float64) + 1.0)
    return variance
