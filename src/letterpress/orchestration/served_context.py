"""What served slates are held against: declared schemas, known models, and the training set of today."""

from __future__ import annotations

from collections.abc import Collection

from letterpress.features import feature_plan
from letterpress.lake.served_facts import ServedContext, Serving
from letterpress.lake.snapshot_layout import read_current_or_none
from letterpress.ranking.exploration import POLICY
from letterpress.recommenders import RECOMMENDERS
from letterpress.registry.publication import published
from letterpress.settings import Home


def served_context(home: Home) -> ServedContext:
    """The declared recommenders as they are served today."""
    current = read_current_or_none(home)
    serving = {}
    for name, recommender in RECOMMENDERS.items():
        training = home.snapshots / current.snapshot / name / "training.parquet" if current else None
        plan = feature_plan(recommender)
        serving[name] = Serving(
            schema_hash=plan.schema_hash,
            features=plan.names,
            exploration=recommender.exploration,
            training=training if training is not None and training.is_file() else None,
        )
    return ServedContext(serving, POLICY, lambda names: known_models(home, names))


def known_models(home: Home, names: Collection[str]) -> set[str]:
    """Those of `names` that are published or registered.

    The registry is opened only for what is not published, because that takes seconds.
    """
    served = {pointer.model for pointer in published(home).values()}
    unsure = set(names) - served
    if unsure:
        from letterpress.registry.store import versions

        recommenders = {name.rpartition("/")[0] for name in unsure} & set(RECOMMENDERS)
        served |= {model.name for each in recommenders for model in versions(home, each)}
    return served & set(names)
