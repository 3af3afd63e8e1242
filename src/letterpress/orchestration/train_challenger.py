"""The step from a snapshot to a registered challenger, as the DAG task and the command line call it."""

from __future__ import annotations

from typing import Any

from letterpress.datasets.read_training_set import read_training_set
from letterpress.datasets.temporal_split import Split, temporal_split
from letterpress.datasets.training_set import TrainingSet
from letterpress.lake.snapshots import Snapshot
from letterpress.lake.training_origin import count_training_tenants
from letterpress.log import log_step
from letterpress.ranking.train_bundle import train_bundle
from letterpress.recommenders import Recommender, get_recommender
from letterpress.recommenders.declaration import Judge
from letterpress.registry.lineage import record_lineage
from letterpress.registry.resiliency_table import write_resiliency_table
from letterpress.registry.store import register, set_alias
from letterpress.settings import Settings

TEST_SHARES: dict[Judge, float] = {"ab_test": 0.15, "ndcg": 0.25, "snips": 0.25}
"""Share of slates to judge on. Lift in A/B tests is large, and what is held back is missed in training."""


def split_snapshot(snapshot: Snapshot, recommender: Recommender) -> Split:
    """The three parts of a snapshot's training set: the same ones for whoever trains and whoever judges."""
    return split_training_set(read_training_set(snapshot, recommender), recommender)


def split_training_set(whole: TrainingSet, recommender: Recommender) -> Split:
    """The same of a training set that was read before."""
    return temporal_split(
        whole,
        gap_hours=max(target.window_hours for target in recommender.targets),
        test_share=TEST_SHARES[recommender.judge],
        keep_campaigns_whole=recommender.judge != "snips",  # a log of single slots may be one campaign
    )


def train_challenger(settings: Settings, recommender: str, snapshot_id: str | None = None) -> dict[str, Any]:
    """Train on the snapshot (the current one when None) and register the result as the challenger.

    The same snapshot and settings give the same bundle and so the same version.

    Raises:
        NotEnoughDataError: the snapshot cannot teach a ranker, or holds too little to judge one.
        NotYetThereError: there is no such snapshot.
        StorageError: it is damaged.
    """
    declared, home = get_recommender(recommender), settings.paths
    with log_step("train_challenger", recommender=recommender) as counts:
        snapshot = Snapshot.open(home, snapshot_id)
        split = split_snapshot(snapshot, declared)
        counts.update(snapshot=snapshot.snapshot_id, rows_in=split.train.rows)
        bundle = train_bundle(
            declared, split, snapshot=snapshot.snapshot_id, seed=settings.seed, threads=settings.threads
        )
        path = bundle.save(home.registry / "bundles" / recommender)
        version = register(
            home, recommender, path, bundle.manifest.metrics, _lineage(bundle.manifest.training)
        )
        record_lineage(
            home,
            recommender,
            version,
            snapshot.snapshot_id,
            count_training_tenants(snapshot.training_path(recommender)),
        )
        write_resiliency_table(home, recommender, version, bundle.manifest.training["resiliency"])
        set_alias(home, recommender, "challenger", version)
        counts.update(version=version, trees=bundle.manifest.training["trees"])
    return {
        "recommender": recommender,
        "version": version,
        "model": f"{recommender}/{version}",
        "snapshot": snapshot.snapshot_id,
        "sha256": bundle.sha256,
        **bundle.manifest.training,
    }


def _lineage(training: dict[str, Any]) -> dict[str, str]:
    tags = {
        f"{part}.{fact}": str(training[part][fact])
        for part in ("train", "valid", "test")
        for fact in ("slates", "rows", "first", "last")
    }
    return tags | {"seed": str(training["seed"]), "trees": str(training["trees"])}
