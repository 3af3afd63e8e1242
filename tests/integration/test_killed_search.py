from __future__ import annotations

import signal
import time
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np
from tests.unit.ranking.pet_slates import PETS, world

from letterpress.datasets.temporal_split import Split
from letterpress.ranking.tuning import Search, Trial, Tuned, read_trials, tune
from letterpress.recommenders import Tuning

TRIALS, KILLED_AFTER, MOST_SECONDS = 4, 2, 600


def search(record: Path) -> Tuned:
    parts = Split(train=world(120, 1), valid=world(60, 2), test=world(60, 3))
    wanted = Search(record, seed=7, budget=Tuning(TRIALS, 1e9), campaigns=np.arange(60) // 2)
    return tune(parts, PETS, wanted, threads=1)


def without_seconds(trials: tuple[Trial, ...]) -> list[Trial]:
    return [msgspec.structs.replace(each, cpu_seconds=0.0) for each in trials]


def test_a_search_whose_process_is_killed_ends_as_one_that_never_was(tmp_path: Path) -> None:
    record = tmp_path / "killed.json"
    process = get_context("spawn").Process(target=search, args=(record,))
    process.start()
    deadline = time.monotonic() + MOST_SECONDS
    while len(read_trials(record)) < KILLED_AFTER and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.join(MOST_SECONDS)
    assert process.exitcode == -signal.SIGKILL
    left = read_trials(record)
    assert KILLED_AFTER <= len(left) < TRIALS
    resumed, whole = search(record), search(tmp_path / "whole.json")
    assert resumed.trials[: len(left)] == tuple(left)  # not tried again
    assert without_seconds(resumed.trials) == without_seconds(whole.trials)
    assert resumed.parameters == whole.parameters
