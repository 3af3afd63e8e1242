"""What recipients do with what was sent, and hours to days later when it is known."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from letterpress.simulation.behaviour import Shown
from letterpress.simulation.campaigns import HOUR, MINUTE, Ints, Slates
from letterpress.simulation.seasons import click_factors
from letterpress.simulation.world import BOUNCE_RATE, Conditions

KINDS = ("delivered", "opened", "clicked", "unsubscribed", "converted", "bounced")
DELIVERED, OPENED, CLICKED, UNSUBSCRIBED, CONVERTED, BOUNCED = range(len(KINDS))
SINGLE_SHARE = 0.005
"""Share of sends whose openings, clicks and what follows are logged one recipient at a time; the others
come as counts."""
RECIPIENTS = 50_000
"""Of every tenant."""
LAST_OUTCOME_HOURS = 120
"""Nothing happens later than this after the send."""

OPEN_RATE = 0.2
SMALLEST_SEND, LARGEST_SEND = 200, 5000
_BATCH_SHARES = np.array([0.5, 0.35, 0.15])
_BATCH_DELAYS = np.array([90, 420, 2640]) * MINUTE
"""Counts are taken at about 1.5, 7 and 44 hours: 85 % of the clicks are known within a day."""
_DELAY_SPREAD = 0.3
_CONVERSION_LAG = 6 * HOUR
_SINGLE_MEDIAN, _SINGLE_SPREAD = 3.0 * HOUR, 1.4
_TRANSIT = (2 * MINUTE, 12 * MINUTE)
_NOBODY = -1
_BOT_BATCH = len(_BATCH_SHARES)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcome events, all (n_events,): counts, or one recipient each."""

    slate: Ints
    position: Ints
    """0-based column of the slate."""
    kind: Ints
    """Index into KINDS."""
    batch: Ints
    count: Ints
    at: Ints
    received_at: Ints
    recipient: Ints
    """Number of the recipient within the tenant; -1 for a count."""


@dataclass(frozen=True, slots=True)
class _Sends:
    """Totals by sent item, all (n_sent,)."""

    slate: Ints
    position: Ints
    at: Ints
    totals: Ints
    """(n_kinds, n_sent)"""
    bots: Ints
    """How many of the recipients are machines."""


def bot_recipients(seed: int, tenant: int, conditions: Conditions) -> Ints:
    """Numbers of the tenant's recipients that are machines, ascending."""
    count = round(conditions.bot_share * RECIPIENTS)
    if not count:
        return np.empty(0, np.int64)
    order = np.random.default_rng((seed, 11, tenant)).permutation(RECIPIENTS)
    return np.sort(order[:count])


def send_and_react(slates: Slates, shown: Shown, rng: np.random.Generator) -> Outcomes:
    """Every chosen item is sent to 200-5,000 recipients, the arms of an experiment to equally many.

    What recipients do is known in three batches of counts within two and a half days, or for a share of
    the sends one recipient at a time within five.
    """
    sends = _react(slates, shown, rng)
    single = rng.random(len(slates))[sends.slate] < SINGLE_SHARE
    parts = [_report_at_once(sends, kind, 2 * MINUTE, rng) for kind in (DELIVERED, BOUNCED)]
    counted = np.flatnonzero(~single)
    if shown.conditions.bot_share:
        parts.extend(_report_bots(sends, kind, counted, rng) for kind in (OPENED, CLICKED))
    kinds = (OPENED, CLICKED, UNSUBSCRIBED, CONVERTED)
    taken_at = _counting_times(sends, rng)
    for kind in kinds:
        parts.extend(_report_counts(sends, kind, counted, taken_at, rng))
    for row in np.flatnonzero(single).tolist():
        bots = bot_recipients(shown.seed, int(slates.tenant[sends.slate[row]]), shown.conditions)
        events = _react_singly(sends, row, bots, rng)
        parts.extend(_Part.single(row, kind, *events[kind]) for kind in kinds)
    outcomes = _join(sends, parts, rng)
    if shown.conditions.are_conversions_logged:
        return outcomes
    return _keep(outcomes, outcomes.kind != CONVERTED)


def _keep(outcomes: Outcomes, kept: NDArray[np.bool_]) -> Outcomes:
    return Outcomes(*(getattr(outcomes, each.name)[kept] for each in fields(outcomes)))


def _react(slates: Slates, shown: Shown, rng: np.random.Generator) -> _Sends:
    slate, position = np.nonzero(shown.sent)
    log_size = rng.uniform(np.log(SMALLEST_SEND), np.log(LARGEST_SEND), len(slates))
    sent = np.maximum(1, rng.poisson(np.exp(log_size)[slate]))
    at = slates.send_at[slate]
    bounced = rng.binomial(sent - 1, BOUNCE_RATE)
    delivered = sent - bounced
    share = shown.conditions.bot_share
    bots = np.random.default_rng(rng.integers(2**63)).binomial(delivered, share)
    people = delivered - bots
    rates = shown.rates[slate, position] * click_factors(at, shown.conditions.season_strength)
    clicked = rng.binomial(people, np.minimum(rates, 1.0))
    opened = clicked + rng.binomial(people - clicked, OPEN_RATE)
    unsubscribed = rng.binomial(people, np.minimum(shown.unsubscribe_rates[slate, position], 1.0))
    converted = rng.binomial(clicked, np.minimum(shown.conversion_rates[slate, position], 1.0))
    totals = np.stack([delivered, opened, clicked, unsubscribed, converted, bounced])
    return _Sends(slate, position, at, totals, bots)


