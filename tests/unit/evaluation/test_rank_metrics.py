"""Each metric against scikit-learn, scipy or its plain definition, with ties and empty groups."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations
from statistics import mean
from time import process_time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import kendalltau
from sklearn.metrics import dcg_score

from letterpress.evaluation.ndcg import dcg_per_group, ndcg_per_group
from letterpress.evaluation.pairwise_accuracy import pairwise_accuracy_per_group
from letterpress.evaluation.reciprocal_rank import reciprocal_rank_per_group
from letterpress.evaluation.variety import catalogue_coverage, diversity_per_group

Floats = NDArray[np.float64]
CASES = {
    "seed": st.integers(0, 2**32 - 1),
    "sizes": st.lists(st.integers(0, 6), min_size=1, max_size=8),
    "levels": st.integers(1, 6),
}


def random_groups(seed: int, sizes: list[int], levels: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    scores = generator.integers(0, levels, offsets[-1]).astype(float)
    return scores, generator.integers(0, 3, offsets[-1]).astype(float), offsets


def plain_reciprocal_rank(scores: Floats, gains: Floats) -> float:
    """The mean over all orders that respect the scores."""
    if not gains.any():
        return float("nan")
    orders = [
        order
        for order in permutations(range(len(scores)))
        if all(scores[above] >= scores[below] for above, below in pairwise(order))
    ]
    return mean(1 / (1 + next(rank for rank, row in enumerate(order) if gains[row] > 0)) for order in orders)


@settings(max_examples=15, deadline=None)
@given(**CASES)
def test_reciprocal_rank_equals_the_mean_over_all_orders_of_ties(
    seed: int, sizes: list[int], levels: int
) -> None:
    scores, gains, offsets = random_groups(seed, sizes, levels)
    found = reciprocal_rank_per_group(scores, gains, offsets)
    expected = [plain_reciprocal_rank(scores[a:b], gains[a:b]) for a, b in pairwise(offsets)]
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(**CASES)
def test_pairwise_accuracy_equals_counting_pairs(seed: int, sizes: list[int], levels: int) -> None:
    scores, gains, offsets = random_groups(seed, sizes, levels)
    found = pairwise_accuracy_per_group(scores, gains, offsets)
    for index, (start, end) in enumerate(pairwise(offsets)):
        marks = [
            (1 + np.sign((scores[a] - scores[b]) * (gains[a] - gains[b]))) / 2
            for a, b in combinations(range(start, end), 2)
            if gains[a] != gains[b]
        ]
        assert found[index] == pytest.approx(mean(marks) if marks else np.nan, nan_ok=True)


def test_pairwise_accuracy_is_kendalls_tau_on_another_scale() -> None:
    generator = np.random.default_rng(3)
    scores, gains = generator.random(200), generator.random(200)
    found = pairwise_accuracy_per_group(scores, gains, np.array([0, 200]))
    assert found[0] == pytest.approx((1 + kendalltau(scores, gains).statistic) / 2)


@settings(max_examples=60, deadline=None)
@given(**CASES, k=st.integers(1, 7))
def test_dcg_equals_scikit_learn(seed: int, sizes: list[int], levels: int, k: int) -> None:
    scores, gains, offsets = random_groups(seed, sizes, levels)
    found = dcg_per_group(scores, gains, offsets, k)
    for index, (start, end) in enumerate(pairwise(offsets)):
        if end - start < 2:  # scikit-learn wants two items
            assert found[index] == gains[start:end].sum()
        else:
            assert found[index] == pytest.approx(dcg_score([gains[start:end]], [scores[start:end]], k=k))


@settings(max_examples=60, deadline=None)
@given(**CASES, k=st.integers(1, 7))
def test_variety_equals_its_plain_definition(seed: int, sizes: list[int], levels: int, k: int) -> None:
    scores, kinds, offsets = random_groups(seed, sizes, levels)
    codes = kinds.astype(np.int64)
    found = diversity_per_group(scores, codes, offsets, k)
    shown: set[int] = set()
    for index, (start, end) in enumerate(pairwise(offsets)):
        best = sorted(range(start, end), key=lambda row: -scores[row])[:k]
        shown.update(codes[best].tolist())
        pairs = [float(codes[a] != codes[b]) for a, b in combinations(best, 2)]
        assert found[index] == pytest.approx(mean(pairs) if pairs else np.nan, nan_ok=True)
    assert catalogue_coverage(scores, codes, offsets, k, catalogue_size=3) == pytest.approx(len(shown) / 3)


def test_a_catalogue_smaller_than_what_was_shown_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 items"):
        catalogue_coverage(np.ones(2), np.arange(2), np.array([0, 2]), 2, catalogue_size=1)


def test_ten_thousand_slates_take_less_than_a_second() -> None:
    generator = np.random.default_rng(1)
    offsets = np.arange(0, 80_001, 8)
    scores, gains = generator.random(80_000), generator.random(80_000)
    started = process_time()
    for metric in (reciprocal_rank_per_group, pairwise_accuracy_per_group):
        assert len(metric(scores, gains, offsets)) == 10_000
    assert len(ndcg_per_group(scores, gains, offsets, 8)) == 10_000
    assert process_time() - started < 1
