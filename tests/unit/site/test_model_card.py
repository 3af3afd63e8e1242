"""The card of a model says what is true of the way its data were split."""

from __future__ import annotations

import pytest

from letterpress.site.model_card import ModelCard, render_model_card

PART = {"slates": 60, "rows": 180, "first": "2000-01-03T00:00:00+00:00", "last": "2000-01-03T00:00:00+00:00"}


def page_of(split_by: str) -> str:
    verdict = {
        "promoted": False,
        "champion": "none",
        "judged_at": "2026-01-20T00:00:00+00:00",
        "reason": "not enough evidence.",
        "numbers": {},
    }
    return render_model_card(
        ModelCard(
            model="subject_line/1",
            kind="linear",
            description="Ranks subject lines.",
            lineage={},
            split_by=split_by,
            parts={"train": PART, "test": PART},
            targets=[],
            parameters={},
            features={"text_words": 1.0},
            verdict=verdict,
            limits=[],
        )
    )


@pytest.mark.parametrize(
    ("split_by", "said", "unsaid"),
    [
        ("time", ["Split by time", "3 Jan 2000"], ["names of tests"]),
        ("name", ["Split by the names of tests"], ["later than everything", "3 Jan 2000"]),
    ],
)
def test_the_card_claims_a_split_by_time_only_where_there_was_one(
    split_by: str, said: list[str], unsaid: list[str]
) -> None:
    page = page_of(split_by)
    assert [each for each in said if each not in page] == []
    assert [each for each in unsaid if each in page] == []
