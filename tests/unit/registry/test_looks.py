from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from letterpress.clock import ManualClock
from letterpress.evaluation.verdict import Verdict
from letterpress.registry.verdicts import all_verdicts, look_of, read_verdict, write_verdict
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


def test_a_version_judged_against_another_champion_has_looked_at_the_first_one_all_the_same(
    home: Home,
) -> None:
    for look in (1, 2, 3):
        judge(home, look + 1, "pictures/1", look=look)
    for version in (2, 3, 4):
        judge(home, version, "pictures/9", look=version - 1)
    assert look_of(home, "pictures", 5, champion="pictures/1") == 4
    assert look_of(home, "pictures", 3, champion="pictures/1") == 2
    assert look_of(home, "pictures", 5, champion="pictures/9") == 4


def test_every_verdict_is_kept_and_the_newest_is_the_one_that_counts(home: Home) -> None:
    for version, champion in ((2, "pictures/1"), (2, "pictures/1"), (3, "pictures/1"), (2, "pictures/3")):
        judge(home, version, champion, look=version)
    kept = [(record.version, record.champion) for record in all_verdicts(home, "pictures")]
    assert kept == [(3, "pictures/1"), (2, "pictures/3"), (2, "pictures/1")]
    newest = read_verdict(home, "pictures", 2)
    assert newest is not None
    assert newest.champion == "pictures/3"


def test_a_verdict_whose_successor_was_not_written_is_not_kept_twice(home: Home) -> None:
    judge(home, 2, "pictures/1", look=1)
    first = home.registry / "verdicts" / "pictures" / "2.json"
    text = first.read_bytes()
    judge(home, 2, "pictures/3", look=1)
    first.write_bytes(text)  # as if the writer had died between the two files
    judge(home, 2, "pictures/3", look=1)
    assert [record.champion for record in all_verdicts(home, "pictures")] == ["pictures/3", "pictures/1"]
