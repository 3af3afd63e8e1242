from __future__ import annotations

from typing import Any

import pytest

from letterpress.site.resiliency_charts import HEIGHT, MOST_BARS, draw_resiliency

DAYS = 10


def half_life(days: float | None, high: float | None) -> dict[str, Any]:
    return {"days": days, "low": 2.0, "high": high, "is_demonstrated": high is not None}


def cohort(age: str, low: float, mean: float, high: float) -> dict[str, Any]:
    change = {"mean": mean, "low": low, "high": high, "clusters": 40}
    return {"age": age, "items": 5, "rows": 50, "share": 0.5, "ndcg_change": change}


def facts(**other: Any) -> dict[str, Any]:
    """Ten days of 100 rows that are worth half every five days."""
    partitions = [
        {
            "day": f"2026-01-{day + 1:02}",
            "age_days": DAYS - 1 - day,
            "rows": 100,
            "score": 0.5 ** ((DAYS - 1 - day) / 5),
        }
        for day in range(DAYS)
    ]
    usual = {
        "half_life": half_life(5.0, 9.0),
        "reason": "",
        "look_back_days": 16.6,
        "weights": "by age",
        "weights_change_ndcg": {"mean": 0.01, "low": 0.002, "high": 0.02},
        "features": {
            "a": half_life(3.0, 8.0),
            "b": half_life(None, None),
            "c": None,
            "d": half_life(2.0, 150.0),
        },
        "partitions": partitions,
        "cohorts": [
            cohort("0 to 1 days", -0.02, -0.01, -0.001),
            cohort("1 to 7 days", 0.001, 0.01, 0.02),
            cohort("7 to 28 days", -0.01, 0.0, 0.01),
        ],
    }
    return usual | other


def test_bars_are_filled_as_far_as_their_rows_still_count() -> None:
    worth = draw_resiliency(facts()).worth
    assert worth is not None
    filled = [bar.counted_height / bar.height for bar in worth.bars]
    assert filled[-1] == 1.0
    assert filled[-6] == pytest.approx(0.5, abs=0.001)
    assert filled == sorted(filled)
    assert "1,000 rows were learned from; they count as much as 579 new ones" in worth.conclusion
    assert worth.bars[0].text == "2026-01-01: 100 rows that count as 29"
    assert worth.ticks[-1].text == "0"


def test_all_of_a_day_counts_where_weights_were_not_kept() -> None:
    drawn = draw_resiliency(facts(weights="uniform"))
    assert drawn.worth is not None
    assert {bar.counted_height for bar in drawn.worth.bars} == {HEIGHT}
    assert "tried and changed NDCG on later slates by +0.0100 [+0.0020, +0.0200]" in drawn.summary


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({}, "after 5 days [2, 9]. Older slates count less"),
        ({"half_life": half_life(None, None)}, "No decay is demonstrated"),
        ({"half_life": None, "reason": "expected more slates."}, "cannot be told: expected more slates."),
        ({"weights": "uniform", "weights_change_ndcg": None}, "cannot be told, so all slates count alike"),
    ],
)
def test_the_summary_says_what_is_known_and_what_is_done(other: dict[str, Any], said: str) -> None:
    assert said in draw_resiliency(facts(**other)).summary


def test_a_cohort_says_whether_there_is_a_reason_to_train_on_it_still() -> None:
    drawn = draw_resiliency(facts())
    assert [each.why.partition(":")[0] for each in drawn.cohorts] == [
        "they teach",
        "no reason",
        "no reason seen",
    ]
    assert drawn.changes is not None
    assert [row.label for row in drawn.changes.rows] == ["0 to 1 days", "1 to 7 days", "7 to 28 days"]
    alone = {"age": "0 to 1 days", "items": 5, "rows": 50, "share": 1.0, "ndcg_change": None}
    assert draw_resiliency(facts(cohorts=[alone])).changes is None


def test_features_that_fade_are_named_the_fastest_first_and_the_others_counted() -> None:
    drawn = draw_resiliency(facts())
    assert [(each.name, each.interval) for each in drawn.fading] == [
        ("d", "2 days [2, 150]"),
        ("a", "3 days [2, 8]"),
    ]
    assert drawn.lasting == 1


def test_a_long_log_is_drawn_in_spans_of_days() -> None:
    many = [{"day": f"day {at}", "age_days": 499 - at, "rows": 10, "score": 1.0} for at in range(500)]
    worth = draw_resiliency(facts(partitions=many)).worth
    assert worth is not None
    assert len(worth.bars) <= MOST_BARS
    assert "5,000 rows" in worth.conclusion
