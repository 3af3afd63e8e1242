"""Which slates live counts know, what their items were, and what waits for a slate.

A slate that arrived after the snapshot's last hour is kept here; an older one is looked up in the snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from letterpress.events.types import CampaignContext
from letterpress.features import entity_keys
from letterpress.lake.recent_slates import MOST_WAITING, hash_name
from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES, KEY_SEPARATOR
from letterpress.lake.snapshots import Snapshot
from letterpress.serving.live_events import LiveInteraction, LiveItem, LiveOutcome, LiveSlate, microseconds

HOUR = 3_600_000_000
MOST_DESCRIBED = 100_000
"""Descriptions of the snapshot that are kept decoded."""
_COLUMNS = {name: column for column, name in enumerate(COUNT_NAMES)}

Keys = tuple[tuple[str, str], ...]
"""(entity, key) of everything that one item of a slate counts for."""


class Reaction(NamedTuple):
    """Something that happened to an item of a slate, whether its slate is known or not."""

    recommender: str
    slate: int
    place: int
    received_at: int
    hour: int
    """In which it happened."""
    column: int
    """Which of `COUNT_NAMES` it is."""
    amount: int


def reaction_of(event: LiveInteraction | LiveOutcome) -> Reaction | None:
    """The event as it counts; None for one that counts nothing."""
    kind, amount = (event.action, 1) if isinstance(event, LiveInteraction) else (event.kind, event.count)
    column = _COLUMNS.get(kind)
    if column is None:
        return None
    return Reaction(
        event.recommender,
        hash_name(event.recommender, event.tenant, event.slate_id),
        hash_name(event.tenant, event.slate_id, event.item_id),
        microseconds(event.received_at),
        microseconds(event.occurred_at) // HOUR,
        column,
        amount,
    )


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """An item of a known slate."""

    shown_hour: int
    received_at: int
    """Of the slate; 0 where the snapshot holds it."""
    keys: Keys
    is_chosen: bool
    """According to the snapshot."""


class _Slate(NamedTuple):
    received_at: int
    shown_hour: int
    tenant: str
    slate_id: str
    campaign: CampaignContext
    item_ids: tuple[str, ...]
    enhancements: tuple[str | None, ...]


class LiveSlates:
    """The slates of one worker's memory, relative to one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._slates: dict[int, _Slate] = {}
        self._by_hour: defaultdict[int, list[int]] = defaultdict(list)
        self._campaigns: dict[tuple[str | None, str | None, int | None], CampaignContext] = {}
        self._versions: defaultdict[str, list[tuple[int, str | None]]] = defaultdict(list)
        self._waiting: defaultdict[int, list[Reaction]] = defaultdict(list)
        self._described: dict[str, tuple[int, str | None] | None] = {}
        self.waiting = 0
        self._wait_as_in_snapshot()

    def __len__(self) -> int:
        return len(self._slates)

    def describe(self, item: LiveItem) -> None:
        """Remember a description: slates that are shown later have its labels."""
        name = KEY_SEPARATOR.join((item.recommender, item.tenant, item.item_id))
        versions, label = self._versions[name], item.labels.get("enhancement")
        if not versions or versions[-1][1] != label:
            versions.append((microseconds(item.received_at), label))

    def add(self, slate: LiveSlate) -> list[Keys]:
        """The keys of each item of a slate, which is known from now on; none when it was known before."""
        name = hash_name(slate.recommender, slate.tenant, slate.slate_id)
        item_ids = tuple(dict.fromkeys(place.item_id for place in slate.items))
        if name in self._slates or self._is_in_snapshot(slate, item_ids[0]):
            return []
        received, shown = microseconds(slate.received_at), microseconds(slate.occurred_at)
        enhancements = self._enhancements(slate, item_ids, received, shown)
        kept = _Slate(
            received,
            shown // HOUR,
            slate.tenant,
            slate.slate_id,
            self._campaign(slate),
            item_ids,
            enhancements,
        )
        self._slates[name] = kept
        self._by_hour[received // HOUR].append(name)
        return _keys(kept)

    def find(self, reaction: Reaction) -> KnownPlace | None:
        """The item of its slate; None when the slate is not known, or has no such item."""
        slate = self._slates.get(reaction.slate)
        if slate is None:
            return self._find_in_snapshot(reaction)
        for at, item_id in enumerate(slate.item_ids):
            if hash_name(slate.tenant, slate.slate_id, item_id) == reaction.place:
                return KnownPlace(
                    slate.shown_hour, slate.received_at, _keys(slate, (at,))[0], is_chosen=False
                )
        return None

    def wait(self, reaction: Reaction) -> None:
        """Keep a reaction until its slate is known; not one to an item that its slate does not have."""
        if reaction.slate in self._slates:
            return
        self._waiting[reaction.slate].append(reaction)
        self.waiting += 1
        while self.waiting > MOST_WAITING:
            self.waiting -= len(self._waiting.pop(next(iter(self._waiting))))

    def take_waiting(self, slate: LiveSlate) -> list[Reaction]:
        """What waited for this slate."""
        found = self._waiting.pop(hash_name(slate.recommender, slate.tenant, slate.slate_id), [])
        self.waiting -= len(found)
        return found

    def rebase(self, snapshot: Snapshot, first_hour: int) -> list[Reaction]:
        """Go on from a newer snapshot that holds everything before `first_hour`; what waited since then."""
        self.snapshot = snapshot
        self._described.clear()
        for hour in [hour for hour in self._by_hour if hour < first_hour]:
            for name in self._by_hour.pop(hour):
                del self._slates[name]
        waited = [each for some in self._waiting.values() for each in some]
        self._waiting.clear()
        self.waiting = 0
        self._wait_as_in_snapshot()
        return [each for each in waited if each.received_at // HOUR >= first_hour]

    def _wait_as_in_snapshot(self) -> None:
        """What waited when the snapshot was made; not for a slate that has arrived since."""
        for recommender in self.snapshot.manifest.recommenders:
            for row in self.snapshot.recent(recommender).waiting[::-1].tolist():
                self.wait(Reaction(recommender, *row))

    def _is_in_snapshot(self, slate: LiveSlate, item_id: str) -> bool:
        if slate.recommender not in self.snapshot.manifest.recommenders:
            return False
        recent = self.snapshot.recent(slate.recommender)
        return recent.find(hash_name(slate.tenant, slate.slate_id, item_id)) is not None

    def _find_in_snapshot(self, reaction: Reaction) -> KnownPlace | None:
        if reaction.recommender not in self.snapshot.manifest.recommenders:
            return None
        recent = self.snapshot.recent(reaction.recommender)
        row = recent.find(reaction.place)
        if row is None:
            return None
        keys = []
        for entity, at in zip(ENTITIES, recent.keys[row].tolist(), strict=True):
            table = self.snapshot.keys_of(reaction.recommender, entity)
            if at < len(table):
                keys.append((entity, table.keys[at]))
        return KnownPlace(int(recent.hours[row]), 0, tuple(keys), is_chosen=bool(recent.chosen[row]))

    def _campaign(self, slate: LiveSlate) -> CampaignContext:
        """One object for all slates that count for the same keys."""
        given = slate.campaign
        hour = None if given.send_at is None else microseconds(given.send_at) // HOUR % 24
        name = (given.segment, given.industry, hour)
        found = self._campaigns.get(name)
        if found is None:
            found = self._campaigns[name] = CampaignContext(
                campaign_id="any", segment=given.segment, industry=given.industry, send_at=given.send_at
            )
        return found

    def _enhancements(
        self, slate: LiveSlate, item_ids: tuple[str, ...], received: int, shown: int
    ) -> tuple[str | None, ...]:
        """Of each item as it was known when the slate was shown; failing that, as it first became known."""
        if slate.recommender not in self.snapshot.manifest.recommenders:
            return (None,) * len(item_ids)
        found = []
        for item_id in item_ids:
            name = KEY_SEPARATOR.join((slate.recommender, slate.tenant, item_id))
            versions = self._versions.get(name, [])
            described = self._describe_in_snapshot(name, slate, item_id)
            if described is not None:
                versions = sorted([described, *versions], key=itemgetter(0))
            in_time = [label for known_at, label in versions if known_at <= shown]
            late = [label for known_at, label in versions[:1] if known_at <= received]
            found.append(in_time[-1] if in_time else late[0] if late else None)
        return tuple(found)

    def _describe_in_snapshot(
        self, name: str, slate: LiveSlate, item_id: str
    ) -> tuple[int, str | None] | None:
        """When the snapshot's description of an item arrived, and its enhancement; None when it has none."""
        if name not in self._described:
            if len(self._described) >= MOST_DESCRIBED:
                self._described.clear()
            items = self.snapshot.items(slate.recommender)
            row = int(items.find(slate.tenant, [item_id])[0])
            known_at = self.snapshot.recent(slate.recommender).items_known_at
            self._described[name] = (
                None
                if row == len(items)
                else (int(known_at[row]), items.describe(row).labels.get("enhancement"))
            )
        return self._described[name]


def _keys(slate: _Slate, places: tuple[int, ...] | None = None) -> list[Keys]:
    """(entity, key) of the items at `places` (of all), without keys of which a part is missing."""
    wanted = range(len(slate.item_ids)) if places is None else places
    item_ids = [slate.item_ids[place] for place in wanted]
    labels = [
        {} if (label := slate.enhancements[place]) is None else {"enhancement": label} for place in wanted
    ]
    columns: list[list[tuple[str, str] | None]] = []
    for entity, parts in ENTITIES.items():
        keys = entity_keys(entity, slate.tenant, slate.campaign, item_ids, labels)
        columns.append(
            [(entity, key) if key.count(KEY_SEPARATOR) == len(parts) - 1 else None for key in keys]
        )
    return [tuple(each for each in of_item if each is not None) for of_item in zip(*columns, strict=True)]
