from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.cli.features import command
from letterpress.errors import NotEnoughDataError, UsageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path))
    return tmp_path


def test_an_empty_lake_is_told_how_to_begin() -> None:
    with pytest.raises(NotEnoughDataError, match="no events in raw yet"):
        command()


def test_a_range_that_is_none_is_refused_before_anything_runs(home: Path) -> None:
    with pytest.raises(UsageError, match="last week"):
        command(range_="last week")
    assert not any(home.iterdir())
