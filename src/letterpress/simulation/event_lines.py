"""Simulated arrays as lines of the native log, with the time at which each line arrives.

Written by hand, a field at a time: building typed events first would cost ten times as much. A test reads
every kind of line back through the codec.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from operator import add

import numpy as np
from numpy.typing import NDArray

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import PROPENSITY, SLATE_SIZE, Shown
from letterpress.simulation.campaigns import MINUTE, Ints, Slates
from letterpress.simulation.reactions import KINDS, Outcomes
from letterpress.simulation.world import (
    CAMPAIGN_TYPES,
    GOALS,
    INDUSTRIES,
    RECOMMENDER,
    SEGMENTS,
    TENANTS,
    World,
)

_SECOND = 1000
_PROPENSITY = repr(PROPENSITY)


_LETTERS = dict(zip(KINDS, "docuvb", strict=True))


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one event type without line ends, when they happened and when they arrive (milliseconds)."""

    name: str
    texts: list[str]
    occurred_at: Ints
    received_at: Ints

    def __len__(self) -> int:
        return len(self.texts)

    def keep(self, kept: NDArray[np.bool_]) -> Lines:
        """The `kept` ones of them."""
        return self if kept.all() else self.take(np.flatnonzero(kept))

    def take(self, rows: Ints) -> Lines:
        """Those at `rows`."""
        texts = [self.texts[row] for row in rows.tolist()]
        return Lines(self.name, texts, self.occurred_at[rows], self.received_at[rows])


@cache
def _seconds() -> NDArray[np.str_]:
    """(60000,): what follows the minute of each millisecond in it."""
    return np.array([f":{each // 1000:02d}.{each % 1000:03d}Z" for each in range(MINUTE)])


_TIME = [("minute", "U16"), ("second", "U8")]
_BEFORE, _BETWEEN = f'"recommender":"{RECOMMENDER}","occurred_at":"', '","received_at":"'
_ENVELOPE = np.dtype(
    [
        ("before", f"U{len(_BEFORE)}"),
        ("occurred", _TIME),
        ("between", f"U{len(_BETWEEN)}"),
        ("received", _TIME),
        ("after", "U1"),
    ]
)


def _write_times(places: NDArray[np.void], moments: Ints) -> None:
    """Fill `places` of type `_TIME`."""
    minutes, milliseconds = np.divmod(moments, MINUTE)
    first, last = minutes.min(), minutes.max()
    if last - first < len(minutes):
        table = np.datetime_as_string(np.arange(first, last + 1).astype("datetime64[m]"), unit="m")
        places["minute"] = table[minutes - first]
    else:  # a few moments far apart
        places["minute"] = np.datetime_as_string(minutes.astype("datetime64[m]"), unit="m")
    places["second"] = _seconds()[milliseconds]


def format_times(moments: Ints) -> list[str]:
    """RFC 3339 in UTC with milliseconds."""
    if not len(moments):
        return []
    texts = np.empty(len(moments), _TIME)
    _write_times(texts, moments)
    found: list[str] = texts.view("U24").tolist()
    return found


def _envelopes(occurred_at: Ints, received_at: Ints) -> list[str]:
    """Written as columns of one array of texts: half the time of a format string a line."""
    if not len(occurred_at):
        return []
    texts = np.empty(len(occurred_at), _ENVELOPE)
    texts["before"], texts["between"], texts["after"] = _BEFORE, _BETWEEN, '"'
    _write_times(texts["occurred"], occurred_at)
    _write_times(texts["received"], received_at)
    found: list[str] = texts.view(f"U{_ENVELOPE.itemsize // 4}").tolist()
    return found


def _names(names: tuple[str, ...], indices: Ints) -> list[str]:
    return [names[index] for index in indices.tolist()]


def item_lines(world: World, pictures: Ints, at: int) -> Lines:
    """The items made from `pictures`, one line each, from the moment `at` on."""
    first = pictures[:, None] * len(VARIANTS) + np.arange(len(VARIANTS))
    items = first.ravel()
    occurred = at + np.arange(len(items)) % (5 * MINUTE)
    received = occurred + 2 * _SECOND
    ids = world.item_ids()
    texts = []
    for item, envelope in zip(items.tolist(), _envelopes(occurred, received), strict=True):
        picture, variant = divmod(item, len(VARIANTS))
        texts.append(
            f'{{"type":"item","event_id":"{ids[item]}-item","tenant":"{TENANTS[world.picture_tenants[picture]]}",'
            f'{envelope},"item_id":"{ids[item]}","kind":"picture_variant",'
            f'"source_id":"{world.picture_ids[picture]}","attributes":{json.dumps(world.attributes[item])},'
            f'"labels":{{"enhancement":"{VARIANTS[variant].enhancement}"}}}}'
        )
    return Lines("item", texts, occurred, received)


