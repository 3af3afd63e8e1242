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
