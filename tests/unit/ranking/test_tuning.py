from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.ranking.pet_slates import PETS, world

from letterpress.datasets.temporal_split import Split
from letterpress.errors import StorageError
from letterpress.ranking.tuning import Search, Tuned, read_trials, run_search, space, tune, usual_parameters
from letterpress.recommenders import Tuning

Evaluate = Callable[[Mapping[str, Any]], tuple[NDArray[np.float64], int]]
SLATES = 60


def search_in(folder: Path, trials: int, *, cpu_seconds: float = 1e9) -> Search:
    budget = Tuning(trials, cpu_seconds)
    return Search(folder / "trials.json", seed=7, budget=budget, campaigns=np.arange(SLATES) // 2)


def deep_is_good(parameters: Mapping[str, Any]) -> tuple[NDArray[np.float64], int]:
    """Deeper and slower is better, in every slate a little differently."""
    worth = 0.5 + 0.02 * parameters["max_depth"] - 0.1 * parameters["eta"]
    return worth + np.random.default_rng(1).normal(size=SLATES) * 0.01, 100


def settled(tuned: Tuned) -> list[Any]:
    return [(each.parameters, each.value, each.gain, each.error) for each in tuned.trials]


def test_the_search_begins_with_the_usual_parameters_and_finds_better_ones(tmp_path: Path) -> None:
    tuned = run_search(search_in(tmp_path, 20), deep_is_good)
    assert tuned.trials[0].parameters == usual_parameters()
    assert len(tuned.trials) == 20
    assert tuned.parameters["max_depth"] >= 7
    later = [each.value for each in tuned.trials[10:]]
    assert np.mean(later) > np.mean([each.value for each in tuned.trials[1:9]])


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    calls = 0

    def killed(parameters: Mapping[str, Any]) -> tuple[NDArray[np.float64], int]:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return deep_is_good(parameters)

    (tmp_path / "whole").mkdir()
    whole = run_search(search_in(tmp_path / "whole", 12), deep_is_good)
    with pytest.raises(KeyboardInterrupt):
        run_search(search_in(tmp_path, 12), killed)
    assert len(read_trials(tmp_path / "trials.json")) == 5
    resumed = run_search(search_in(tmp_path, 12), deep_is_good)
    assert settled(resumed) == settled(whole)
    assert resumed.parameters == whole.parameters


def test_a_finished_search_is_read_and_not_repeated(tmp_path: Path) -> None:
    def forbidden(_parameters: Mapping[str, Any]) -> tuple[NDArray[np.float64], int]:
        raise AssertionError("tried again")

    first = run_search(search_in(tmp_path, 5), deep_is_good)
    assert run_search(search_in(tmp_path, 5), forbidden) == first
    shorter = run_search(search_in(tmp_path, 3), forbidden)
    assert shorter.trials == first.trials[:3]


def test_no_trial_begins_after_the_cpu_seconds_are_spent(tmp_path: Path) -> None:
    def slow(parameters: Mapping[str, Any]) -> tuple[NDArray[np.float64], int]:
        np.linalg.inv(np.random.default_rng(1).random((400, 400)))
        return deep_is_good(parameters)

    tuned = run_search(search_in(tmp_path, 50, cpu_seconds=1e-4), slow)
    assert len(tuned.trials) == 1
    assert tuned.parameters == {}


@pytest.mark.parametrize(("gain", "is_chosen"), [(0.001, False), (0.1, True)])
def test_what_is_better_within_its_error_is_not_chosen(gain: float, is_chosen: bool, tmp_path: Path) -> None:
    def noisy(parameters: Mapping[str, Any]) -> tuple[NDArray[np.float64], int]:
        if parameters == usual_parameters():
            return np.full(SLATES, 0.5), 100
        noise = np.random.default_rng(1).normal(size=SLATES)
        return 0.5 + gain + 0.1 * (noise - noise.mean()), 100

    tuned = run_search(search_in(tmp_path, 2), noisy)
    assert tuned.trials[1].value == pytest.approx(0.5 + gain)
    assert tuned.trials[1].error == pytest.approx(0.013, abs=0.005)
    facts = tuned.as_facts()
    assert facts["chosen"] == (tuned.trials[1].parameters if is_chosen else "usual")
    assert "cpu_seconds" not in facts["trials"][0]


def test_every_proposal_lies_within_the_bounds(tmp_path: Path) -> None:
    bounds = space()
    for trial in run_search(search_in(tmp_path, 15), deep_is_good).trials:
        for name, value in trial.parameters.items():
            assert bounds[name].low <= value <= bounds[name].high  # type: ignore[attr-defined]


def test_a_damaged_record_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "trials.json").write_text("[{")
    with pytest.raises(StorageError, match="delete it and train again"):
        run_search(search_in(tmp_path, 3), deep_is_good)


@pytest.mark.parametrize("judge", ["ndcg", "snips"])
def test_real_rankers_are_tried_on_slates_after_those_that_they_learned_from(
    judge: Any, tmp_path: Path
) -> None:
    parts = Split(train=world(200, 1), valid=world(80, 2), test=world(SLATES, 3))
    tuned = tune(parts, replace(PETS, judge=judge), search_in(tmp_path, 2), threads=1)
    assert [each.trees > 0 for each in tuned.trials] == [True, True]
    assert tuned.trials[0].value != tuned.trials[1].value
    assert 0.5 < tuned.trials[0].value < 1 if judge == "ndcg" else tuned.trials[0].value < 0
