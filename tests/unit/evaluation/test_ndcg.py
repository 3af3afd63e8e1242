from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from letterpress.evaluation.ndcg import GROUPS_AT_ONCE, dcg_per_group, ndcg_per_group


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(2, 12), min_size=1, max_size=8),
    k=st.integers(1, 14),
    levels=st.integers(1, 6),
)
def test_equals_scikit_learn_on_random_groups_with_ties(
    seed: int, sizes: list[int], k: int, levels: int
) -> None:
    generator = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    scores = generator.integers(0, levels, offsets[-1]).astype(float)
    gains = generator.integers(0, 3, offsets[-1]) * generator.random(offsets[-1])
    found = ndcg_per_group(scores, gains, offsets, k)
    for index, (start, end) in enumerate(pairwise(offsets)):
        if gains[start:end].sum() == 0:
            assert np.isnan(found[index])
        else:
            expected = ndcg_score([gains[start:end]], [scores[start:end]], k=k)
            assert found[index] == pytest.approx(expected, abs=1e-12)


def test_the_order_of_rows_never_matters() -> None:
    generator = np.random.default_rng(5)
    scores, gains = generator.integers(0, 3, 30).astype(float), generator.random(30)
    shuffled = generator.permutation(30)
    offsets = np.array([0, 30])
    assert ndcg_per_group(scores, gains, offsets, 8) == pytest.approx(
        ndcg_per_group(scores[shuffled], gains[shuffled], offsets, 8), abs=1e-12
    )


def test_an_empty_group_and_one_without_gain_are_nan() -> None:
    found = ndcg_per_group(np.array([1.0, 2.0]), np.array([0.0, 0.0]), np.array([0, 0, 2]), 3)
    assert np.isnan(found).tolist() == [True, True]


def test_minus_infinity_comes_last() -> None:
    scores, gains = np.array([-np.inf, 0.0]), np.array([1.0, 0.0])
    assert ndcg_per_group(scores, gains, np.array([0, 2]), 1).tolist() == [0.0]


@pytest.mark.parametrize(
    ("scores", "gains", "offsets", "k"),
    [
        ([np.nan, 1.0], [1.0, 0.0], [0, 2], 1),
        ([0.0, 1.0], [-1.0, 0.0], [0, 2], 1),
        ([0.0, 1.0], [1.0, 0.0], [0, 1], 1),
        ([0.0, 1.0], [1.0, 0.0], [0, 2], 0),
    ],
)
def test_unsound_input_is_refused(
    scores: list[float], gains: list[float], offsets: list[int], k: int
) -> None:
    with pytest.raises(ValueError, match="expected"):
        ndcg_per_group(np.array(scores), np.array(gains), np.array(offsets), k)


def test_more_groups_than_are_taken_at_once_are_each_worth_what_they_are_alone() -> None:
    generator = np.random.default_rng(5)
    sizes = generator.integers(0, 5, GROUPS_AT_ONCE * 2 + 7)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    scores, gains = generator.integers(0, 3, offsets[-1]) / 2, generator.integers(0, 3, offsets[-1]) * 0.3
    whole = dcg_per_group(scores, gains, offsets, 2)
    for group in (0, GROUPS_AT_ONCE - 1, GROUPS_AT_ONCE, 2 * GROUPS_AT_ONCE, len(sizes) - 1):
        rows = slice(offsets[group], offsets[group + 1])
        assert whole[group] == dcg_per_group(scores[rows], gains[rows], np.array([0, sizes[group]]), 2)[0]
    assert len(whole) == len(sizes)
    assert np.count_nonzero(whole) > len(sizes) / 2