def slate_ids(run: str, day: int, numbers: range) -> list[str]:
    return [f"{run}-{day:03d}-{number:06d}" for number in numbers]


def person_ids(tenants: Ints, kind: str, numbers: Ints) -> list[str]:
    """Identifiers of builders or recipients as the sender knows them; personal, as in life."""
    return [
        f"{TENANTS[tenant]}-{kind}{number:05d}"
        for tenant, number in zip(tenants.tolist(), numbers.tolist(), strict=True)
    ]


def campaign_contexts(run: str, day: int, slates: Slates) -> list[str]:
    """For every slate its campaign as JSON."""
    return [
        f'{{"campaign_id":"{run}-{day:03d}-c{campaign:05d}","industry":"{industry}","campaign_type":"{kind}",'
        f'"goal":"{goal}","segment":"{segment}","mobile_share":{mobile_share},"send_at":"{send_at}"}}'
        for campaign, industry, kind, goal, segment, mobile_share, send_at in zip(
            slates.campaign.tolist(),
            _names(INDUSTRIES, slates.industry),
            _names(CAMPAIGN_TYPES, slates.campaign_type),
            _names(GOALS, slates.goal),
            _names(SEGMENTS, slates.segment),
            slates.mobile_share.tolist(),
            format_times(slates.send_at),
            strict=True,
        )
    ]


def campaign_lines(run: str, day: int, slates: Slates, contexts: list[str], first: Ints) -> Lines:
    """One line a campaign; `first` are the rows of the first slates of campaigns."""
    occurred = slates.created_at[first]
    received = occurred + _SECOND
    texts = [
        f'{{"type":"campaign","event_id":"{run}-{day:03d}-c{number:05d}-campaign","tenant":"{tenant}",'
        f'{envelope},"campaign":{contexts[row]}}}'
        for number, tenant, envelope, row in zip(
            slates.campaign[first].tolist(),
            _names(TENANTS, slates.tenant[first]),
            _envelopes(occurred, received),
            first.tolist(),
            strict=True,
        )
    ]
    return Lines("campaign", texts, occurred, received)


def sessions(run: str, day: int, slates: Slates) -> list[str]:
    """For every slate who asked for it, as fields of its line: all slates of a campaign are one session."""
    builders = person_ids(slates.tenant, "b", slates.builder)
    return [
        f'"builder_id":"{builder}","session_id":"{run}-{day:03d}-v{campaign:05d}"'
        for builder, campaign in zip(builders, slates.campaign.tolist(), strict=True)
    ]


def experiment_ids(ids: list[str], shown: Shown) -> list[str | None]:
    """For every slate the id of the experiment that is made of it, if any."""
    planned = shown.is_experiment.tolist()
    return [f"{identity}-ab" if is_one else None for identity, is_one in zip(ids, planned, strict=True)]


def slate_lines(
    ids: list[str],
    slates: Slates,
    shown: Shown,
    shown_ids: list[list[str]],
    contexts: list[str],
    asked_by: list[str],
) -> Lines:
    """One line a slate. `shown_ids` are the ids of its items by position."""
    received = slates.at + _SECOND
    texts = []
    tenants = _names(TENANTS, slates.tenant)
    tails = [f'","position":{position},"propensity":{_PROPENSITY}}}' for position in range(1, SLATE_SIZE + 1)]
    experiments = _experiments(ids, shown, shown_ids)
    for identity, tenant, envelope, context, session, experiment, items in zip(
        ids, tenants, _envelopes(slates.at, received), contexts, asked_by, experiments, shown_ids, strict=True
    ):
        places = ',{"item_id":"'.join(map(add, items, tails))
        texts.append(
            f'{{"type":"slate","event_id":"{identity}-slate","tenant":"{tenant}",{envelope},{session}{experiment},'
            f'"slate_id":"{identity}","campaign":{context},"slot":"hero","policy":"uniform",'
            f'"items":[{{"item_id":"{places}]}}'
        )
    return Lines("slate", texts, slates.at, received)


