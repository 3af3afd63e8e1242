"""Looks for better parameters within a declared budget, trial by trial, and goes on where it was killed.

Every trial is written to a file before the next begins. What the sampler proposes depends on the seed and
on the finished trials alone, so a search that was killed goes on as if it had not been. Only the part that
a ranker learns from is looked at: what stops it and what judges it stay fresh.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.atomic_file import write_atomically
from letterpress.datasets.temporal_split import Split
from letterpress.errors import StorageError
from letterpress.evaluation.paired_bootstrap import paired_bootstrap
from letterpress.log import logger
from letterpress.ranking.rank_slates import ndcg_by
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.train_ranker import FitPlan, train_ranker
from letterpress.ranking.tree_parameters import TREE_PARAMETERS
from letterpress.recommenders import Recommender, Tuning

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

Floats = NDArray[np.float64]

STARTUP_TRIALS = 8
"""Drawn at random, before what was found guides the search."""
ERRORS_AHEAD = 2.0
"""By how many standard errors tuned parameters must beat the usual ones: the best of many is partly luck."""


class Trial(msgspec.Struct, kw_only=True, frozen=True):
    """One set of parameters and what it was worth."""

    parameters: dict[str, float | int]
    value: float
    """NDCG on slates later than those it learned from; for single slots the squared error, negative."""
    trees: int
    gain: float
    """Over the usual parameters, on the same slates."""
    error: float
    """Standard error of the gain, by campaign."""
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was chosen, and every trial, the usual parameters first."""

    parameters: dict[str, float | int]
    """Over the usual ones; empty where nothing beat them beyond doubt."""
    trials: tuple[Trial, ...]
    budget: Tuning

    def as_facts(self) -> dict[str, Any]:
        """For a manifest: all but the seconds, which no two machines share."""
        return {
            "budget": {"trials": self.budget.trials, "cpu_seconds": self.budget.cpu_seconds},
            "chosen": self.parameters or "usual",
            "trials": [
                {name: value for name, value in msgspec.to_builtins(each).items() if name != "cpu_seconds"}
                for each in self.trials
            ],
        }


Evaluate = Callable[[Mapping[str, Any]], tuple[Floats, int]]
"""What each slate is worth `(g,)` with these parameters, NaN where it tells nothing, and the trees."""


def usual_parameters() -> dict[str, float | int]:
    """The parameters that are looked for, as they are without a search."""
    return {name: TREE_PARAMETERS[name] for name in space()}


def space() -> dict[str, BaseDistribution]:
    """What is looked for, and within which bounds."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        "max_depth": IntDistribution(2, 8),
        "eta": FloatDistribution(0.02, 0.3, log=True),
        "min_child_weight": FloatDistribution(1.0, 200.0, log=True),
        "subsample": FloatDistribution(0.5, 1.0),
        "colsample_bytree": FloatDistribution(0.3, 1.0),
        "lambda": FloatDistribution(0.1, 30.0, log=True),
    }


@dataclass(frozen=True, slots=True)
class Search:
    """Where a search keeps its trials, and by what it draws."""

    record: Path
    seed: int
    budget: Tuning
    campaigns: NDArray[np.integer]
    """Of each slate that trials are measured on `(g,)`."""
    usual: Mapping[str, float | int] = field(default_factory=usual_parameters)


def tune(parts: Split, recommender: Recommender, search: Search, *, threads: int) -> Tuned:
    """The best parameters for learning `parts.train`, stopped on `parts.valid`, measured on `parts.test`.

    Raises:
        NotEnoughDataError: the parts cannot teach a ranker.
        StorageError: the record of trials cannot be read.
    """

    def evaluate(parameters: Mapping[str, Any]) -> tuple[Floats, int]:
        plan = FitPlan(parameters=parameters)
        trained = train_ranker(
            parts.train, parts.valid, recommender, seed=search.seed, threads=threads, plan=plan
        )
        scorer = BoosterScorer(trained.booster, threads=threads)
        if recommender.judge == "ndcg":
            return ndcg_by(scorer, parts.test, recommender.slate_size), trained.trees
        wrong = (scorer.score(parts.test.features) - parts.test.gains) ** 2
        return -np.add.reduceat(wrong, parts.test.group_offsets[:-1]), trained.trees

    return run_search(search, evaluate)


def run_search(search: Search, evaluate: Evaluate) -> Tuned:
    """The trials of the record and those that the budget still allows, and what to choose of them."""
    budget = search.budget
    trials = read_trials(search.record)[: budget.trials]
    standard: Floats | None = None
    while len(trials) < budget.trials and _spent(trials) < budget.cpu_seconds:
        began = time.process_time()
        if standard is None:
            standard, trees = evaluate(search.usual)
        if trials:
            parameters = _propose(trials, search.seed)
            values, trees = evaluate(parameters)
        else:
            parameters, values = dict(search.usual), standard
        trials.append(_trial(parameters, values, standard, trees, search, began))
        write_atomically(search.record, msgspec.json.format(msgspec.json.encode(trials), indent=2))
        logger.info(
            "tune trial=%d of=%d value=%.5f gain=%+.5f trees=%d cpu_seconds=%.1f of=%g",
            *(len(trials), budget.trials, trials[-1].value, trials[-1].gain, trees),
            *(_spent(trials), budget.cpu_seconds),
        )
    return Tuned(_choose(trials), tuple(trials), budget)


def _trial(
    parameters: dict[str, float | int],
    values: Floats,
    standard: Floats,
    trees: int,
    search: Search,
    began: float,
) -> Trial:
    gain, error = 0.0, 0.0
    if values is not standard:
        found = paired_bootstrap(standard, values, search.campaigns, seed=search.seed, rounds=400)
        gain, error = found.mean, (found.high - found.low) / (2 * 1.96)
    return Trial(
        parameters=parameters,
        value=float(np.nanmean(values)),
        trees=trees,
        gain=gain,
        error=error,
        cpu_seconds=round(time.process_time() - began, 3),
    )


def _choose(trials: list[Trial]) -> dict[str, float | int]:
    """The best trial's parameters, where it is better than the usual ones beyond doubt."""
    sure = [each for each in trials[1:] if each.gain > ERRORS_AHEAD * each.error]
    return max(sure, key=lambda each: each.value).parameters if sure else {}


def _spent(trials: list[Trial]) -> float:
    return math.fsum(each.cpu_seconds for each in trials)


def _propose(trials: list[Trial], seed: int) -> dict[str, float | int]:
    """The next parameters to try: by the finished trials, with a sampler that is drawn anew for each."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=seed * 10_000 + len(trials), n_startup_trials=STARTUP_TRIALS, constant_liar=False
    )
    study: Study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = space()
    for each in trials:
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(each.parameters), distributions=distributions, value=each.value
            )
        )
    return dict(study.ask(distributions).params)


def read_trials(record: Path) -> list[Trial]:
    """The trials of a search that went before; none where there was none.

    Raises:
        StorageError: the record is damaged.
    """
    try:
        return msgspec.json.decode(record.read_bytes(), type=list[Trial])
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise StorageError(
            f"{record}: expected the trials of a search, found {error}; delete it and train again."
        ) from error
