from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from letterpress.clock import ManualClock
from letterpress.evaluation.verdict import Verdict
from letterpress.registry.verdicts import look_of, write_verdict
from letterpress.settings import Home, Settings

CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Settings(home=tmp_path / "var").paths


def judge(home: Home, version: int, champion: str, **numbers: Any) -> None:
    verdict = Verdict(promoted=False, reason="no", numbers=numbers)
    write_verdict(home, "pictures", version, champion=champion, verdict=verdict, clock=CLOCK)


def test_challengers_of_one_champion_are_counted_and_a_new_champion_starts_again(home: Home) -> None:
    assert look_of(home, "pictures", 2, champion="pictures/1") == 1
    judge(home, 2, "pictures/1", look=1)
    assert look_of(home, "pictures", 3, champion="pictures/1") == 2
    judge(home, 3, "pictures/1", look=2)
    assert look_of(home, "pictures", 4, champion="pictures/1") == 3
    assert look_of(home, "pictures", 4, champion="pictures/3") == 1


def test_a_version_that_is_judged_again_keeps_its_look(home: Home) -> None:
    judge(home, 2, "pictures/1", look=1)
    judge(home, 3, "pictures/1", look=2)
    assert look_of(home, "pictures", 2, champion="pictures/1") == 1


def test_a_verdict_that_compared_nothing_was_no_look(home: Home) -> None:
    judge(home, 2, "pictures/1", test_slates=3)
    assert look_of(home, "pictures", 3, champion="pictures/1") == 1
