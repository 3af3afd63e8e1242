"""The baseline that every ranker must beat: order by the shrunken rate of one target."""

from __future__ import annotations

from letterpress.features import feature_names, popularity_feature, schema_hash
from letterpress.ranking.bundle import ModelBundle
from letterpress.recommenders import Recommender


def popularity_bundle(recommender: Recommender, snapshot: str) -> ModelBundle:
    """The bundle that ranks by the shrunken rate of the declared popularity target; it is the first champion.

    Raises:
        ModelRefusedError: the recommender has no such feature.
    """
    return ModelBundle.popularity(
        recommender=recommender.name,
        features=feature_names(recommender),
        schema_hash=schema_hash(recommender),
        snapshot=snapshot,
        score_feature=popularity_feature(recommender),
    )
