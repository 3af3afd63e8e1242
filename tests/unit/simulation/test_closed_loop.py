"""The closed loop against small real ASGI services in this process, on a clock that it moves itself."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import numpy as np
import pytest

from letterpress.clock import ManualClock
from letterpress.errors import BrokenError, UsageError
from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.campaigns import MINUTE
from letterpress.simulation.closed_loop import LoopPlan, LoopReport, run_loop
from letterpress.simulation.pace import milliseconds
from letterpress.simulation.visitor import Retries
from letterpress.simulation.waiting import WaitingEvents
from letterpress.simulation.world import (
    CAMPAIGN_TYPES,
    INDUSTRIES,
    SEGMENTS,
    build_world,
    click_rates,
)

START = datetime(2026, 1, 7, tzinfo=UTC)
SEED, DAYS = 3, 3
PLAN = LoopPlan(
    url="http://service",
    days=1,
    slates=60,
    seed=SEED,
    first_day=1,
    retries=Retries(tries=3, first_seconds=0.001, most_seconds=0.01),
)
Answer = tuple[int, Any]


class JumpingPace:
    """Moves a manual clock to the next quarter of an hour in which something is due."""

    STEP = 15 * MINUTE

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    async def reach(self, moment: int) -> int:
        now = milliseconds(self.clock.now())
        if now < moment:
            self.clock.advance(timedelta(milliseconds=-(-moment // self.STEP) * self.STEP - now))
        return milliseconds(self.clock.now())


@dataclass
class Service:
    """Ranks with `order` and keeps every event; `fault` may answer in place of it."""

    order: Callable[[dict[str, Any]], list[str]]
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    fault: Callable[[str, int], Answer | None] = lambda _path, _number: None
    asked: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        body = (await receive()).get("body", b"")
        path = scope["path"]
        self.calls[path] += 1
        status, content = self.fault(path, self.calls[path]) or (200, self.answer(path, body))
        headers = [(b"content-type", b"application/json"), (b"retry-after", b"0")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(content).encode()})

    def answer(self, path: str, body: bytes) -> Any:
        if path == "/v1/rank":
            request = json.loads(body)
            self.asked.append(request)
            items = [{"item_id": each} for each in self.order(request)]
            slate_id = f"slate-{request['campaign']['campaign_id']}-{len(self.asked)}"
            return {"slate_id": slate_id, "model": "image_enhancement/1", "items": items}
        if path != "/v1/events":
            return {}
        accepted = 0
        for event in json.loads(body):
            assert datetime.fromisoformat(event["occurred_at"]) <= self.clock.now()
            self.received.append(event["event_id"])
            accepted += event["event_id"] not in self.events
            self.events[event["event_id"]] = event
        return {"accepted": accepted, "duplicate": len(json.loads(body)) - accepted, "rejected": []}


def live(
    service: Service, plan: LoopPlan = PLAN, waiting: WaitingEvents | None = None
) -> tuple[LoopReport, WaitingEvents]:
    report, waiting = LoopReport(), waiting or WaitingEvents()
    transport = httpx.ASGITransport(service)
    asyncio.run(
        run_loop(plan, service.clock, JumpingPace(service.clock), waiting, report, transport=transport)
    )
    return report, waiting


def as_asked(request: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in request["items"][: request["k"]]]


@cache
def item_numbers() -> dict[str, int]:
    return {item_id: number for number, item_id in enumerate(build_world(SEED, DAYS).item_ids())}


def by_truth(request: dict[str, Any]) -> list[str]:
    ids = [item["item_id"] for item in request["items"]]
    numbers = np.array([[item_numbers()[each] for each in ids]])
    campaign = request["campaign"]
    context = [
        np.array([names.index(campaign[name])])
        for name, names in (
            ("segment", SEGMENTS),
            ("industry", INDUSTRIES),
            ("campaign_type", CAMPAIGN_TYPES),
        )
    ]
    rates = click_rates(build_world(SEED, DAYS), numbers, *context)[0]
    return [ids[place] for place in np.argsort(-rates)[: request["k"]]]


def test_an_oracle_has_no_regret_and_every_outcome_is_reported_hours_to_days_later() -> None:
    service = Service(by_truth)
    report, waiting = live(service)
    assert (report.traffic.slates, report.traffic.failed_slates, len(waiting)) == (60, 0, 0)
    assert report.regret.total.to_row()["regret"] == pytest.approx(0, abs=1e-9)
    assert report.regret.total.to_row()["popularity_regret"] > 0.01
    kinds = Counter(event["type"] for event in service.events.values())
    assert kinds["interaction"] > 100
    assert kinds["outcome"] > 1000
    assert kinds["item"] == 12 * len(VARIANTS)
    assert len(service.received) == len(service.events) == report.traffic.accepted
    assert service.clock.now() - START > timedelta(hours=40)
    assert all("received_at" not in event for event in service.events.values())


def test_people_react_to_what_was_shown_and_to_nothing_else() -> None:
    service = Service(lambda request: as_asked(request)[:3])
    report, _ = live(service)
    shown = {tuple(as_asked(request)[:3]) for request in service.asked}
    reacted = {each["item_id"] for each in service.events.values() if each["type"] == "outcome"}
    assert reacted <= {item for items in shown for item in items}
    assert report.short_slates == 60


def test_items_of_no_world_are_passed_over_and_counted() -> None:
    service = Service(lambda request: ["stranger", *as_asked(request)[:4], "other"])
    report, _ = live(service)
    assert report.unknown_items == 120
    assert not {"stranger", "other"} & {each.get("item_id") for each in service.events.values()}
    empty, _ = live(Service(lambda _: []))
    assert empty.regret.total.to_row()["regret"] == 1.0


def test_the_same_answers_get_the_same_reactions_whatever_else_fails() -> None:
    def counts(service: Service) -> dict[tuple[str, ...], int]:
        """Counts by campaign, item and kind: ids of slates and times depend on the service."""
        found: Counter[tuple[str, ...]] = Counter()
        for event in service.events.values():
            if event["type"] == "outcome":
                campaign = event["slate_id"].removeprefix("slate-").rpartition("-")[0]
                found[campaign, event["item_id"], event["kind"]] += event.get("count", 1)
        return found

    calm, troubled = Service(as_asked), Service(as_asked)
    troubled.fault = lambda path, number: (
        (500, {"detail": "broken"}) if path == "/v1/rank" and number % 5 == 0 else None
    )
    live(calm)
    report, _ = live(troubled)
    assert report.traffic.failed_slates == 12
    assert report.traffic.reasons["/v1/rank: 500: broken"] == 12
    failed = {request["campaign"]["campaign_id"] for request in calm.asked[4::5]}
    left, reference = counts(troubled), counts(calm)
    others = {key: count for key, count in reference.items() if key[0] not in failed}
    assert {key: count for key, count in left.items() if key[0] not in failed} == others


def test_a_refusal_for_now_is_tried_again_and_nothing_counts_twice() -> None:
    service = Service(as_asked)
    service.fault = lambda _path, number: (503, {"detail": "later"}) if number % 3 == 1 else None
    report, waiting = live(service)
    assert (report.traffic.slates, report.traffic.failed_slates, len(waiting)) == (60, 0, 0)
    assert report.traffic.retries > 30
    assert report.traffic.accepted == len(service.events)


def test_a_service_that_only_fails_is_given_up_and_what_was_seen_is_kept() -> None:
    service = Service(as_asked)
    service.fault = lambda _path, number: (500, {"detail": "out of order"}) if number > 20 else None
    report, waiting = LoopReport(), WaitingEvents()
    transport, pace = httpx.ASGITransport(service), JumpingPace(service.clock)
    with pytest.raises(BrokenError, match=r"failures one after another.*out of order"):
        asyncio.run(
            run_loop(replace(PLAN, slates=400), service.clock, pace, waiting, report, transport=transport)
        )
    assert report.traffic.slates == 20
    assert report.problem is not None
    assert report.waiting == len(waiting) > 100


def test_what_is_due_after_the_last_day_waits_and_the_next_run_sends_it() -> None:
    service = Service(as_asked)
    plan = replace(PLAN, leaves_waiting=True)
    report, waiting = live(service, plan)
    left = len(waiting)
    assert left == report.waiting > 100
    assert service.clock.now() - START < timedelta(days=1, minutes=15)
    before = len(service.events)
    live(service, replace(plan, first_day=2, leaves_waiting=False), waiting)
    assert len(waiting) == 0
    assert len(service.events) > before + left
    assert len(service.received) == len(service.events)


def test_a_drift_turns_the_reactions_from_its_day_on() -> None:
    plan = replace(PLAN, days=2, slates=120, scenario="concept-drift-abrupt", drift_day=2)
    report, _ = live(Service(by_truth), plan)
    days = {
        day: [row["regret"] for row in report.regret.rows() if row["hour"].startswith(day) and row["slates"]]
        for day in ("2026-01-07", "2026-01-08")
    }
    assert max(days["2026-01-07"]) == pytest.approx(0, abs=1e-9)
    assert np.mean(days["2026-01-08"]) > 0.05


def test_a_wrong_token_or_plan_is_said_at_once() -> None:
    service = Service(as_asked, fault=lambda path, _: (401, {}) if path == "/v1/rank" else None)
    with pytest.raises(UsageError, match="--token"):
        live(service)
    with pytest.raises(UsageError, match="'corrupt'"):
        replace(PLAN, scenario="corrupt")
    with pytest.raises(UsageError, match="found 0 days"):
        live(Service(as_asked), replace(PLAN, days=0))


def test_an_address_where_nobody_answers_is_one_sentence() -> None:
    report, clock = LoopReport(), ManualClock(START)
    plan = replace(PLAN, url="http://127.0.0.1:9")
    with pytest.raises(BrokenError, match=r"expected the service at http://127\.0\.0\.1:9"):
        asyncio.run(run_loop(plan, clock, JumpingPace(clock), WaitingEvents(), report))
