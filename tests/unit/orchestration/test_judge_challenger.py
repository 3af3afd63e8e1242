"""What the judge asks of its evidence before it compares anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_arrays import SEPARATOR
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.orchestration.judge_challenger import require_later, slices_of
from letterpress.ranking.bundle import ModelBundle
from letterpress.recommenders import get_recommender

PICTURES = get_recommender("image_enhancement")
NAMES = ("industry_code", "segment_code", "mobile_share")
DAY = int(datetime(2026, 1, 10, tzinfo=UTC).timestamp())


def slates(count: int, *, seed: int = 1, items: int = 4, **changed: Any) -> TrainingSet:
    generator = np.random.default_rng(seed)
    rows = count * items
    made = TrainingSet(
        feature_names=NAMES,
        features=np.repeat(
            np.column_stack(
                [
                    generator.integers(0, 8, count),
                    generator.integers(0, 5, count),
                    generator.random(count),
                ]
            ),
            items,
            axis=0,
        ).astype(np.float32),
        gains=generator.random(rows).astype(np.float32),
        clicks=np.ones(rows, dtype=np.int64),
        position=np.tile(np.arange(1, items + 1), count).astype(np.int32),
        propensity=np.full(rows, 1 / items),
        item_codes=np.tile(np.arange(items), count).astype(np.int32),
        item_ids=np.arange(items).astype(object),
        group_offsets=np.arange(0, rows + 1, items),
        slate_ids=np.array([f"tenant{number % 2}{SEPARATOR}s{number}" for number in range(count)], object),
        campaign_codes=np.arange(count).astype(np.int32),
        shown_at=(DAY + np.arange(count)) * 1_000_000,
    )
    return replace(made, **changed)


def trained_until(moment: str) -> ModelBundle:
    bundle = ModelBundle.popularity(
        recommender="image_enhancement",
        features=NAMES,
        schema_hash="abc",
        snapshot="s1",
        score_feature="mobile_share",
    )
    bundle.manifest.training.update({"train": {"last": moment}, "valid": {"last": moment}})
    return bundle


def test_a_test_that_a_model_has_learnt_from_is_refused_with_the_next_step() -> None:
    require_later(slates(5), trained_until("2026-01-09T23:00:00+00:00"))
    with pytest.raises(
        NotEnoughDataError, match=r"later than 2026-01-12 .* train a challenger on the newest"
    ):
        require_later(slates(5), trained_until("2026-01-12T00:00:00+00:00"))


def test_slates_are_labelled_by_tenant_context_device_and_new_items() -> None:
    test = slates(30)
    train = slates(30, item_codes=np.tile([0, 1, 2, 2], 30).astype(np.int32))
    labels = slices_of(PICTURES, Split(train, train, test))
    assert set(labels["tenant"]) == {"tenant0", "tenant1"}
    assert set(labels["segment"]) <= set(dict(PICTURES.vocabularies)["segment"])
    assert set(labels["device"]) == {"mostly phones", "mostly desktops"}
    assert set(labels["items"]) == {"some new"}
    assert set(slices_of(PICTURES, Split(test, test, test))["items"]) == {"all known"}
    assert all(len(each) == 30 for each in labels.values())


def test_a_context_that_is_missing_is_no_slice() -> None:
    test = slates(30)
    test.features[:] = np.nan
    labels = slices_of(PICTURES, Split(test, test, test))
    assert set(labels["industry"]) == set(labels["device"]) == {""}
