"""Which slates live counts know, what their items were, and what waits for a slate.

A slate that arrived after the snapshot's last hour is kept here; an older one is looked up in the snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from letterpress.events.types import CampaignContext
from letterpress.features import entity_keys
from letterpress.lake.recent_slates import MOST_WAITING, hash_name
from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES, KEY_SEPARATOR
from letterpress.lake.snapshots import Snapshot
from letterpress.serving.live_descriptions import LiveDescriptions
from letterpress.serving.live_events import LiveInteraction, LiveItem, LiveOutcome, LiveSlate, microseconds
from letterpress.serving.live_table import Group, Keys, LiveTables

HOUR = 3_600_000_000
MOST_GROUPS = 200_000
"""Items in a context whose groups are kept: a slate then makes no key."""
_COLUMNS = {name: column for column, name in enumerate(COUNT_NAMES)}


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
    group: Group
    is_chosen: bool
    """According to the snapshot."""


@dataclass(frozen=True, slots=True, eq=False)
class _Context:
    """What slates have in common whose items count for the same keys."""

    name: tuple[str, str, str | None, str | None, int | None]
    recommender: str
    tenant: str
    campaign: CampaignContext
    groups: dict[tuple[str, str | None], Group]
    """By item and enhancement, those that were made."""


class _Slate(NamedTuple):
    received_at: int
    shown_hour: int
    slate_id: str
    context: _Context
    item_ids: tuple[str, ...]
    enhancements: tuple[str | None, ...]


class LiveSlates:
    """The slates of one worker's memory, relative to one snapshot."""

    def __init__(self, snapshot: Snapshot, tables: LiveTables) -> None:
        self.snapshot = snapshot
        self._tables = tables
        self._slates: dict[int, _Slate] = {}
        self._by_hour: defaultdict[int, list[int]] = defaultdict(list)
        self._contexts: dict[tuple[str, str, str | None, str | None, int | None], _Context] = {}
        self._n_groups = 0
        self._descriptions = LiveDescriptions(snapshot)
        self._waiting: defaultdict[int, list[Reaction]] = defaultdict(list)
        self.waiting = 0
        self._wait_as_in_snapshot()

    def __len__(self) -> int:
        return len(self._slates)

    def describe(self, item: LiveItem) -> None:
        """Remember a description: slates that are shown later have its labels."""
        self._descriptions.add(item)

    def add(self, slate: LiveSlate, name: int) -> list[Group]:
        """The group of each item of the slate `name`, known from now on; none when it was known before."""
        item_ids = tuple(dict.fromkeys([place.item_id for place in slate.items]))
        if name in self._slates or self.arrived_before(slate) is not None:
            return []
        received, shown = microseconds(slate.received_at), microseconds(slate.occurred_at)
        enhancements = self._descriptions.enhancements(
            slate.recommender, slate.tenant, item_ids, received, shown
        )
        context = self._context(slate)
        self._slates[name] = _Slate(received, shown // HOUR, slate.slate_id, context, item_ids, enhancements)
        self._by_hour[received // HOUR].append(name)
        made = context.groups
        return [
            made.get(item) or self._make_group(context, item)
            for item in zip(item_ids, enhancements, strict=True)
        ]

    def find(self, reaction: Reaction) -> KnownPlace | None:
        """The item of its slate; None when the slate is not known, or has no such item."""
        slate = self._slates.get(reaction.slate)
        if slate is None:
            return self._find_in_snapshot(reaction)
        context = slate.context
        for item in zip(slate.item_ids, slate.enhancements, strict=True):
            if hash_name(context.tenant, slate.slate_id, item[0]) == reaction.place:
                group = context.groups.get(item) or self._make_group(context, item)
                return KnownPlace(slate.shown_hour, slate.received_at, group, is_chosen=False)
        return None

    def wait(self, reaction: Reaction) -> None:
        """Keep a reaction until its slate is known; not one to an item that its slate does not have."""
        if reaction.slate in self._slates:
            return
        self._waiting[reaction.slate].append(reaction)
        self.waiting += 1
        while self.waiting > MOST_WAITING:
            self.waiting -= len(self._waiting.pop(next(iter(self._waiting))))

    def take_waiting(self, name: int) -> list[Reaction]:
        """What waited for this slate."""
        found = self._waiting.pop(name, [])
        self.waiting -= len(found)
        return found

    def rebase(self, snapshot: Snapshot, first_hour: int, tables: LiveTables) -> list[Reaction]:
        """Go on from a newer snapshot that holds everything before `first_hour`; what waited since then.

        Counts go into `tables` from now on.
        """
        self.snapshot, self._tables = snapshot, tables
        self._descriptions.rebase(snapshot)
        for hour in [hour for hour in self._by_hour if hour < first_hour]:
            for name in self._by_hour.pop(hour):
                del self._slates[name]
        self._forget_groups()
        self._contexts = {each.context.name: each.context for each in self._slates.values()}
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

    def arrived_before(self, slate: LiveSlate) -> int | None:
        """The hour in which its first copy arrived, where the snapshot holds the slate; else None."""
        if slate.recommender not in self.snapshot.manifest.recommenders:
            return None
        recent = self.snapshot.recent(slate.recommender)
        row = recent.find(hash_name(slate.tenant, slate.slate_id, slate.items[0].item_id))
        return None if row is None else int(recent.arrived[row])

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
        group = self._tables.group_of(reaction.recommender, tuple(keys))
        return KnownPlace(int(recent.hours[row]), 0, group, is_chosen=bool(recent.chosen[row]))

    def _context(self, slate: LiveSlate) -> _Context:
        """One object for all slates that count for the same keys."""
        given = slate.campaign
        hour = None if given.send_at is None else microseconds(given.send_at) // HOUR % 24
        name = (slate.recommender, slate.tenant, given.segment, given.industry, hour)
        found = self._contexts.get(name)
        if found is None:
            campaign = CampaignContext(
                campaign_id="any", segment=given.segment, industry=given.industry, send_at=given.send_at
            )
            found = self._contexts[name] = _Context(name, slate.recommender, slate.tenant, campaign, {})
        return found

    def _make_group(self, context: _Context, item: tuple[str, str | None]) -> Group:
        """The group of an item, which is kept for the next slate that shows it."""
        if self._n_groups >= MOST_GROUPS:
            self._forget_groups()
        self._n_groups += 1
        keys = _keys(context, *item)
        group = context.groups[item] = self._tables.group_of(context.recommender, keys)
        return group

    def _forget_groups(self) -> None:
        for context in self._contexts.values():
            context.groups.clear()
        self._n_groups = 0


def _keys(context: _Context, item_id: str, enhancement: str | None) -> Keys:
    """(entity, key) of an item, without keys of which a part is missing."""
    labels = {} if enhancement is None else {"enhancement": enhancement}
    found = []
    for entity, parts in ENTITIES.items():
        key = entity_keys(entity, context.tenant, context.campaign, [item_id], [labels])[0]
        if key.count(KEY_SEPARATOR) == len(parts) - 1:
            found.append((entity, key))
    return tuple(found)
