from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterpress.datasets.temporal_split import Split, is_by_time, temporal_split
from letterpress.datasets.training_set import MICROSECONDS_PER_HOUR, TrainingSet
from letterpress.errors import NotEnoughDataError


def slates(hours: list[float], campaigns: list[int]) -> TrainingSet:
    count = len(hours)
    order = np.argsort(hours, kind="stable")
    return TrainingSet(
        feature_names=("x",),
        features=np.arange(2 * count, dtype=np.float32).reshape(-1, 1),
        gains=np.tile([1.0, 0.0], count).astype(np.float32),
        clicks=np.tile([1, 0], count),
        position=np.tile([1, 2], count).astype(np.int32),
        propensity=np.full(2 * count, 0.5),
        item_codes=np.tile([0, 1], count).astype(np.int32),
        item_ids=np.array(["cat", "dog"], dtype=object),
        group_offsets=np.arange(0, 2 * count + 1, 2),
        slate_ids=np.array([f"s{index}" for index in range(count)], dtype=object),
        campaign_codes=np.array(campaigns, dtype=np.int32)[order],
        shown_at=(np.array(hours)[order] * MICROSECONDS_PER_HOUR).astype(np.int64),
    )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), gap=st.integers(0, 20))
def test_no_campaign_is_in_two_sets_and_the_test_comes_a_gap_after_all_else(seed: int, gap: int) -> None:
    generator = np.random.default_rng(seed)
    campaigns = generator.integers(0, 120, 400)
    hours = campaigns * 2.0 + generator.random(400) * 6
    train, valid, test = temporal_split(slates(hours.tolist(), campaigns.tolist()), gap_hours=gap)
    assert is_by_time(Split(train, valid, test))
    assert not is_by_time(Split(train, test, valid))
    sets = [set(part.campaign_codes.tolist()) for part in (train, valid, test)]
    assert not sets[0] & sets[1]
    assert not sets[1] & sets[2]
    assert not sets[0] & sets[2]
    assert train.shown_at.max() < valid.shown_at.min()
    assert max(train.shown_at.max(), valid.shown_at.max()) < test.shown_at.min() - gap * MICROSECONDS_PER_HOUR


def test_taking_slates_keeps_their_rows_together() -> None:
    whole = slates([0, 1, 2], [0, 1, 2])
    part = whole.take(np.array([True, False, True]))
    assert part.features[:, 0].tolist() == [0.0, 1.0, 4.0, 5.0]
    assert part.group_offsets.tolist() == [0, 2, 4]
    assert part.slate_ids.tolist() == ["s0", "s2"]


def test_a_single_campaign_cannot_be_split_and_says_so() -> None:
    with pytest.raises(NotEnoughDataError, match="of 1 campaigns"):
        temporal_split(slates(list(range(100)), [0] * 100), gap_hours=1)


def test_single_slots_of_one_campaign_are_split_by_time_alone() -> None:
    whole = slates(list(range(100)), [0] * 100)
    split = temporal_split(whole, gap_hours=1, keep_campaigns_whole=False)
    assert [len(part) for part in split] == [59, 15, 25]


def test_a_log_shorter_than_the_gap_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="24 h apart"):
        temporal_split(slates([index / 10 for index in range(100)], list(range(100))), gap_hours=24)
