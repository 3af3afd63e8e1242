"""The step that makes a logged slate again and says whether it is the same."""

from __future__ import annotations

from typing import Any

import msgspec

from letterpress.errors import NotYetThereError, UsageError
from letterpress.events.types import Slate
from letterpress.lake.logged_slate import find_slate
from letterpress.lake.snapshots import Snapshot
from letterpress.log import log_step
from letterpress.ranking.bundle import ModelBundle
from letterpress.recommenders import Recommender, get_recommender
from letterpress.registry.store import model_version
from letterpress.serving.replay import Part, replay_choice, replay_features, replay_scores
from letterpress.settings import Home, Settings


def replay_slate(settings: Settings, slate_id: str) -> dict[str, Any]:
    """What the model, the policy and the snapshot make of the slate today; `equal` when nothing differs.

    A part that cannot be made again says why, and does not count as different.

    Raises:
        NotYetThereError: there is no such slate, or its model is gone.
        UsageError: the slate was not made by our service.
        StorageError, ModelRefusedError: raw, the snapshot or the model is damaged.
    """
    home = settings.paths
    with log_step("replay_slate", slate=slate_id) as counts:
        slate = find_slate(home, slate_id)
        bundle = _open_model(home, slate)
        recommender = get_recommender(slate.recommender)
        parts = [
            _replay_features(home, slate, recommender),
            replay_scores(slate, bundle),
            replay_choice(slate, recommender),
        ]
        equal = all(part.equal is not False for part in parts)
        counts.update(equal=equal)
    return {
        "slate_id": slate_id,
        "model": slate.model,
        "sha256": bundle.sha256,
        "snapshot": slate.snapshot,
        "shown_at": slate.occurred_at.isoformat(),
        "equal": equal,
        "parts": [msgspec.to_builtins(part) for part in parts],
    }


def _open_model(home: Home, slate: Slate) -> ModelBundle:
    name, _, version = (slate.model or "").rpartition("/")
    if not name or not version.isdigit():
        raise UsageError(
            f"expected a slate that our service ranked, found one of model {slate.model!r}; only what was "
            "ranked here can be replayed."
        )
    return model_version(home, name, int(version)).open_bundle()


def _replay_features(home: Home, slate: Slate, recommender: Recommender) -> Part:
    try:
        snapshot = Snapshot.open(home, slate.snapshot or "none")
    except NotYetThereError:
        detail = (
            f"snapshot {slate.snapshot} is gone, only the last ones are kept; "
            "`letterpress features --audit` computes from raw"
        )
        return Part("features", None, detail)
    return replay_features(slate, recommender, snapshot)
