from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.errors import UsageError
from letterpress.lake.denied_features import change_denied
from letterpress.lake.snapshot_layout import CURRENT
from letterpress.orchestration.deny_features import deny_features
from letterpress.settings import Settings


def test_what_is_allowed_without_having_been_denied_is_said(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    deny_features(settings, ["fern=warmth"], [])

    found = deny_features(settings, [], ["fern=view:picture", "fern=warmth"])

    assert found["denied"] == {}
    assert found["remarks"] == ["fern=view:picture was not denied, so nothing changed"]


def test_a_misspelt_name_is_refused_also_where_it_would_be_allowed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    deny_features(settings, ["fern=warmth"], [])

    with pytest.raises(UsageError, match="found warmht"):
        deny_features(settings, [], ["fern=warmht"])

    assert deny_features(settings, ["moss=warmth"], [])["denied"]["fern"] == ("warmth",)


def test_what_was_denied_when_it_still_existed_can_be_allowed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    change_denied(settings.paths, "fern", add=["a_feature_of_last_year"])

    assert deny_features(settings, [], ["fern=a_feature_of_last_year"])["denied"] == {}


@pytest.mark.parametrize("current", ["{", '{"snapshot": "gone", "published_at": "2026-01-05T00:00:00Z"}'])
def test_a_damaged_snapshot_keeps_nobody_from_denying(current: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    settings.paths.snapshots.mkdir(parents=True)
    (settings.paths.snapshots / CURRENT).write_text(current)

    found = deny_features(settings, ["fern=warmth"], [])

    assert (found["denied"], found["remarks"]) == ({"fern": ("warmth",)}, [])
