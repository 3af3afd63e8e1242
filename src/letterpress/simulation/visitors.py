"""Builders and recipients who react to the slates that a running service really returns.

Builders ask over HTTP in data time, choose as in the simulated history, and what recipients do is sent
back when it happens, hours later by the same clock. The clock is read and never set here.
"""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np

from letterpress.clock import Clock
from letterpress.errors import BrokenError
from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import choose
from letterpress.simulation.campaigns import Slates, make_slates
from letterpress.simulation.event_lines import campaign_contexts
from letterpress.simulation.reactions import KINDS, send_and_react
from letterpress.simulation.world import RECOMMENDER, TENANTS, World, build_world

SLATE_SIZE = 8


@dataclass
class Visits:
    """What happened. Latencies are of `/v1/rank`, as the builders saw them."""

    slates: int = 0
    events: int = 0
    failed: int = 0
    latency_ms: list[float] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    regret: list[float] = field(default_factory=list)
    """For each slate how far the best rate at the top place falls short of the best shown, 0..1."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One day's visit: where, how many slates, and as whom."""

    url: str
    day: int
    slates: int
    seed: int
    token: str | None = None


def visit(plan: Visit, clock: Clock, *, is_over: Callable[[], bool] = lambda: False) -> Visits:
    """Visit the service until every slate of the day was asked for and every outcome was reported.

    The day begins when the clock is first read. A request that fails is counted and not repeated.

    Raises:
        BrokenError: the service cannot be reached at all.
    """
    world = build_world(plan.seed, plan.day + 1)
    rng = np.random.default_rng((plan.seed, 7, plan.day))
    begin = int(clock.now().timestamp() * 1000)
    slates = make_slates(world, plan.day, begin, plan.slates, rng)
    contexts = campaign_contexts(f"v{plan.seed}-{begin}", plan.day, slates)
    done = Visits()
    waiting: list[tuple[int, int, dict[str, Any]]] = []
    headers = {"Authorization": f"Bearer {plan.token}"} if plan.token else {}
    with httpx.Client(base_url=plan.url, timeout=10, headers=headers, trust_env=False) as client:
        _refuse_silence(client, plan.url)
        for row in range(len(slates)):
            _report_due(client, clock, waiting, done, until=int(slates.at[row]))
            answer = _ask(client, world, slates, row, contexts[row], done)
            late = int(clock.now().timestamp() * 1000) - int(slates.at[row])
            for event in _react(world, slates, row, answer, rng, done, late) if answer else ():
                at = int(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000)
                heapq.heappush(waiting, (at, len(waiting) + done.events, event))
            if is_over():
                break
        while waiting and not is_over():
            _report_due(client, clock, waiting, done, until=waiting[0][0])
    return done


def _refuse_silence(client: httpx.Client, url: str) -> None:
    try:
        client.get("/livez")
    except httpx.HTTPError as error:
        raise BrokenError(
            f"expected the service at {url}, found: {error}. Start it with `make up`."
        ) from error


def _report_due(
    client: httpx.Client,
    clock: Clock,
    waiting: list[tuple[int, int, dict[str, Any]]],
    done: Visits,
    until: int,
) -> None:
    """Send what happened meanwhile, until the clock shows `until` (milliseconds since the epoch)."""
    while True:
        now = int(clock.now().timestamp() * 1000)
        due = []
        while waiting and waiting[0][0] <= now:
            due.append(heapq.heappop(waiting)[2])
        if due:
            _send(client, due, done)
        if now >= until:
            return
        time.sleep(0.01)


def _send(client: httpx.Client, events: list[dict[str, Any]], done: Visits) -> None:
    try:
        answer = client.post("/v1/events", json={"events": events})
        answer.raise_for_status()
        done.events += int(answer.json()["accepted"])
        done.failed += len(answer.json()["rejected"])
    except httpx.HTTPError:
        done.failed += 1


def _ask(
    client: httpx.Client, world: World, slates: Slates, row: int, context: str, done: Visits
) -> dict[str, Any] | None:
    first = int(slates.picture[row]) * len(VARIANTS)
    ids = world.item_ids()[first : first + len(VARIANTS)]
    items = [
        {
            "item_id": item,
            "attributes": world.attributes[first + place],
            "labels": {"enhancement": VARIANTS[place].enhancement},
        }
        for place, item in enumerate(ids)
    ]
    body = {
        "recommender": RECOMMENDER,
        "tenant": TENANTS[int(slates.tenant[row])],
        "campaign": json.loads(context),
        "slot": "hero",
        "items": items,
        "k": SLATE_SIZE,
    }
    started = time.perf_counter()
    try:
        answer = client.post("/v1/rank", json=body)
        answer.raise_for_status()
    except httpx.HTTPError:
        done.failed += 1
        return None
    done.latency_ms.append((time.perf_counter() - started) * 1000)
    done.slates += 1
    decoded: dict[str, Any] = answer.json()
    done.models.add(decoded["model"])
    return decoded


def _react(
    world: World,
    slates: Slates,
    row: int,
    answer: dict[str, Any],
    rng: np.random.Generator,
    done: Visits,
    late: int,
) -> Iterator[dict[str, Any]]:
    """Choices of the builder and outcomes of the recipients, as events.

    All of them come `late` milliseconds later than planned, as the slate did: when data time runs fast, a
    request takes minutes of it, and nobody reacts to a slate before it is shown.
    """
    first = int(slates.picture[row]) * len(VARIANTS)
    ids = world.item_ids()[first : first + len(VARIANTS)]
    items = np.array([[first + ids.index(each["item_id"]) for each in answer["items"]]])
    one = slates.row(row)
    shown = choose(world, one, items, rng)
    done.regret.append(float(1.0 - shown.rates[0, 0] / shown.rates[0].max()))
    outcomes = send_and_react(one, shown, rng)
    for position in np.flatnonzero(shown.chosen[0]).tolist():
        at = int(slates.at[row]) + late + 20_000
        yield _event(
            answer, world, items[0, position], at, f"c{position}", type="interaction", action="chosen"
        )
    for number in range(len(outcomes.count)):
        yield _event(
            answer,
            world,
            items[0, outcomes.position[number]],
            int(outcomes.at[number]) + late,
            f"o{number}",
            type="outcome",
            kind=KINDS[int(outcomes.kind[number])],
            count=int(outcomes.count[number]),
        )


def _event(
    answer: dict[str, Any], world: World, item: int, at: int, suffix: str, **fields: Any
) -> dict[str, Any]:
    tenant = TENANTS[int(world.picture_tenants[item // len(VARIANTS)])]
    return {
        "event_id": f"{answer['slate_id']}-{suffix}",
        "tenant": tenant,
        "recommender": RECOMMENDER,
        "occurred_at": datetime.fromtimestamp(at / 1000, UTC).isoformat(),
        "slate_id": answer["slate_id"],
        "item_id": world.item_ids()[item],
        **fields,
    }
