"""The features of a request's candidates, computed by the very definition that batch uses."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from letterpress.features import FeaturePlan, columns_for_request, entity_keys
from letterpress.features.denial import deny_features
from letterpress.lake.snapshots import Snapshot
from letterpress.recommenders import Recommender
from letterpress.serving.candidates import Candidates
from letterpress.serving.messages import RankRequest


def request_features(
    recommender: Recommender,
    plan: FeaturePlan,
    snapshot: Snapshot,
    request: RankRequest,
    candidates: Candidates,
    shown_at: datetime,
) -> NDArray[np.float32]:
    """Features (n, n_features) of the candidates, with the counts that the snapshot knows; else zeros.

    What the snapshot says that the tenant denied is as if nothing were known.
    """
    counts = {}
    for entity in recommender.evidence_entities:
        keys = entity_keys(entity, request.tenant, request.campaign, candidates.item_ids, candidates.labels)
        counts[entity] = snapshot.counts(recommender.name, entity, keys)
    columns = columns_for_request(
        recommender, request.campaign, candidates.attributes, candidates.labels, counts, shown_at
    )
    features = plan.compute(columns)
    deny_features(recommender, snapshot.denied, request.tenant, features)
    return features
