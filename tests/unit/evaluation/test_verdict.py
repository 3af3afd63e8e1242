from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.evaluation.snips import estimate_policy_value
from letterpress.evaluation.support import Asked
from letterpress.evaluation.verdict import (
    Condition,
    Gained,
    RankersOnTest,
    Verdict,
    judge_by_ndcg,
    judge_by_snips,
)


def judge(
    difference: float,
    *,
    slates: int = 600,
    min_test_slates: int = 200,
    min_test_campaigns: int = 30,
    noise: float = 0.02,
    look: int = 1,
    slices: dict[str, NDArray[np.str_]] | None = None,
    conditions: tuple[Condition, ...] = (),
) -> Verdict:
    generator = np.random.default_rng(1)
    champion = 0.4 + 0.2 * generator.random(slates)
    challenger = champion + difference + noise * generator.normal(size=slates)
    return judge_by_ndcg(
        RankersOnTest(8, champion, champion, challenger, np.arange(slates) // 3, slices=slices or {}),
        epsilon=0.005,
        min_test_slates=min_test_slates,
        min_test_campaigns=min_test_campaigns,
        seed=7,
        look=look,
        conditions=conditions,
    )


def test_a_clear_winner_is_promoted_with_its_numbers_in_the_reason() -> None:
    verdict = judge(0.05)
    assert verdict.promoted
    assert f"{verdict.numbers['challenger']['mean']:.4f}" in verdict.reason
    assert f"{verdict.numbers['gain']['low']:+.2%}" in verdict.reason
    assert verdict.numbers["gain"]["mean"] == pytest.approx(0.1, abs=0.01)


def test_a_gain_that_is_small_and_sure_not_to_be_a_loss_is_promoted() -> None:
    verdict = judge(0.001, noise=0.0001)
    assert verdict.promoted
    assert verdict.numbers["bar"] == -0.005


def test_a_loss_within_the_tolerance_is_never_promoted_however_sure() -> None:
    verdict = judge(-0.001, noise=0.01, slates=3000)
    assert verdict.numbers["gain"]["low"] > verdict.numbers["bar"]
    assert not verdict.promoted


def test_a_gain_that_noise_explains_is_refused_and_says_how_many_campaigns_would_tell() -> None:
    verdict = judge(0.01, slates=30, min_test_slates=10, min_test_campaigns=10, noise=0.08)
    assert not verdict.promoted
    assert "campaigns would tell" in verdict.reason


def test_the_same_evidence_is_worth_less_at_a_later_look() -> None:
    first, tenth = (judge(0.0015, noise=0.07, slates=1200, look=look) for look in (1, 10))
    assert first.promoted
    assert not tenth.promoted
    assert first.numbers["gain"]["low"] == tenth.numbers["gain"]["low"]
    assert "at look 10" in tenth.reason


def test_a_slice_that_is_harmed_blocks_a_winner_and_is_named() -> None:
    generator = np.random.default_rng(2)
    device = np.where(np.arange(600) % 10 == 0, "phones", "desktops")
    champion = 0.4 + 0.2 * generator.random(600)
    challenger = champion + np.where(device == "phones", -0.1, 0.05) + 0.02 * generator.normal(size=600)
    verdict = judge_by_ndcg(
        RankersOnTest(8, champion, champion, challenger, np.arange(600), slices={"device": device}),
        epsilon=0.005,
        min_test_slates=200,
        min_test_campaigns=30,
        seed=7,
    )
    assert verdict.numbers["gain"]["low"] > 0
    assert not verdict.promoted
    assert "it harms 1 of 2 slices: device phones (-" in verdict.reason


def test_a_condition_that_does_not_hold_blocks_and_so_does_one_that_was_not_measured() -> None:
    kept = Condition("calibration error", 0.02, 0.05)
    assert judge(0.05, conditions=(kept,)).promoted
    for broken in (Condition("latency", 9.0, 5.0, "ms"), Condition("latency", float("nan"), 5.0, "ms")):
        verdict = judge(0.05, conditions=(kept, broken))
        assert not verdict.promoted
        assert "latency" in verdict.reason
        assert "calibration" not in verdict.reason


def test_slates_that_tell_no_order_from_another_are_no_evidence() -> None:
    same = np.full(400, np.nan)
    verdict = judge_by_ndcg(
        RankersOnTest(8, same, same, same, np.arange(400)),
        epsilon=0.005,
        min_test_slates=200,
        min_test_campaigns=30,
        seed=7,
    )
    assert not verdict.promoted
    assert "400 slates that tell no order from another" in verdict.reason
    assert "look" not in verdict.numbers


def test_a_single_campaign_is_refused() -> None:
    generator = np.random.default_rng(1)
    ndcg = generator.random(400)
    verdict = judge_by_ndcg(
        RankersOnTest(8, ndcg, ndcg, ndcg + 0.1, np.zeros(400, int)),
        epsilon=0.005,
        min_test_slates=9,
        min_test_campaigns=2,
        seed=7,
    )
    assert not verdict.promoted
    assert "of 1 campaigns" in verdict.reason


def test_a_clear_winner_on_fewer_campaigns_than_declared_is_refused_without_a_look() -> None:
    assert judge(0.05, slates=90, min_test_slates=10).promoted
    verdict = judge(0.05, slates=87, min_test_slates=10)
    assert not verdict.promoted
    assert "of 30 campaigns or more; found 87 of 29 campaigns" in verdict.reason
    assert "look" not in verdict.numbers


def test_what_position_could_explain_widens_the_interval() -> None:
    generator = np.random.default_rng(1)
    champion = 0.4 + 0.2 * generator.random(600)
    gained = (
        Gained(champion, champion + 0.05),
        Gained(champion, champion + 0.08),
        Gained(champion, champion - 0.05 + 0.02 * generator.normal(size=600)),
    )
    verdict = judge_by_ndcg(
        RankersOnTest(8, champion, champion, champion + 0.05, np.arange(600), gained),
        epsilon=0.005,
        min_test_slates=200,
        min_test_campaigns=30,
        seed=7,
    )
    assert verdict.numbers["gain"]["mean"] > 0
    assert not verdict.promoted


def test_a_worse_challenger_is_called_worse() -> None:
    assert "is worse" in judge(-0.05).reason


def test_the_champion_itself_is_never_promoted() -> None:
    assert not judge(0.0, noise=0.0).promoted


def test_too_few_test_slates_refuse_before_anything_is_compared() -> None:
    verdict = judge(0.5, slates=100)
    assert not verdict.promoted
    assert "found 100" in verdict.reason
    assert "difference" not in verdict.numbers


def snips(
    clicks: int, rows: int, *, matched_click_rate: float, min_clicks: int = 30, look: int = 1
) -> Verdict:
    generator = np.random.default_rng(2)
    logged = np.full(rows, 0.1)
    target = (generator.random(rows) < 0.1).astype(float)
    rewards = np.zeros(rows)
    rewards[generator.choice(rows, clicks, replace=False)] = 1.0
    matched = np.flatnonzero(target)
    rewards[matched] = (generator.random(len(matched)) < matched_click_rate).astype(float)
    challenger = estimate_policy_value(rewards, logged, target, seed=1, rounds=300)
    return judge_by_snips(
        champion=estimate_policy_value(rewards, logged, logged, seed=1, rounds=300),
        challenger=challenger,
        min_relative_gain=0.0,
        asked=Asked(1000.0, min_clicks, 0.95),
        look=look,
        baselines={"random": challenger},
    )


def test_few_clicks_refuse_and_say_what_traffic_is_needed() -> None:
    verdict = snips(38, 2500, matched_click_rate=0.0)
    assert not verdict.promoted
    assert "effective sample size" in verdict.reason
    assert "such rows" in verdict.reason


def test_a_policy_that_clearly_earns_more_is_promoted() -> None:
    verdict = snips(400, 40_000, matched_click_rate=0.05)
    assert verdict.promoted, verdict.reason


def test_a_policy_that_convinces_at_the_first_look_does_not_at_the_tenth() -> None:
    first, tenth = (snips(400, 40_000, matched_click_rate=0.0143, look=look) for look in (1, 10))
    assert first.promoted, first.reason
    assert not tenth.promoted
    assert "at look 10 from" in tenth.reason
    assert tenth.numbers["look"] == 10


def test_a_policy_that_earns_the_same_is_not_promoted() -> None:
    verdict = snips(2000, 40_000, matched_click_rate=0.05)
    assert not verdict.promoted
    assert verdict.numbers["challenger"]["snips"]["mean"] == pytest.approx(0.05, abs=0.01)


def test_numbers_hold_no_estimate_where_support_is_missing() -> None:
    verdict = snips(38, 2500, matched_click_rate=0.0)
    assert not verdict.promoted
    for policy in ("champion", "challenger"):
        assert "effective_sample_size" in verdict.numbers[policy]
    for policy in (verdict.numbers["challenger"], verdict.numbers["baselines"]["random"]):
        assert not {"ips", "snips"} & policy.keys()
