from __future__ import annotations

from typing import Any

import pytest

from letterpress.cli.train import _describe

TRAINED: dict[str, Any] = {
    "model": "pets/2",
    "trees": 40,
    "split_by": "time",
    "train": {"slates": 100},
    "valid": {"slates": 20},
    "test": {"slates": 30},
    "importance": {"appeal": 0.9},
}
FADING = {"days": 17.56, "low": 8.4, "high": 43.6, "is_demonstrated": True}


@pytest.mark.parametrize(
    ("half_life", "said"),
    [
        (FADING, "half-life of the data 17.6 days [8.4, 43.6], weights uniform"),
        (FADING | {"high": None, "is_demonstrated": False}, "no decay of the data is demonstrated"),
        (None, "how fast the data ages cannot be told"),
    ],
)
def test_training_says_how_fast_the_data_ages_and_whether_slates_were_weighed(
    half_life: Any, said: str
) -> None:
    text = _describe(TRAINED | {"resiliency": {"half_life": half_life, "weights": "uniform"}})
    assert text.startswith(
        "pets/2: 40 trees on 100 to train, 20 to valid, 30 to test (slates); by gain: appeal 90%"
    )
    assert text.endswith(said)


def test_training_says_where_no_weeks_part_the_tests() -> None:
    trained = TRAINED | {"split_by": "name", "resiliency": {"half_life": None}}
    assert "30 to test (slates), split by the names of tests: no weeks part them; by gain" in _describe(
        trained
    )
