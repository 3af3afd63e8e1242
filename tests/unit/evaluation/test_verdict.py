from __future__ import annotations

import numpy as np
import pytest

from letterpress.evaluation.snips import estimate_policy_value
from letterpress.evaluation.verdict import RankersOnTest, Verdict, judge_by_ndcg, judge_by_snips


def judge(
    difference: float, *, slates: int = 600, min_test_slates: int = 200, noise: float = 0.02
) -> Verdict:
    generator = np.random.default_rng(1)
    champion = 0.4 + 0.2 * generator.random(slates)
    challenger = champion + difference + noise * generator.normal(size=slates)
    return judge_by_ndcg(
        RankersOnTest(8, champion, champion, challenger, np.arange(slates) // 3),
        min_relative_gain=0.005,
        min_test_slates=min_test_slates,
        seed=7,
    )


def test_a_clear_winner_is_promoted_with_its_numbers_in_the_reason() -> None:
    verdict = judge(0.05)
    assert verdict.promoted
    assert f"{verdict.numbers['challenger']['mean']:.4f}" in verdict.reason
    assert f"{verdict.numbers['difference']['low']:+.4f}" in verdict.reason


def test_a_gain_that_is_real_but_below_the_bar_is_refused() -> None:
    verdict = judge(0.001, noise=0.0001)
    assert verdict.numbers["difference"]["low"] > 0
    assert not verdict.promoted
    assert "not above the bar" in verdict.reason


def test_a_gain_that_noise_explains_is_refused_and_says_how_many_campaigns_would_tell() -> None:
    verdict = judge(0.01, slates=30, min_test_slates=10, noise=0.05)
    assert not verdict.promoted
    assert "campaigns would tell" in verdict.reason


def test_a_worse_challenger_is_called_worse() -> None:
    assert "is worse" in judge(-0.05).reason


def test_the_champion_itself_is_never_promoted() -> None:
    assert not judge(0.0, noise=0.0).promoted


def test_too_few_test_slates_refuse_before_anything_is_compared() -> None:
    verdict = judge(0.5, slates=100)
    assert not verdict.promoted
    assert "found 100" in verdict.reason
    assert "difference" not in verdict.numbers


def snips(clicks: int, rows: int, *, matched_click_rate: float, min_clicks: int = 30) -> Verdict:
    generator = np.random.default_rng(2)
    logged = np.full(rows, 0.1)
    target = (generator.random(rows) < 0.1).astype(float)
    rewards = np.zeros(rows)
    rewards[generator.choice(rows, clicks, replace=False)] = 1.0
    matched = np.flatnonzero(target)
    rewards[matched] = (generator.random(len(matched)) < matched_click_rate).astype(float)
    return judge_by_snips(
        champion=estimate_policy_value(rewards, logged, logged, seed=1, rounds=300),
        challenger=estimate_policy_value(rewards, logged, target, seed=1, rounds=300),
        min_relative_gain=0.0,
        min_effective_sample_size=1000.0,
        min_matched_clicks=min_clicks,
    )


def test_few_clicks_refuse_and_say_what_traffic_is_needed() -> None:
    verdict = snips(38, 2500, matched_click_rate=0.0)
    assert not verdict.promoted
    assert "effective sample size" in verdict.reason
    assert "such rows" in verdict.reason


def test_a_policy_that_clearly_earns_more_is_promoted() -> None:
    verdict = snips(400, 40_000, matched_click_rate=0.05)
    assert verdict.promoted, verdict.reason


def test_a_policy_that_earns_the_same_is_not_promoted() -> None:
    verdict = snips(2000, 40_000, matched_click_rate=0.05)
    assert not verdict.promoted
    assert verdict.numbers["challenger"]["snips"]["mean"] == pytest.approx(0.05, abs=0.01)


def test_numbers_hold_no_estimate_where_support_is_missing() -> None:
    verdict = snips(38, 2500, matched_click_rate=0.0)
    assert not verdict.promoted
    for policy in ("champion", "challenger"):
        assert "effective_sample_size" in verdict.numbers[policy]
    assert not {"ips", "snips"} & verdict.numbers["challenger"].keys()
