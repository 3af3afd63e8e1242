"""Makes a logged slate again, part by part: its features, its scores, and what was chosen by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.events.packed_features import features_of
from letterpress.events.types import ShownItem, Slate
from letterpress.features import feature_plan
from letterpress.lake.snapshots import Snapshot
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.exploration import POLICY, choose_order, seed_of
from letterpress.recommenders import Recommender
from letterpress.serving.candidates import gather_candidates
from letterpress.serving.messages import RankRequest, RequestCampaign, RequestItem
from letterpress.serving.request_features import request_features


class Part(msgspec.Struct, frozen=True):
    """What became of one part of the slate."""

    name: str
    equal: bool | None
    """None: it could not be made again."""
    detail: str
    differences: tuple[dict[str, Any], ...] = ()


def replay_scores(slate: Slate, bundle: ModelBundle) -> Part:
    """The scores that the model gives to the logged features, against those that were logged."""
    name, manifest = "scores", bundle.manifest
    features = logged_features(slate.items)
    if features is None or features.shape[1] != len(manifest.features):
        return Part(name, None, f"no vectors of {len(manifest.features)} features were logged for the items")
    if slate.feature_schema != manifest.schema_hash:
        detail = f"the features follow schema {slate.feature_schema}, the model takes {manifest.schema_hash}"
        return Part(name, equal=False, detail=detail)
    again = bundle.scorer().score(features).tolist()
    differences = [
        {"position": item.position, "item_id": item.item_id, "logged": item.score, "replayed": score}
        for item, score in zip(slate.items, map(_finite, again), strict=True)
        if score != item.score
    ]
    return _part(name, f"{len(slate.items)} items scored by {slate.model}", differences)


def replay_choice(slate: Slate, recommender: Recommender) -> Part:
    """The order and the propensities that the policy draws from the logged scores of all candidates."""
    name = "choice"
    if slate.policy != POLICY:
        return Part(name, None, f"this build draws by {POLICY}, and the slate was drawn by {slate.policy}")
    if slate.candidate_scores is None or slate.seed is None:
        return Part(name, None, "the scores of all candidates, or the seed, were not logged")
    if slate.seed != seed_of(slate.slate_id):
        return Part(name, equal=False, detail=f"seed {slate.seed} is not that of the slate's id")
    scores = [-math.inf if each is None else each for each in slate.candidate_scores]
    choice = choose_order(np.array(scores), len(slate.items), recommender.exploration, slate.seed)
    differences = [
        {"position": item.position, "item_id": item.item_id, "logged": _shown(item), "replayed": drawn}
        for item, row, propensity in zip(slate.items, choice.order, choice.propensity, strict=True)
        if (drawn := {"score": slate.candidate_scores[row], "propensity": propensity}) != _shown(item)
    ]
    how = "shuffled" if choice.is_explored else "by score"
    return _part(name, f"{len(slate.items)} of {len(scores)} candidates, {how}", differences)


def _shown(item: ShownItem) -> dict[str, float | None]:
    return {"score": item.score, "propensity": item.propensity}


def replay_features(slate: Slate, recommender: Recommender, snapshot: Snapshot) -> Part:
    """The features that the snapshot gives to the items, against those that were logged."""
    name, plan = "features", feature_plan(recommender)
    logged = logged_features(slate.items)
    if slate.feature_schema != plan.schema_hash or logged is None:
        return Part(name, None, f"this build computes schema {plan.schema_hash}, not {slate.feature_schema}")
    if slate.described is None:
        return Part(name, None, "the slate is not in the sample that says what the request told of its items")
    if getattr(slate, "live_until", None) is not None:
        return Part(name, None, "live counts lay on the snapshot; `letterpress features --audit` knows them")
    again = _features_again(slate, recommender, snapshot)
    places = np.argwhere((logged != again) & ~(np.isnan(logged) & np.isnan(again))).tolist()
    differences = [
        {
            "item_id": slate.items[row].item_id,
            "feature": plan.names[column],
            "logged": _finite(float(logged[row, column])),
            "replayed": _finite(float(again[row, column])),
        }
        for row, column in places
    ]
    return _part(name, f"{again.size} values from snapshot {slate.snapshot}", differences)


def _features_again(slate: Slate, recommender: Recommender, snapshot: Snapshot) -> NDArray[np.float32]:
    said = {each.item_id: each for each in slate.described or ()}
    items = [
        RequestItem(item_id=each.item_id)
        if each.item_id not in said
        else RequestItem(
            item_id=each.item_id,
            attributes=said[each.item_id].attributes,
            labels=said[each.item_id].labels,
        )
        for each in slate.items
    ]
    campaign = msgspec.convert(slate.campaign, RequestCampaign, from_attributes=True)
    request = RankRequest(
        recommender=slate.recommender, tenant=slate.tenant, campaign=campaign, slot=slate.slot, items=items
    )
    candidates = gather_candidates(recommender, snapshot, request, max_items=len(items))
    plan = feature_plan(recommender)
    return request_features(recommender, plan, snapshot, request, candidates, slate.occurred_at)


def logged_features(items: Sequence[ShownItem]) -> NDArray[np.float32] | None:
    """Features `(k, n_features)` as they were logged; None when they were not, or not of all items alike."""
    rows = list(map(features_of, items))
    if any(row is None for row in rows) or len({len(row or ()) for row in rows}) != 1:
        return None
    return np.array([[np.nan if each is None else each for each in row or ()] for row in rows], np.float32)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _part(name: str, detail: str, differences: list[dict[str, Any]]) -> Part:
    return Part(name, not differences, detail, tuple(differences))
