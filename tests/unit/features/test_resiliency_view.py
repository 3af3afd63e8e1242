"""The score of an item's evidence, of the view while it is on trial."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from letterpress.events.types import CampaignContext
from letterpress.features import columns_for_batch
from letterpress.features.columns import COUNT_NAMES
from letterpress.features.evidence_view import decay_weights
from letterpress.features.views import trial_plan
from letterpress.recommenders import EvidenceRate, get_recommender

IMAGES = get_recommender("image_enhancement")
TRIAL = replace(IMAGES, name="trial", feature_views=("resiliency",))
NAMES = ("item_shown_resiliency", "item_delivered_resiliency")


def row(rows: Any, shown: tuple[int, ...] = (0, 0, 0, 0), delivered: tuple[int, ...] = (0, 0, 0, 0)) -> Any:
    """An item with these counts since birth and in 28, 7 and 1 days."""
    counts = np.zeros((4, 6), int)
    counts[:, COUNT_NAMES.index("shown")] = shown
    counts[:, COUNT_NAMES.index("delivered")] = delivered
    known = {entity: [0] * 24 for entity in IMAGES.evidence_entities}
    known["item"] = counts.ravel().tolist()
    return rows.make(CampaignContext(campaign_id="c"), {}, {}, known, datetime(2026, 1, 5, tzinfo=UTC))


def scores(rows: Any, *made: Any) -> list[list[float]]:
    plan = trial_plan(TRIAL)
    assert plan.names == NAMES
    found: list[list[float]] = plan.compute(rows.as_request(TRIAL, list(made))).tolist()
    return found


def test_what_was_all_counted_now_is_worth_nearly_all_and_old_evidence_nearly_nothing(rows: Any) -> None:
    day, *_, ever = decay_weights(7.0)
    ((fresh, old),) = scores(rows, row(rows, shown=(50, 50, 50, 50), delivered=(9000, 0, 0, 0)))
    assert fresh == pytest.approx(day)
    assert old == pytest.approx(ever)


def test_evidence_of_several_ages_is_worth_their_mean(rows: Any) -> None:
    day, _, month, _ = decay_weights(7.0)
    ((shown, _),) = scores(rows, row(rows, shown=(40, 40, 10, 10)))
    assert shown == pytest.approx((10 * day + 30 * month) / 40)


def test_more_of_the_same_age_does_not_change_the_score_and_none_has_none(rows: Any) -> None:
    few, many, none = scores(
        rows, row(rows, shown=(4, 4, 2, 1)), row(rows, shown=(400, 400, 200, 100)), row(rows)
    )
    assert few == many
    assert none == [feature.default for feature in trial_plan(TRIAL).features] == [0.0, 0.0]


def test_what_is_counted_live_raises_the_score(rows: Any) -> None:
    before, after = scores(rows, row(rows, shown=(40, 40, 10, 0)), row(rows, shown=(45, 45, 15, 5)))
    assert after[0] > before[0]


def test_batch_and_request_agree_to_the_bit(rows: Any) -> None:
    random = np.random.default_rng(2)
    steps = random.integers(0, 10 ** random.integers(1, 8, (500, 1)), (500, 4)).cumsum(axis=1)[:, ::-1]
    made = [row(rows, shown=tuple(each), delivered=tuple(each[::-1].cumsum()[::-1])) for each in steps]
    plan = trial_plan(TRIAL)
    together = plan.compute(columns_for_batch(TRIAL, rows.as_table(TRIAL, made)))
    alone = np.concatenate([plan.compute(rows.as_request(TRIAL, [each])) for each in made])
    assert together.tobytes() == alone.tobytes()
    assert 0.0 <= together.min() < together.max() <= 1.0


def test_the_half_life_is_part_of_what_the_feature_means() -> None:
    faster = tuple(replace(rate, half_life_days=2.0) for rate in IMAGES.evidence_rates)
    assert isinstance(faster[0], EvidenceRate)
    other = trial_plan(replace(TRIAL, name="faster", evidence_rates=faster))
    assert other.names == NAMES
    assert other.schema_hash != trial_plan(TRIAL).schema_hash
