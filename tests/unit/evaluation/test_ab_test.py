"""Significance, accuracy and lift against plain definitions; a verdict that says when it does not know."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from letterpress.evaluation.ab_test import (
    ArmCounts,
    judge_by_ab_tests,
    lift_of_pick,
    ordered_right,
    significant_pairs,
)

SIZE = 4


def make_tests(tests: int, *, seed: int = 1, spread: float = 0.3) -> tuple[ArmCounts, np.ndarray]:
    """Counts of `tests` tests of four arms, and the true log rates."""
    generator = np.random.default_rng(seed)
    truth = np.log(0.015) + generator.normal(scale=spread, size=tests * SIZE)
    trials = np.full(tests * SIZE, 4000)
    clicks = generator.binomial(trials, np.exp(truth))
    return ArmCounts(clicks, trials, np.arange(0, tests * SIZE + 1, SIZE)), truth


def test_significance_is_that_of_the_chi_square_test() -> None:
    arms, _ = make_tests(30)
    pairs = significant_pairs(arms)
    expected = set()
    for start in range(0, len(arms.clicks), SIZE):
        for left in range(start, start + SIZE):
            for right in range(left + 1, start + SIZE):
                clicks, trials = arms.clicks[[left, right]], arms.trials[[left, right]]
                if chi2_contingency([clicks, trials - clicks], correction=False).pvalue < 0.05:
                    best = (left, right) if clicks[0] > clicks[1] else (right, left)
                    expected.add(best)
    assert set(zip(pairs.better.tolist(), pairs.worse.tolist(), strict=True)) == expected
    assert (pairs.better // SIZE == pairs.tests).all()


def test_a_tie_is_half_right_and_the_lift_of_a_tie_is_the_mean_arm() -> None:
    arms, _ = make_tests(20)
    nothing = np.zeros(len(arms.clicks))
    assert (ordered_right(nothing, significant_pairs(arms)) == 0.5).all()
    assert lift_of_pick(nothing, arms) == pytest.approx(np.zeros(20), abs=1e-12)


def test_tests_that_cannot_tell_are_left_out() -> None:
    arms = ArmCounts(np.array([1, 0, 0, 5, 9]), np.array([10, 0, 10, 10, 10]), np.array([0, 2, 3, 5]))
    assert np.isnan(lift_of_pick(np.arange(5.0), arms)).tolist() == [True, True, False]
    assert len(significant_pairs(ArmCounts(np.zeros(0, int), np.zeros(0, int), np.array([0]))).better) == 0


def test_a_ranker_that_knows_is_promoted_over_one_that_does_not() -> None:
    arms, truth = make_tests(200)
    noise = np.random.default_rng(2).normal(size=len(truth))
    scores = {"popularity": np.zeros(len(truth)), "champion": noise, "challenger": truth}
    scores["random"] = -noise
    verdict = judge_by_ab_tests(scores, arms, min_gain=0.0, min_tests=50, epsilon=0.005, seed=1)
    assert verdict.promoted
    assert verdict.numbers["popularity"]["mean"] == pytest.approx(0.0, abs=1e-12)
    assert verdict.numbers["accuracy"]["challenger"]["mean"] > 0.95
    assert verdict.numbers["baselines"]["random"]["mean"] < verdict.numbers["challenger"]["mean"]
    assert "the challenger is promoted" in verdict.reason


@pytest.mark.parametrize(("swap", "words"), [(True, "is worse"), (False, "not above the bar")])
def test_a_ranker_that_is_no_better_is_refused_in_words(swap: bool, words: str) -> None:
    arms, truth = make_tests(200)
    noise = np.random.default_rng(2).normal(size=len(truth))
    champion, challenger = (truth, noise) if swap else (truth, truth)
    scores = {"popularity": np.zeros(len(truth)), "champion": champion, "challenger": challenger}
    verdict = judge_by_ab_tests(scores, arms, min_gain=0.0, min_tests=50, epsilon=0.005, seed=1)
    assert not verdict.promoted
    assert words in verdict.reason


def test_too_few_tests_are_refused_before_any_number_is_shown() -> None:
    arms, truth = make_tests(10)
    scores = dict.fromkeys(("popularity", "champion", "challenger"), truth)
    verdict = judge_by_ab_tests(scores, arms, min_gain=0.0, min_tests=50, epsilon=0.005, seed=1)
    assert not verdict.promoted
    assert "found 10 tests" in verdict.reason
    assert not {"difference", "look"} & verdict.numbers.keys()


def nearly_equal() -> tuple[dict[str, np.ndarray], ArmCounts]:
    """Rankers of which the challenger is better by little more than chance would have it."""
    arms, truth = make_tests(200)
    noise = np.random.default_rng(2).normal(size=(2, len(truth)))
    scores = {"popularity": np.zeros(len(truth)), "champion": truth + noise[0] * 0.3}
    return scores | {"challenger": truth + noise[1] * 0.17}, arms


def test_a_gain_that_convinces_at_the_first_look_does_not_at_the_tenth() -> None:
    scores, arms = nearly_equal()
    first, tenth = (
        judge_by_ab_tests(scores, arms, min_gain=0.0, min_tests=50, epsilon=0.005, seed=1, look=look)
        for look in (1, 10)
    )
    assert first.promoted, first.reason
    assert not tenth.promoted
    assert "the lower bound for look 10" in tenth.reason
    assert (tenth.numbers["look"], tenth.numbers["error_at_look"]) == (10, pytest.approx(0.05 / 110))
    assert tenth.numbers["difference"]["low"] == first.numbers["difference"]["low"] > 0


def test_a_slice_of_tests_that_is_harmed_blocks_a_challenger_that_gains() -> None:
    arms, truth = make_tests(200)
    noise = np.random.default_rng(2).normal(size=len(truth))
    kind = np.where(np.arange(200) < 40, "sport", "news")
    harmed = np.repeat(kind == "sport", SIZE)
    scores = {"popularity": np.zeros(len(truth)), "champion": np.where(harmed, truth, noise)}
    scores["challenger"] = np.where(harmed, -truth, truth)
    verdict = judge_by_ab_tests(
        scores, arms, min_gain=0.0, min_tests=50, epsilon=0.005, seed=1, slices={"topic": kind}
    )
    assert verdict.numbers["difference"]["low"] > 0
    assert not verdict.promoted
    assert "it harms 1 of 2 slices: topic sport (-" in verdict.reason
