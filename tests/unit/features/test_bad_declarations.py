"""A wrong declaration is refused with what was expected, what was found, and what to run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from letterpress.features import views
from letterpress.features.columns import count_row
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import EvidenceRate, Recommender
from letterpress.recommenders.image_enhancement import IMAGE_ENHANCEMENT


def list_view(monkeypatch: pytest.MonkeyPatch, *features: Feature) -> Recommender:
    """A recommender that lists a view of `features`."""
    made = FeatureView("wrong", features, lambda source, out: None)
    monkeypatch.setitem(views.VIEWS, "wrong", lambda recommender: made)
    return replace(IMAGE_ENHANCEMENT, name="mistaken", feature_views=("wrong",))


def feature(default: Any = 0.0) -> Feature:
    return Feature("mood", "item", "share", "How it feels.", "mood", default=default)


def test_a_feature_declared_twice_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"mistaken declared once, found twice: \['mood'\].*features --list"):
        views.trial_plan(list_view(monkeypatch, feature(), feature()))


@pytest.mark.parametrize("default", ["0", None, True])
def test_a_default_that_is_no_number_is_named(default: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"default of feature mood of mistaken, found .*features --list"):
        views.trial_plan(list_view(monkeypatch, feature(default)))


def test_a_count_that_nobody_keeps_is_named() -> None:
    rate = EvidenceRate("click", "applauded", "delivered", prior=0.01, weight=10.0)
    recommender = replace(
        IMAGE_ENHANCEMENT, name="mistaken", feature_views=("evidence",), evidence_rates=(rate,)
    )

    with pytest.raises(ValueError, match="source of features of mistaken, found 'applauded'"):
        views.trial_plan(recommender)


def test_an_entity_that_nobody_counts_by_is_named() -> None:
    recommender = replace(IMAGE_ENHANCEMENT, name="mistaken", evidence_entities=("item",))

    with pytest.raises(ValueError, match="source of features of mistaken, found 'moon_phase'"):
        count_row(recommender, "moon_phase", "clicked")


def mistaken_rate(**changes: Any) -> EvidenceRate:
    return replace(EvidenceRate("click", "clicked", "delivered", prior=0.01, weight=10.0), **changes)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown view": (
        {"feature_views": ("evidenc",)},
        r"the view of mistaken .*evidence, .*found 'evidenc'",
    ),
    "an unknown entity": (
        {"evidence_entities": ("item", "moon")},
        r"the entity .*item_segment.*found 'moon'",
    ),
    "an attribute that is not declared": (
        {"feature_views": ("picture_fit",), "attributes": ("contrast",)},
        r"the attribute of mistaken among contrast, found 'crop_share'",
    ),
    "a text without a label": (
        {"feature_views": ("text",), "text_label": None},
        r"mistaken to declare the label of its text, found none",
    ),
    "a prior that is text": (
        {"evidence_rates": (mistaken_rate(prior="0.1"),)},
        r"the prior .* rate click .*'0.1'",
    ),
    "a prior without end": (
        {"evidence_rates": (mistaken_rate(prior=float("inf"), weight=0.0),)},
        r"the prior from 0 to 1 of rate click of mistaken, found inf",
    ),
    "a weight of nothing": (
        {"evidence_rates": (mistaken_rate(weight=0.0),)},
        r"the weight above 0 .*found 0.0",
    ),
    "a half-life that is no number": (
        {"evidence_rates": (mistaken_rate(half_life_days=float("nan")),)},
        r"the half-life .*found nan",
    ),
    "a window that nobody keeps": (
        {"evidence_rates": (mistaken_rate(windows=(("item", ("2d",)),)),)},
        r"the window of click .*decayed, found '2d'",
    ),
    "windows of an entity that is not counted": (
        {"evidence_rates": (mistaken_rate(windows=(("tenant", ("7d",)),)),), "evidence_entities": ("item",)},
        r"the entity of the windows of click .*among item, found 'tenant'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_what_to_correct_and_what_to_run(name: str) -> None:
    changes, sentence = MISTAKES[name]
    mistaken = replace(IMAGE_ENHANCEMENT, **{"name": "mistaken", "feature_views": ("evidence",), **changes})
    with pytest.raises(
        ValueError, match=rf"expected {sentence}.*; correct its declaration in recommenders/ and run"
    ):
        views.trial_plan(mistaken)
