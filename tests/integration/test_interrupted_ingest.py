"""Whatever interrupts an ingest, a rerun leaves what an undisturbed one leaves, byte by byte."""

from pathlib import Path

import pytest
from bench.interrupted_ingest import (
    Calm,
    fill_disk,
    kill_moments,
    kill_once,
    landed_kilobytes,
    observe_calm,
    run_two_at_once,
)

ROUNDS = 10


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Calm:
    return observe_calm(tmp_path_factory.mktemp("calm"), days=2, slates=60)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_any_moment_a_rerun_leaves_the_same_bytes(calm: Calm, tmp_path: Path, number: int) -> None:
    moment = kill_moments(calm, ROUNDS, 3)[number]
    assert kill_once(calm, tmp_path / "home", moment, parallel=number == 0) == calm.state


def test_two_ingests_at_once_leave_the_same_bytes(calm: Calm, tmp_path: Path) -> None:
    assert run_two_at_once(calm, tmp_path / "home") == calm.state


@pytest.mark.parametrize("size", [1.5, 2.5])
def test_a_disk_that_was_full_loses_and_doubles_nothing(calm: Calm, tmp_path: Path, size: float) -> None:
    state = fill_disk(calm, tmp_path / "disk", int(size * landed_kilobytes(calm)) + 100)
    if state is None:
        pytest.skip("mounting a small disk needs rights that this user has not")
    assert state == calm.state
