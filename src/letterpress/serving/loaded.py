"""What the service answers with at one moment: models ready to score, and the feature snapshot.

A `Loaded` is immutable and replaced as a whole by one assignment, so that a request sees one state from
its first line to its last.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from letterpress.errors import ModelRefusedError, StorageError
from letterpress.features import FeaturePlan, feature_plan
from letterpress.lake.snapshots import Snapshot
from letterpress.log import logger
from letterpress.ranking.calibration import completed_calibration
from letterpress.ranking.predicted_rates import RatePredictor
from letterpress.ranking.scorer import Scorer
from letterpress.ranking.tree_scorer import load_tree_scorer
from letterpress.recommenders import RECOMMENDERS, Recommender, get_recommender
from letterpress.registry.publication import Publication
from letterpress.settings import Home

WARM_UP_ROWS = 24


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A verified bundle of one recommender, compiled and warm."""

    recommender: Recommender
    publication: Publication
    scorer: Scorer
    plan: FeaturePlan
    """How this build computes the features that the model takes."""
    rates: RatePredictor

    @property
    def model(self) -> str:
        """`recommender/version`."""
        return self.publication.model


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that a request needs. `problems` says what could not be taken over, by source."""

    models: dict[str, LoadedModel] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    problems: dict[str, str] = field(default_factory=dict)


def load_model(home: Home, publication: Publication, compiled: Path) -> LoadedModel:
    """The model that a pointer of `home` names, after its checksums, schema and parity were verified.

    Its machine code is kept in the folder `compiled`, where that can be written.

    Raises:
        ModelRefusedError: the bundle is damaged or was made for other features.
        StorageError: there is no bundle where the pointer says.
        UnknownRecommenderError: this build does not declare the recommender.
    """
    started = time.perf_counter()
    recommender = get_recommender(publication.recommender)
    bundle = publication.open_bundle(home)
    plan = feature_plan(recommender)
    names = plan.names
    bundle.require_schema(plan.schema_hash)
    if bundle.manifest.features != names:
        raise ModelRefusedError(
            f"{recommender.name}: expected a model of {len(names)} features in this build's order, found "
            f"{len(bundle.manifest.features)}; run `letterpress train --recommender {recommender.name}`."
        )
    if bundle.booster is None:
        scorer = bundle.scorer()
    else:
        scorer = load_tree_scorer(bundle.booster, len(names), compiled)
    scorer.score(np.full((WARM_UP_ROWS, len(names)), np.nan, np.float32))
    rates = RatePredictor(completed_calibration(bundle.read_calibration(), recommender), names, compiled)
    seconds = time.perf_counter() - started
    logger.info("load_model model=%s scorer=%s seconds=%.3f", publication.model, _kind(scorer), seconds)
    return LoadedModel(recommender, publication, scorer, plan, rates)


def open_snapshot(home: Home) -> Snapshot:
    """The current snapshot, after its checksums and what it holds of our recommenders were verified.

    Raises:
        StorageError: there is none, it is damaged, or it was made by a build with other attributes.
    """
    snapshot = Snapshot.open(home)
    for name, recommender in RECOMMENDERS.items():
        entry = snapshot.manifest.recommenders.get(name)
        if entry is not None and entry.attributes != recommender.attributes:
            raise StorageError(
                f"expected {len(recommender.attributes)} attributes of {name} in this build's order, found "
                f"{len(entry.attributes)} in snapshot {snapshot.snapshot_id}; run `letterpress features`."
            )
    return snapshot


def compiled_folder(home: Home) -> Path:
    """Where the machine code of the tree walk is kept between starts."""
    return home.registry / "compiled"


def _kind(scorer: Scorer) -> str:
    return type(scorer).__name__
