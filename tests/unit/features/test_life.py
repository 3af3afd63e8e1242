"""Only admitted features are trained on and served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.features import Columns, life
from letterpress.features.views import VIEWS, feature_plan, trial_plan
from letterpress.recommenders import RECOMMENDERS, get_recommender

PICTURES = get_recommender("image_enhancement")


def test_a_recommender_that_lists_a_candidate_has_no_plan_until_it_is_admitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    eager = replace(PICTURES, feature_views=(*PICTURES.feature_views, "send_time"))
    with pytest.raises(ValueError, match="letterpress features --admit send_time"):
        feature_plan(eager)
    assert trial_plan(eager).names[-3:] == ("sent_in_office_hours", "sent_at_weekend", "hours_from_noon")
    monkeypatch.setattr(life, "CANDIDATES", frozenset())
    assert feature_plan(eager).names == trial_plan(eager).names


@pytest.fixture(autouse=True)
def _plans() -> Iterator[None]:
    """Plans of this test are not remembered by others."""
    yield
    feature_plan.cache_clear()


def test_the_name_of_a_retired_feature_stays_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    again = replace(PICTURES, description="another")
    gone = life.Retired("warmth", "picture", "nobody looked at it", "0123456789abcdef")
    monkeypatch.setattr(life, "RETIRED", (gone,))
    with pytest.raises(ValueError, match="found warmth, which was retired"):
        feature_plan(again)


def test_candidates_are_views_and_no_recommender_lists_one() -> None:
    assert set(VIEWS) >= life.CANDIDATES
    assert not life.CANDIDATES & {view for each in RECOMMENDERS.values() for view in each.feature_views}
    names = {name for each in RECOMMENDERS.values() for name in feature_plan(each).names}
    assert not names & {each.name for each in life.RETIRED}


def test_the_time_of_sending_is_missing_where_none_is_planned() -> None:
    view = VIEWS["send_time"](PICTURES)
    first = len(PICTURES.vocabularies)
    context = np.zeros((first + 4, 4))
    context[first + 1] = [8, 18, 0, np.nan]
    context[first + 2] = [4, 5, 6, np.nan]
    out = np.empty((3, 4), np.float32)
    view.fill(_columns(context), out)
    assert np.array_equal(
        out, np.array([[1, 0, 0, np.nan], [0, 1, 1, np.nan], [4, 6, 12, np.nan]], np.float32), equal_nan=True
    )


def _columns(context: NDArray[np.float64]) -> Columns:
    empty = np.empty((0, context.shape[1]))
    return Columns(context.shape[1], context, empty, empty, empty, empty)
