from typing import Any

import numpy as np

from letterpress.evaluation.verdict import RankersOnTest, judge_by_ndcg
from letterpress.site.verdict_charts import draw_verdict


def judged(gain: float) -> dict[str, Any]:
    generator = np.random.default_rng(7)
    champion = generator.uniform(0.4, 0.6, 400)
    verdict = judge_by_ndcg(
        RankersOnTest(8, champion, champion, champion + gain, np.arange(400) // 4),
        epsilon=0.01,
        min_test_slates=10,
        min_test_campaigns=30,
        seed=7,
        rounds=200,
    )
    return {"numbers": verdict.numbers}


def test_a_judged_verdict_is_drawn_as_levels_and_as_a_difference() -> None:
    drawn = draw_verdict(judged(gain=0.05))

    levels, difference = drawn.charts
    assert [row.label for row in levels.rows] == ["popularity", "champion", "challenger"]
    assert [mark.text for mark in difference.marks] == ["no change", "bar"]
    assert "lies above the bar" in drawn.conclusion


def test_baselines_stand_beside_what_they_are_compared_with_and_old_records_have_none() -> None:
    record = judged(gain=0.05)
    record["numbers"]["baselines"] = {
        "logistic": {"mean": 0.5, "low": 0.4, "high": 0.6},
        "random": {"mean": 0.3, "low": 0.2, "high": 0.4},
    }
    rows = draw_verdict(record).charts[0].rows
    assert [row.label for row in rows] == ["random", "popularity", "logistic", "champion", "challenger"]
    del record["numbers"]["baselines"]
    assert len(draw_verdict(record).charts[0].rows) == 3


def test_a_gain_below_the_bar_is_said_to_be_so() -> None:
    assert "does not lie above the bar" in draw_verdict(judged(gain=-0.02)).conclusion


def test_slices_are_drawn_worst_first_and_a_harmed_one_is_told() -> None:
    record = judged(gain=0.05)
    labels = {"pooled_error": 0.01, "own": 0.0, "own_error": 0.01, "kind": "industry", "clusters": 30}
    record["numbers"]["slices"] = [
        {"label": "travel", "pooled": 0.05, "is_harmed": False, **labels},
        {"label": "food", "pooled": -0.06, "is_harmed": True, **labels},
    ]
    drawn = draw_verdict(record)
    assert [row.label for row in drawn.charts[2].rows] == ["food", "travel"]
    assert "harms 1 of 2 slices" in drawn.conclusion


def test_a_record_of_before_relative_gains_is_still_drawn() -> None:
    record = judged(gain=0.05)
    del record["numbers"]["gain"]
    assert len(draw_verdict(record).charts) == 2


def test_a_verdict_on_too_little_is_not_drawn() -> None:
    drawn = draw_verdict({"numbers": {"metric": "ndcg@8", "test_slates": 3}})

    assert drawn.charts == ()
    assert "too little evidence" in drawn.conclusion


def test_an_off_policy_estimate_is_drawn_with_what_it_rests_on() -> None:
    interval = {"mean": 0.005, "low": 0.0, "high": 0.012, "clusters": 300}
    policy = {"snips": interval, "matched_clicks": 4, "effective_sample_size": 300.0, "on_policy": 0.0038}
    numbers = {"metric": "snips", "champion": {"snips": None}, "challenger": policy}
    drawn = draw_verdict(
        {"numbers": numbers | {"min_matched_clicks": 30, "min_effective_sample_size": 1000.0}}
    )

    assert [row.label for row in drawn.charts[0].rows] == ["challenger"]
    assert "rests on 4 clicks" in drawn.conclusion
    assert "30 matching clicks and an effective sample size of 1,000" in drawn.conclusion


def test_without_support_no_value_is_drawn_and_the_sentence_says_why() -> None:
    policy = {"matched_clicks": 0, "effective_sample_size": 17.6, "on_policy": 0.0053}
    numbers = {"metric": "snips", "champion": policy, "challenger": policy}
    drawn = draw_verdict(
        {"numbers": numbers | {"min_matched_clicks": 30, "min_effective_sample_size": 1000.0}}
    )

    assert drawn.charts == ()
    assert "No value is shown" in drawn.conclusion
    assert "0 logged clicks match" in drawn.conclusion
