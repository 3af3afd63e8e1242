"""Which enhancement an item had when it was shown: by the snapshot and by what was described since."""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter

from letterpress.lake.snapshots import Snapshot
from letterpress.serving.live_events import LiveItem, microseconds

MOST_DESCRIBED = 100_000
"""Items whose history is kept put together."""
Version = tuple[int, str | None]
"""When a description became known, and the enhancement that it names."""
Owner = tuple[str, str]
"""(recommender, tenant)."""


class LiveDescriptions:
    """The descriptions of items, relative to one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._versions: defaultdict[Owner, defaultdict[str, list[Version]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._histories: defaultdict[Owner, dict[str, list[Version]]] = defaultdict(dict)
        self._n_histories = 0

    def add(self, item: LiveItem) -> None:
        """Remember what was described after the snapshot, in the order of arrival."""
        owner = item.recommender, item.tenant
        versions, label = self._versions[owner][item.item_id], item.labels.get("enhancement")
        if not versions or versions[-1][1] != label:
            versions.append((microseconds(item.received_at), label))
            self._histories[owner].pop(item.item_id, None)

    def rebase(self, snapshot: Snapshot) -> None:
        """Go on from a newer snapshot."""
        self._snapshot = snapshot
        self._forget_histories()

    def enhancements(
        self, recommender: str, tenant: str, item_ids: tuple[str, ...], received: int, shown: int
    ) -> tuple[str | None, ...]:
        """Of each item as it was known when its slate was shown; failing that, as it first became known."""
        owner = recommender, tenant
        kept = self._histories[owner]
        found = []
        for item_id in item_ids:
            history = kept.get(item_id)
            if history is None:
                history = self._put_together(owner, item_id)
            if len(history) == 1 and history[0][0] <= shown:
                found.append(history[0][1])
            else:
                found.append(_as_known(history, received, shown))
        return tuple(found)

    def _put_together(self, owner: Owner, item_id: str) -> list[Version]:
        """All versions of an item, the oldest first; none where the snapshot has no such recommender."""
        if self._n_histories >= MOST_DESCRIBED:
            self._forget_histories()
        self._n_histories += 1
        found: list[Version] = []
        if owner[0] in self._snapshot.manifest.recommenders:
            versions = self._versions[owner].get(item_id, [])
            described = self._describe_in_snapshot(owner, item_id)
            found = versions if described is None else sorted([described, *versions], key=itemgetter(0))
        self._histories[owner][item_id] = found
        return found

    def _describe_in_snapshot(self, owner: Owner, item_id: str) -> Version | None:
        """When the snapshot's description of an item arrived, and its enhancement; None when it has none."""
        recommender, tenant = owner
        items = self._snapshot.items(recommender)
        row = int(items.find(tenant, [item_id])[0])
        if row == len(items):
            return None
        known_at = self._snapshot.recent(recommender).items_known_at
        return int(known_at[row]), items.describe(row).labels.get("enhancement")

    def _forget_histories(self) -> None:
        for kept in self._histories.values():
            kept.clear()
        self._n_histories = 0


def _as_known(history: list[Version], received: int, shown: int) -> str | None:
    for known_at, label in reversed(history):
        if known_at <= shown:
            return label
    if history and history[0][0] <= received:
        return history[0][1]
    return None
