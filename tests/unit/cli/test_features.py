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


def test_the_catalogue_needs_no_data_and_builds_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(list_=True, search="segment CLICK rate")

    assert "item_segment_click_rate (evidence, share)" in capsys.readouterr().out
    assert not any(home.iterdir())


def test_what_the_catalogue_does_not_know_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    command(list_=True, search="no such words")

    assert capsys.readouterr().out == "no feature holds these words\n"


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match="add --list"):
        command(search="rate")
    with pytest.raises(UsageError, match="without --range"):
        command(list_=True, full_refresh=True)
