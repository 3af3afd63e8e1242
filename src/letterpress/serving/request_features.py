"""The features of a request's candidates, computed by the very definition that batch uses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from letterpress.features import SHARED_ENTITIES, FeaturePlan, columns_for_request, entity_keys
from letterpress.features.denial import deny_features
from letterpress.lake.snapshots import Snapshot
from letterpress.recommenders import Recommender
from letterpress.serving.candidates import Candidates
from letterpress.serving.live_counts import LiveRead
from letterpress.serving.live_sessions import SessionName
from letterpress.serving.messages import RankRequest

Keys = Mapping[str, list[str]]
"""By entity, one key an item; one alone where all items have the same."""


def request_keys(recommender: Recommender, request: RankRequest, candidates: Candidates) -> Keys:
    """What the counts of the candidates are found by."""
    found = {}
    for entity in recommender.evidence_entities:
        n = 1 if entity in SHARED_ENTITIES else len(candidates.item_ids)
        found[entity] = entity_keys(
            entity, request.tenant, request.campaign, candidates.item_ids[:n], candidates.labels[:n]
        )
    return found


def request_session(recommender: Recommender, request: RankRequest) -> SessionName | None:
    """The session whose pace features read; None where none do, or the request names none."""
    if request.session_id is None or not recommender.reads_sessions:
        return None
    return recommender.name, request.tenant, request.session_id


def request_features(
    recommender: Recommender,
    plan: FeaturePlan,
    snapshot: Snapshot,
    request: RankRequest,
    candidates: Candidates,
    shown_at: datetime,
    keys: Keys | None = None,
    live: LiveRead | None = None,
) -> NDArray[np.float32]:
    """Features (n, n_features) of the candidates, with the counts that the snapshot knows; else zeros.

    `live` is what became known since, of the same `keys`. What the snapshot says that the tenant denied is as
    if nothing were known.
    """
    keys = keys or request_keys(recommender, request, candidates)
    counts = snapshot.counts_of(recommender.name, keys)
    columns = columns_for_request(
        recommender,
        request.campaign,
        candidates.attributes,
        candidates.labels,
        counts,
        shown_at,
        None if live is None else live.counts,
        None if live is None else live.session,
    )
    features = plan.compute(columns)
    deny_features(recommender, snapshot.denied, request.tenant, features)
    return features
