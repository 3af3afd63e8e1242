"""The baseline that every ranker must beat: order by the shrunken rate of one target."""

from __future__ import annotations

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.features import feature_names, popularity_feature, schema_hash
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.fit_calibration import fit_calibration
from letterpress.ranking.held_out_scores import newest_slates
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


def calibrated_popularity(recommender: Recommender, snapshot: str, split: Split) -> ModelBundle:
    """The same bundle with rates of its scores: it learns nothing, so all but the test may tell them."""
    bundle = popularity_bundle(recommender, snapshot)
    seen = newest_slates(TrainingSet.joined([split.train, split.valid]))
    scores = bundle.scorer().score(seen.features)
    return bundle.with_calibration(fit_calibration(scores, seen, recommender))
