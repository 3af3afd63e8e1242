"""The limits on a card follow from how its model was trained."""

from __future__ import annotations

from letterpress.orchestration.model_cards import _limits_of_data

EXTENT = {"first": "2026-01-05T00:00:00+00:00", "last": "2026-01-12T12:00:00+00:00"}


def test_days_are_told_where_time_split_the_data_only() -> None:
    by_time = " ".join(_limits_of_data({"split_by": "time", "train": EXTENT}))
    by_name = " ".join(_limits_of_data({"split_by": "name", "train": EXTENT}))
    assert "learned from 7.5 days" in by_time
    assert "days" not in by_name
    assert "split by their names: nothing tells how it ages" in by_name
