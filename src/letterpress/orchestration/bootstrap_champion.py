"""The step that gives a recommender its first champion, so that there is always something to serve."""

from __future__ import annotations

from typing import Any

from letterpress.clock import Clock
from letterpress.errors import NotEnoughDataError
from letterpress.lake.snapshots import Snapshot
from letterpress.log import log_step
from letterpress.orchestration.release_challenger import put_into_production
from letterpress.orchestration.train_challenger import split_snapshot
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.popularity import calibrated_popularity, popularity_bundle
from letterpress.recommenders import Recommender, get_recommender
from letterpress.registry.store import champion, model_version, register
from letterpress.settings import Settings


def bootstrap_champion(
    settings: Settings, recommender: str, snapshot_id: str | None = None, *, clock: Clock | None = None
) -> dict[str, Any]:
    """Release popularity where there is no champion; else see that the champion's release is complete.

    Raises:
        NotYetThereError: there is no such snapshot.
        StorageError: it is damaged.
    """
    declared, home = get_recommender(recommender), settings.paths
    standing = champion(home, recommender)
    with log_step("bootstrap_champion", recommender=recommender) as counts:
        if standing is None:
            bundle = _first_bundle(declared, Snapshot.open(home, snapshot_id))
            path = bundle.save(home.registry / "bundles" / recommender)
            version = register(home, recommender, path, {}, {})
            first = model_version(home, recommender, version)
            released = put_into_production(settings, first, instead_of=None, clock=clock)
        else:
            released = put_into_production(settings, standing, instead_of=standing, clock=clock)
        counts.update(model=released["model"], is_new=standing is None)
    return {**released, "is_new": standing is None}


def _first_bundle(declared: Recommender, snapshot: Snapshot) -> ModelBundle:
    """Popularity with rates of its scores; as declared where the log is too short to tell them."""
    try:
        return calibrated_popularity(declared, snapshot.snapshot_id, split_snapshot(snapshot, declared))
    except NotEnoughDataError:
        return popularity_bundle(declared, snapshot.snapshot_id)


def bootstrap_champion_for(
    settings: Settings, recommender: str, version: int, *, clock: Clock | None = None
) -> dict[str, Any]:
    """See that there is a champion for `version` to be judged against, of the version's own snapshot.

    Raises:
        NotYetThereError: the version or its snapshot is missing.
    """
    challenger = model_version(settings.paths, recommender, version)
    return bootstrap_champion(settings, recommender, challenger.tags["snapshot"], clock=clock)
