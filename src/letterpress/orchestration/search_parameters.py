"""The search for parameters before a training, with its record in the state folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from letterpress.datasets.temporal_split import temporal_split
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.features import schema_hash
from letterpress.log import logger
from letterpress.ranking.tree_parameters import tree_parameters
from letterpress.ranking.tuning import Search, tune
from letterpress.recommenders import Recommender
from letterpress.settings import Settings

SEARCH = 1
"""Raise this when trials of before mean something else now."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What training goes on with."""

    parameters: dict[str, float | int]
    """Over the usual ones."""
    facts: dict[str, Any]


def search_parameters(
    settings: Settings, declared: Recommender, learned_from: TrainingSet, snapshot: str
) -> Searched:
    """The parameters that the declared budget finds on `learned_from`, split by time once more.

    Too little data to search on is no reason not to train: the usual parameters stand, and the facts say why.
    """
    name = _key(settings, declared, learned_from, snapshot)
    record = settings.paths.registry / "tuning" / declared.name / f"{name}.json"
    is_single = declared.judge == "snips"
    try:
        parts = temporal_split(
            learned_from,
            gap_hours=0,  # all outcomes are in, so a gap would only take slates away
            keep_campaigns_whole=not is_single,
        )
        clusters = np.arange(len(parts.test)) if is_single else parts.test.campaign_codes
        search = Search(record, settings.seed, declared.tuning, clusters)
        tuned = tune(parts, declared, search, threads=settings.threads)
    except NotEnoughDataError as error:
        logger.info("search_parameters recommender=%s skipped: %s", declared.name, error)
        return Searched({}, {"chosen": "usual", "trials": [], "reason": str(error)})
    return Searched(tuned.parameters, tuned.as_facts())


def _key(settings: Settings, declared: Recommender, learned_from: TrainingSet, snapshot: str) -> str:
    """Names the search by all that its trials depend on, but for the budget: a greater one goes on."""
    usual = tree_parameters(declared, learned_from.feature_names, {}, seed=settings.seed)
    facts = [SEARCH, snapshot, schema_hash(declared), settings.threads, usual]
    return hashlib.sha256(msgspec.json.encode(facts, order="sorted")).hexdigest()[:16]
