"""The step from a snapshot to a registered challenger, as the DAG task and the command line call it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from letterpress.datasets.ab_test_split import split_tests
from letterpress.datasets.feature_rows import Room
from letterpress.datasets.read_training_set import read_training_set
from letterpress.datasets.temporal_split import Split, temporal_split
from letterpress.datasets.training_set import TrainingSet
from letterpress.features.sentence_store import keep_sentences
from letterpress.lake.snapshots import Snapshot
from letterpress.lake.training_origin import count_training_tenants
from letterpress.log import log_step
from letterpress.orchestration.search_parameters import search_parameters
from letterpress.orchestration.warm_start import find_start
from letterpress.ranking.position_bias import free_of_position
from letterpress.ranking.train_bundle import train_bundle
from letterpress.ranking.train_ranker import MAX_ROUNDS, FitPlan
from letterpress.recommenders import Recommender, Tuning, get_recommender
from letterpress.recommenders.declaration import Judge
from letterpress.registry.lineage import hashed_tenants, record_lineage
from letterpress.registry.resiliency_table import write_resiliency_table
from letterpress.registry.store import register, set_alias
from letterpress.settings import Settings, size_in_bytes

TEST_SHARES: dict[Judge, float] = {"ab_test": 0.15, "ndcg": 0.25, "snips": 0.25}
"""Share of slates to judge on. Lift in A/B tests is large, and what is held back is missed in training."""


def split_snapshot(snapshot: Snapshot, recommender: Recommender, room: Room | None = None) -> Split:
    """The three parts of a snapshot's training set: the same ones for whoever trains and whoever judges."""
    return split_training_set(read_training_set(snapshot, recommender, room), recommender)


def training_room(settings: Settings) -> Room:
    """What a training may hold in memory, and where the rest goes."""
    return Room(size_in_bytes(settings.training_memory), settings.paths.root / "scratch")


def split_training_set(whole: TrainingSet, recommender: Recommender) -> Split:
    """The same of a training set that was read before; what is trained on is freed of position.

    A table of tests may name no weeks that part them; its slates are whole tests, and a test may be in any
    part.
    """
    test_share, gap_hours = TEST_SHARES[recommender.judge], recommender.window_hours
    if recommender.judge == "ab_test":
        fewest = recommender.gates.min_test_slates
        return split_tests(whole, test_share=test_share, gap_hours=gap_hours, fewest_judged=fewest)
    split = temporal_split(
        whole,
        gap_hours=gap_hours,
        test_share=test_share,
        keep_campaigns_whole=recommender.judge != "snips",  # a log of single slots may be one campaign
    )
    return free_of_position(split, recommender)


@dataclass(frozen=True, slots=True)
class TrainingWishes:
    """What a run asks for instead of what its recommender declares; None leaves that as it is."""

    tuning_trials: int | None = None
    tuning_cpu_seconds: float | None = None
    warm_start: bool | None = None

    def applied_to(self, declared: Recommender) -> Recommender:
        """The recommender with these wishes in place of its own declarations."""
        tuning = Tuning(
            declared.tuning.trials if self.tuning_trials is None else self.tuning_trials,
            declared.tuning.cpu_seconds if self.tuning_cpu_seconds is None else self.tuning_cpu_seconds,
        )
        warm_start = declared.warm_start if self.warm_start is None else self.warm_start
        return replace(declared, tuning=tuning, warm_start=warm_start)


AS_DECLARED = TrainingWishes()


def train_challenger(
    settings: Settings,
    recommender: str,
    snapshot_id: str | None = None,
    wishes: TrainingWishes = AS_DECLARED,
) -> dict[str, Any]:
    """Train on the snapshot (the current one when None) and register the result as the challenger.

    The same snapshot, settings and wishes give the same bundle and so the same version.

    Raises:
        NotEnoughDataError: the snapshot cannot teach a ranker, or holds too little to judge one.
        NotYetThereError: there is no such snapshot.
        StorageError: it is damaged.
    """
    declared, home = wishes.applied_to(get_recommender(recommender)), settings.paths
    with keep_sentences(home.sentences), log_step("train_challenger", recommender=recommender) as counts:
        snapshot = Snapshot.open(home, snapshot_id)
        split = split_snapshot(snapshot, declared, training_room(settings))
        counts.update(snapshot=snapshot.snapshot_id, rows_in=split.train.rows)
        tenant_rows = count_training_tenants(snapshot.training_path(recommender))
        tenants = hashed_tenants(home, tenant_rows)
        plan, facts = _plan(settings, declared, split, snapshot.snapshot_id, tenants)
        bundle = train_bundle(
            declared,
            split,
            snapshot=snapshot.snapshot_id,
            seed=settings.seed,
            threads=settings.threads,
            plan=plan,
            facts=facts,
        )
        path = bundle.save(home.registry / "bundles" / recommender)
        version = register(
            home, recommender, path, bundle.manifest.metrics, _lineage(bundle.manifest.training)
        )
        record_lineage(home, recommender, version, snapshot.snapshot_id, tenant_rows)
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


def _plan(
    settings: Settings, declared: Recommender, split: Split, snapshot: str, tenants: set[str]
) -> tuple[FitPlan, dict[str, Any]]:
    """How to grow the trees, and what to write down of how that was found."""
    plan, facts = FitPlan(), dict[str, Any]()
    if declared.judge == "ab_test":  # a linear head, which chooses its own penalty and has no trees
        return plan, facts
    if declared.tuning.trials:
        tuned = search_parameters(settings, declared, split.train, snapshot)
        plan, facts["tuning"] = replace(plan, parameters=tuned.parameters), tuned.facts
    if declared.warm_start:
        start = find_start(settings.paths, declared, split, snapshot=snapshot, tenants=tenants)
        rounds = MAX_ROUNDS - start.facts.get("trees", 0)
        plan, facts["warm_start"] = replace(plan, start=start.booster, rounds=rounds), start.facts
    return plan, facts


def _lineage(training: dict[str, Any]) -> dict[str, str]:
    tags = {
        f"{part}.{fact}": str(training[part][fact])
        for part in ("train", "valid", "test")
        for fact in ("slates", "rows", "first", "last")
    }
    begun = (training.get("warm_start") or {}).get("from")
    tags |= {"warm_start": begun} if begun else {}
    return tags | {"seed": str(training["seed"]), "trees": str(training["trees"])}