def _experiments(ids: list[str], shown: Shown, shown_ids: list[list[str]]) -> list[str]:
    """For every slate its experiment as a field of its line; nothing where there is none."""
    originals = (shown.items % len(VARIANTS) == 0).argmax(1).tolist()
    return [
        ""
        if name is None
        else f',"experiment":{{"experiment_id":"{name}","unit":"recipient","original_arm":"{items[place]}"}}'
        for name, items, place in zip(experiment_ids(ids, shown), shown_ids, originals, strict=True)
    ]


def interaction_lines(
    ids: list[str],
    slates: Slates,
    shown: Shown,
    shown_ids: list[list[str]],
    asked_by: list[str],
    rng: np.random.Generator,
) -> Lines:
    """One line a choice or dismissal, some seconds after the slate."""
    slate, position = np.nonzero(shown.chosen | shown.dismissed)
    occurred = slates.at[slate] + rng.integers(4 * _SECOND, 90 * _SECOND, len(slate))
    received = occurred + _SECOND
    texts = [
        f'{{"type":"interaction","event_id":"{ids[row]}-i{column}","tenant":"{tenant}",{envelope},'
        f'{asked_by[row]},"slate_id":"{ids[row]}","item_id":"{shown_ids[row][column]}",'
        f'"action":"{"chosen" if chosen else "dismissed"}"}}'
        for row, column, tenant, envelope, chosen in zip(
            slate.tolist(),
            position.tolist(),
            _names(TENANTS, slates.tenant[slate]),
            _envelopes(occurred, received),
            shown.chosen[slate, position].tolist(),
            strict=True,
        )
    ]
    return Lines("interaction", texts, occurred, received)


def outcome_lines(
    ids: list[str], slates: Slates, shown: Shown, outcomes: Outcomes, shown_ids: list[list[str]]
) -> Lines:
    """One line a count or a recipient's act."""
    width = len(shown_ids[0]) if shown_ids else 0
    heads = _outcome_heads(ids, slates, shown, outcomes, shown_ids)
    who = ["" if each < 0 else f"-{each}" for each in outcomes.recipient.tolist()]
    texts = [
        f'{{"type":"outcome","event_id":"{(head := heads[row * width + column])[0]}{letter}{batch}{person}",'
        f'{envelope},{head[1]},"kind":"{kind}",{tail}}}'
        for row, column, letter, kind, batch, person, tail, envelope in zip(
            outcomes.slate.tolist(),
            outcomes.position.tolist(),
            _names(tuple(_LETTERS.values()), outcomes.kind),
            _names(KINDS, outcomes.kind),
            outcomes.batch.tolist(),
            who,
            _outcome_tails(slates, outcomes),
            _envelopes(outcomes.at, outcomes.received_at),
            strict=True,
        )
    ]
    return Lines("outcome", texts, outcomes.at, outcomes.received_at)


def _outcome_heads(
    ids: list[str], slates: Slates, shown: Shown, outcomes: Outcomes, shown_ids: list[list[str]]
) -> dict[int, tuple[str, str]]:
    """For every sent place (slate * width + column) how the ids of its events begin, and what they share."""
    width = len(shown_ids[0]) if shown_ids else 0
    tenants = _names(TENANTS, slates.tenant)
    experiments = [
        "" if name is None else f',"experiment_id":"{name}"' for name in experiment_ids(ids, shown)
    ]
    heads = {}
    for place in np.unique(outcomes.slate * width + outcomes.position).tolist():
        row, column = divmod(place, width)
        heads[place] = (
            f"{ids[row]}-{column}",
            f'"tenant":"{tenants[row]}","slate_id":"{ids[row]}","item_id":"{shown_ids[row][column]}"'
            f"{experiments[row]}",
        )
    return heads


def _outcome_tails(slates: Slates, outcomes: Outcomes) -> list[str]:
    tails = [f'"count":{count}' for count in outcomes.count.tolist()]
    single = np.flatnonzero(outcomes.recipient >= 0)
    people = person_ids(slates.tenant[outcomes.slate[single]], "r", outcomes.recipient[single])
    for row, person in zip(single.tolist(), people, strict=True):
        tails[row] = f'"recipient_id":"{person}"'
    return tails