@dataclass(frozen=True, slots=True)
class _Part:
    """Events of one kind and batch; arrays (n,)."""

    rows: Ints
    kind: int
    batch: int
    count: Ints
    at: Ints
    recipient: Ints

    @classmethod
    def counts(cls, rows: Ints, kind: int, batch: int, count: Ints, at: Ints) -> _Part:
        return cls(rows, kind, batch, count, at, np.full(len(rows), _NOBODY))

    @classmethod
    def single(cls, row: int, kind: int, recipient: Ints, at: Ints) -> _Part:
        n = len(recipient)
        return cls(np.full(n, row), kind, 0, np.ones(n, np.int64), at, recipient)


def _join(sends: _Sends, parts: list[_Part], rng: np.random.Generator) -> Outcomes:
    """All parts as one; each event arrives some minutes after it happened or was counted."""
    rows = np.concatenate([part.rows for part in parts])
    lengths = [len(part.rows) for part in parts]
    at = np.concatenate([part.at for part in parts])
    return Outcomes(
        slate=sends.slate[rows],
        position=sends.position[rows],
        kind=np.repeat([part.kind for part in parts], lengths),
        batch=np.repeat([part.batch for part in parts], lengths),
        count=np.concatenate([part.count for part in parts]),
        at=at,
        received_at=at + rng.integers(*_TRANSIT, len(at)),
        recipient=np.concatenate([part.recipient for part in parts]),
    )


def _report_at_once(sends: _Sends, kind: int, within: int, rng: np.random.Generator) -> _Part:
    count = sends.totals[kind]
    rows = np.flatnonzero(count)
    return _Part.counts(rows, kind, 0, count[rows], sends.at[rows] + rng.integers(0, within, len(rows)))


def _report_bots(sends: _Sends, kind: int, rows: Ints, rng: np.random.Generator) -> _Part:
    """Machines open and click within a minute of the send."""
    rows = rows[sends.bots[rows] > 0]
    at = sends.at[rows] + rng.integers(2 * MINUTE, 3 * MINUTE, len(rows))
    return _Part.counts(rows, kind, _BOT_BATCH, sends.bots[rows], at)


def _counting_times(sends: _Sends, rng: np.random.Generator) -> Ints:
    """(n_batches, n_sent): when the counts of each batch are taken, all kinds of a send at once."""
    spread = 1.0 + _DELAY_SPREAD * rng.uniform(-1.0, 1.0, (len(_BATCH_DELAYS), len(sends.at)))
    return sends.at + (_BATCH_DELAYS[:, None] * spread).astype(np.int64)


def _report_counts(
    sends: _Sends, kind: int, rows: Ints, taken_at: Ints, rng: np.random.Generator
) -> list[_Part]:
    split = rng.multinomial(sends.totals[kind, rows], _BATCH_SHARES)
    lag = _CONVERSION_LAG if kind == CONVERTED else 0
    parts = []
    for batch in range(len(_BATCH_SHARES)):
        some = np.flatnonzero(split[:, batch])
        at = taken_at[batch, rows[some]] + lag
        parts.append(_Part.counts(rows[some], kind, batch, split[some, batch], at))
    return parts


def _react_singly(
    sends: _Sends, row: int, bots: Ints, rng: np.random.Generator
) -> dict[int, tuple[Ints, Ints]]:
    """For every kind the recipients and when each of them did it."""
    delivered, opened, clicked, unsubscribed, converted, _ = sends.totals[:, row].tolist()
    people = rng.choice(RECIPIENTS, min(RECIPIENTS, delivered + len(bots)), replace=False)
    people = people[~np.isin(people, bots)] if len(bots) else people
    machines = rng.choice(bots, min(len(bots), int(sends.bots[row])), replace=False) if len(bots) else bots
    delays = np.exp(np.log(_SINGLE_MEDIAN) + _SINGLE_SPREAD * rng.normal(size=opened))
    latest = (LAST_OUTCOME_HOURS - 30) * HOUR
    opened_at = sends.at[row] + np.minimum(delays, latest).astype(np.int64) + 2 * MINUTE
    clicked_at = opened_at[:clicked] + rng.integers(2000, 3 * MINUTE, clicked)
    converted_at = clicked_at[:converted] + rng.integers(MINUTE, 24 * HOUR, converted)
    left_at = sends.at[row] + rng.integers(10 * MINUTE, 48 * HOUR, unsubscribed)
    scanned_at = sends.at[row] + rng.integers(2 * MINUTE, 3 * MINUTE, len(machines))
    return {
        OPENED: (np.concatenate([people[:opened], machines]), np.concatenate([opened_at, scanned_at])),
        CLICKED: (np.concatenate([people[:clicked], machines]), np.concatenate([clicked_at, scanned_at])),
        CONVERTED: (people[:converted], converted_at),
        UNSUBSCRIBED: (people[len(people) - unsubscribed :], left_at),
    }
