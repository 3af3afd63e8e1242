"""Whether training may go on from the champion's trees, and what to write down about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from letterpress.datasets.temporal_split import Split
from letterpress.features import schema_hash
from letterpress.ranking.train_bundle import STOPPED_BY_FOLDS
from letterpress.ranking.train_ranker import MAX_ROUNDS
from letterpress.ranking.tree_parameters import objective_of
from letterpress.recommenders import Recommender
from letterpress.registry.lineage import learned_tenants
from letterpress.registry.store import RegisteredModel, champion, model_version
from letterpress.settings import Home

BEGAN_WITH_NOTHING = {"from": None, "reason": "the champion of this snapshot began with nothing"}


@dataclass(frozen=True, slots=True)
class Start:
    """What training begins with."""

    booster: bytes | None
    """None to begin with nothing."""
    facts: dict[str, Any]
    """For the manifest: whose trees they are, or why there are none."""


def find_start(
    home: Home, recommender: Recommender, split: Split, *, snapshot: str, tenants: set[str]
) -> Start:
    """The champion's trees where they may be built upon; else nothing, and the reason.

    A champion that was itself trained on this snapshot stands for what it began with, be it nothing, so that
    training again gives the same model.

    `tenants` are those of the training set. A champion that learned from another one is not built upon: that
    one may have asked to be forgotten.
    """
    found = champion(home, recommender.name)
    if found is None:
        return Start(None, {"from": None, "reason": "there is no champion"})
    if found.tags["kind"] == "xgboost" and found.tags["snapshot"] == snapshot:
        recorded = found.open_bundle().manifest.training.get("warm_start", BEGAN_WITH_NOTHING)
        if recorded["from"] is None:
            return Start(None, recorded)
        found = model_version(home, found.recommender, int(recorded["from"].rpartition("/")[2]))
    against = _speaks_against(home, recommender, split, found, tenants)
    if against is not None:
        return Start(None, {"from": None, "reason": against})
    bundle = found.open_bundle()
    facts = {"from": found.name, "sha256": found.sha256, "trees": bundle.manifest.training["trees"]}
    return Start(bundle.booster, facts)


def _speaks_against(
    home: Home, recommender: Recommender, split: Split, found: RegisteredModel, tenants: set[str]
) -> str | None:
    """Why the trees of `found` may not be built upon; None when they may."""
    manifest = found.open_bundle().manifest
    if manifest.kind != "xgboost":
        return f"{found.name} is of kind {manifest.kind} and has no trees"
    training = manifest.training
    if manifest.schema_hash != schema_hash(recommender):
        return f"{found.name} knows other features"
    if training["parameters"]["objective"] != objective_of(recommender):
        return f"{found.name} learned another objective, so its scores mean something else"
    return _knows_too_much(home, recommender, split, found, tenants) or _lacks_room(found, training)


def _lacks_room(found: RegisteredModel, training: dict[str, Any]) -> str | None:
    if training["trees"] < MAX_ROUNDS:
        return None
    return f"{found.name} has {training['trees']} trees, and {MAX_ROUNDS} are the most"


def _knows_too_much(
    home: Home,
    recommender: Recommender,
    split: Split,
    found: RegisteredModel,
    tenants: set[str],
) -> str | None:
    """Why `found` must not be built upon for what it learned from; None when that is no reason."""
    training = found.open_bundle().manifest.training
    newest = "valid" if training.get("stopped_by") == STOPPED_BY_FOLDS else "train"
    first = datetime.fromtimestamp(int(split.valid.shown_at.min()) / 1e6, UTC)
    if datetime.fromisoformat(training[newest]["last"]) >= first:
        return f"{found.name} learned from slates that are to stop this training"
    learned = learned_tenants(home, recommender.name, found.version)
    if learned is None or learned - tenants:
        return f"{found.name} may have learned from tenants that are not in the training set"
    return None
