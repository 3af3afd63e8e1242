"""Simulated arrays as lines of the native log, with the time at which each line arrives.

Written by hand, a field at a time: building typed events first would cost ten times as much. A test reads
every kind of line back through the codec.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import KINDS, PROPENSITY, Outcomes, Shown
from letterpress.simulation.campaigns import DAY, MINUTE, Ints, Slates
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


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines without line ends, when they happened and when they arrive (milliseconds since the epoch)."""

    texts: list[str]
    occurred_at: Ints
    received_at: Ints


def _format(moments: Ints) -> list[str]:
    return [f"{text}Z" for text in np.datetime_as_string(moments.astype("datetime64[ms]")).tolist()]


def _envelopes(occurred_at: Ints, received_at: Ints) -> list[str]:
    times = zip(_format(occurred_at), _format(received_at), strict=True)
    return [
        f'"recommender":"{RECOMMENDER}","occurred_at":"{occurred}","received_at":"{received}"'
        for occurred, received in times
    ]


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
    return Lines(texts, occurred, received)


def slate_ids(run: str, day: int, n_slates: int) -> list[str]:
    return [f"{run}-{day:03d}-{number:06d}" for number in range(n_slates)]


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
            _format(slates.send_at),
            strict=True,
        )
    ]


def campaign_lines(run: str, day: int, slates: Slates, contexts: list[str]) -> Lines:
    """One line a campaign, from its first slate."""
    _, first = np.unique(slates.campaign, return_index=True)
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
    return Lines(texts, occurred, received)


def slate_lines(ids: list[str], slates: Slates, shown_ids: list[list[str]], contexts: list[str]) -> Lines:
    """One line a slate. `shown_ids` are the ids of its items by position."""
    received = slates.at + _SECOND
    texts = []
    tenants = _names(TENANTS, slates.tenant)
    for identity, tenant, envelope, context, items in zip(
        ids, tenants, _envelopes(slates.at, received), contexts, shown_ids, strict=True
    ):
        places = ",".join(
            f'{{"item_id":"{item}","position":{position},"propensity":{_PROPENSITY}}}'
            for position, item in enumerate(items, 1)
        )
        texts.append(
            f'{{"type":"slate","event_id":"{identity}-slate","tenant":"{tenant}",{envelope},'
            f'"slate_id":"{identity}","campaign":{context},"slot":"hero","policy":"uniform","items":[{places}]}}'
        )
    return Lines(texts, slates.at, received)


def interaction_lines(
    ids: list[str], slates: Slates, shown: Shown, shown_ids: list[list[str]], rng: np.random.Generator
) -> Lines:
    """One line a choice or dismissal, some seconds after the slate."""
    slate, position = np.nonzero(shown.chosen | shown.dismissed)
    occurred = slates.at[slate] + rng.integers(4 * _SECOND, 90 * _SECOND, len(slate))
    received = occurred + _SECOND
    texts = [
        f'{{"type":"interaction","event_id":"{ids[row]}-i{column}","tenant":"{tenant}",{envelope},'
        f'"slate_id":"{ids[row]}","item_id":"{shown_ids[row][column]}",'
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
    return Lines(texts, occurred, received)


def outcome_lines(
    ids: list[str], slates: Slates, outcomes: Outcomes, shown_ids: list[list[str]], rng: np.random.Generator
) -> Lines:
    """One line a count, arriving 2-12 minutes after it was taken."""
    received = outcomes.at + rng.integers(2 * MINUTE, 12 * MINUTE, len(outcomes.at))
    texts = [
        f'{{"type":"outcome","event_id":"{ids[row]}-{column}{KINDS[kind][0]}{batch}","tenant":"{tenant}",'
        f'{envelope},"slate_id":"{ids[row]}","item_id":"{shown_ids[row][column]}",'
        f'"kind":"{KINDS[kind]}","count":{count}}}'
        for row, column, kind, batch, count, tenant, envelope in zip(
            outcomes.slate.tolist(),
            outcomes.position.tolist(),
            outcomes.kind.tolist(),
            outcomes.batch.tolist(),
            outcomes.count.tolist(),
            _names(TENANTS, slates.tenant[outcomes.slate]),
            _envelopes(outcomes.at, received),
            strict=True,
        )
    ]
    return Lines(texts, outcomes.at, received)


def delay_lines(lines: Lines, late: NDArray[np.bool_]) -> Lines:
    """The `late` ones of `lines`, arriving a day later; their text says so too."""
    rows = np.flatnonzero(late)
    received = lines.received_at[rows] + DAY
    before, after = _format(lines.received_at[rows]), _format(received)
    texts = [
        lines.texts[row].replace(f'"received_at":"{old}"', f'"received_at":"{new}"')
        for row, old, new in zip(rows.tolist(), before, after, strict=True)
    ]
    return Lines(texts, lines.occurred_at[rows], received)


def keep_lines(lines: Lines, kept: NDArray[np.bool_]) -> Lines:
    """The `kept` ones of `lines`."""
    rows = np.flatnonzero(kept)
    return Lines(
        [lines.texts[row] for row in rows.tolist()], lines.occurred_at[rows], lines.received_at[rows]
    )
