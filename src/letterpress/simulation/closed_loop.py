"""Builders and recipients who react to the slates that a running service really returns.

Builders ask over HTTP in data time, choose from what they are shown, and what recipients do is reported
when it is known, hours to days later by the same clock. So exploration, canaries, drift and retraining are
tested on their own consequences.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import httpx
import numpy as np

from letterpress.clock import Clock
from letterpress.errors import BrokenError, UsageError, as_clause
from letterpress.simulation.campaigns import DAY, MINUTE, make_slates
from letterpress.simulation.event_lines import Lines, campaign_lines, item_lines
from letterpress.simulation.pace import Pace, milliseconds
from letterpress.simulation.plan import Plan
from letterpress.simulation.regret import References, RegretByHour, find_references
from letterpress.simulation.scenarios import count_new_pictures, world_on
from letterpress.simulation.served_slates import ServedDay, unstamped
from letterpress.simulation.visitor import (
    CONNECTIONS,
    EVENTS_PER_REQUEST,
    TIMEOUT_SECONDS,
    Retries,
    Traffic,
    Visitor,
)
from letterpress.simulation.waiting import WaitingEvents
from letterpress.simulation.world import World, build_world

LOOP_SCENARIOS = (
    "steady",
    "covariate-drift",
    "concept-drift-abrupt",
    "concept-drift-gradual",
    "seasonal",
    "new-target",
    "new-items",
    "bots",
)
"""Those that change the world; the others damage files on their way, and here there are none."""
REPORT_EVERY = 5 * MINUTE
"""Outcomes are gathered for so long and then reported together, unless a slate is asked for meanwhile."""
HISTORY_DAYS = 14
"""The first day of a loop when nobody says otherwise: it follows a simulated log of as many days."""


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """What to do to whom. `first_day` counts from the first day of the world's log."""

    url: str
    days: int
    slates: int
    """In all."""
    seed: int
    scenario: str = "steady"
    first_day: int = HISTORY_DAYS
    drift_day: int | None = None
    """First day of the drift, of scenarios that have one; the middle of the days by default."""
    token: str | None = None
    leaves_waiting: bool = False
    """End with the last day, and leave outcomes that are due later to the next run."""
    retries: Retries = field(default_factory=Retries)

    def __post_init__(self) -> None:
        if self.scenario not in LOOP_SCENARIOS:
            raise UsageError(
                f"expected one of {', '.join(LOOP_SCENARIOS)}; found {self.scenario!r}. A scenario that "
                "damages files can only be written with --out."
            )
        if not is_address(self.url):
            raise UsageError(
                f"expected an address like http://127.0.0.1:3000, found {self.url!r}; correct --against."
            )
        if self.drift_day is not None and self.drift_day < 0:
            raise UsageError(
                f"expected a drift day of 0 or more, found {self.drift_day}; correct --drift-day."
            )
        if self.first_day < 0:
            raise UsageError(f"expected a first day of 0 or more, found {self.first_day}; correct it.")
        self.slates_by_day(datetime(2026, 1, 5, tzinfo=UTC))

    def slates_by_day(self, begin: datetime) -> list[int]:
        """How many slates are asked for on each day. Raises UsageError for numbers that make no sense."""
        hour = begin.replace(minute=0, second=0, microsecond=0)
        return Plan(self.days, self.slates, self.seed, self.scenario, hour).slates_by_day()

    @property
    def first_drift_day(self) -> int:
        return self.first_day + self.days // 2 if self.drift_day is None else self.drift_day


def is_address(url: str) -> bool:
    """Whether somebody could be asked at `url` over HTTP.

    >>> is_address("http://127.0.0.1:3000"), is_address("nonsense"), is_address("http://")
    (True, False, False)
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)


@dataclass
class LoopReport:
    """What happened, as far as it came."""

    traffic: Traffic = field(default_factory=Traffic)
    regret: RegretByHour = field(default_factory=RegretByHour)
    slates_by_day: list[int] = field(default_factory=list)
    unknown_items: int = 0
    """Items that the service returned and this world does not have."""
    short_slates: int = 0
    """Answers with fewer places than were asked for."""
    waiting: int = 0
    """Events that are known and not yet due, or could not be sent."""
    begin: datetime | None = None
    end: datetime | None = None
    seconds: float = 0.0
    problem: str | None = None
    """Why it ended early."""

    def to_dict(self) -> dict[str, Any]:
        traffic = self.traffic
        return {
            "slates": traffic.slates,
            "failed": traffic.failed_slates,
            "retries": traffic.retries,
            "events": traffic.accepted,
            "duplicate": traffic.duplicate,
            "rejected": traffic.rejected,
            "waiting": self.waiting,
            "unknown_items": self.unknown_items,
            "short_slates": self.short_slates,
            "reasons": dict(traffic.reasons.most_common(20)),
            "latency_ms": _percentiles(traffic.seconds),
            "seconds": round(self.seconds, 2),
            "begin": None if self.begin is None else self.begin.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "problem": self.problem,
            "regret": self.regret.total.to_row(),
            "models": self.regret.model_rows(),
            "hours": self.regret.rows(),
        }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    values = np.quantile(np.array(seconds) * 1000, [0.5, 0.99, 1.0])
    return dict(zip(("p50", "p99", "max"), np.round(values, 2).tolist(), strict=True))


async def run_loop(
    plan: LoopPlan,
    clock: Clock,
    pace: Pace,
    waiting: WaitingEvents,
    report: LoopReport,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Fill `report` day by day; `waiting` is what earlier runs left, and at the end what this one leaves.

    Both tell what happened also when this raises.

    Raises:
        BrokenError: the service cannot be reached, or is gone. UsageError: the plan or the token is wrong.
    """
    headers = {"Authorization": f"Bearer {plan.token}"} if plan.token else {}
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=plan.url,
        timeout=TIMEOUT_SECONDS,
        headers=headers,
        limits=limits,
        transport=transport,
        trust_env=False,
    ) as client:
        await _refuse_silence(client, plan.url)
        loop = _Loop(plan, clock, pace, waiting, report, Visitor(client, plan.retries))
        try:
            await loop.run(say)
        except (BrokenError, UsageError) as error:
            report.problem = str(error)
            raise
        finally:
            report.traffic, report.waiting = loop.visitor.traffic, len(waiting)
            report.end, report.seconds = clock.now(), time.monotonic() - loop.began


async def _refuse_silence(client: httpx.AsyncClient, url: str) -> None:
    try:
        await client.get("/livez")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BrokenError(
            f"expected the service at {url}, found: {as_clause(error)}. "
            "Start it with `letterpress serve` or `make up`."
        ) from error


@dataclass
class _Loop:
    """One run: days after each other, and then the outcomes that are still due."""

    plan: LoopPlan
    clock: Clock
    pace: Pace
    waiting: WaitingEvents
    report: LoopReport
    visitor: Visitor
    began: float = field(default_factory=time.monotonic)

    async def run(self, say: Callable[[str], None]) -> None:
        plan = self.plan
        begin = self.clock.now()
        self.report.begin = begin
        world = build_world(plan.seed, plan.first_day + plan.days, count_new_pictures(plan.scenario))
        for number, n_slates in enumerate(plan.slates_by_day(begin)):
            day_begin = milliseconds(begin + timedelta(days=number))
            await self._run_day(world, plan.first_day + number, day_begin, n_slates)
            self.report.slates_by_day.append(n_slates)
            say(f"day {number + 1} of {plan.days}: {self._describe()}")
        while not plan.leaves_waiting and (due := self._next_report()) is not None:
            await self._exchange(None, range(0), await self.pace.reach(due))

    def _next_report(self) -> int | None:
        """When to report next; None when nothing waits."""
        due = self.waiting.next_due
        return None if due is None else -(-due // REPORT_EVERY) * REPORT_EVERY

    def _describe(self) -> str:
        total = self.report.regret.total.to_row()
        regret = "none shown" if total["regret"] is None else f"{total['regret']:.2%}"
        return (
            f"{self.visitor.traffic.slates:,} slates, {self.visitor.traffic.failed_slates:,} failed, "
            f"{len(self.waiting):,} events wait, regret {regret}"
        )

    async def _run_day(self, world: World, day: int, begin: int, n_slates: int) -> None:
        plan = self.plan
        today = world_on(world, plan.scenario, day, begin, plan.first_drift_day)
        rng = np.random.default_rng((plan.seed, 7, day))
        slates = make_slates(today, day, begin, n_slates, rng)
        served = ServedDay(today, f"v{plan.seed}-{begin}", day, slates)
        self._expect(item_lines(world, np.flatnonzero(world.picture_days == day), begin))
        _, first = np.unique(slates.campaign, return_index=True)
        self._expect(campaign_lines(served.run, day, slates, served.contexts, first))
        asked = _Asked(served, find_references(today, slates))
        row, end = 0, begin + DAY
        while True:
            report = self._next_report()
            asked_at = int(slates.at[row]) if row < n_slates else end
            due = min(asked_at, end if report is None else report, end)
            now = await self.pace.reach(due)
            until = int(np.searchsorted(slates.at, now, side="right"))
            await self._exchange(asked, range(row, until), now)
            row = until
            if due == end:
                return

    def _expect(self, lines: Lines) -> None:
        """Report these events when they arrive."""
        self.waiting.add(lines.received_at.tolist(), map(unstamped, lines.texts))

    async def _exchange(self, asked: _Asked | None, rows: range, now: int) -> None:
        """Report what is due and ask for the slates `rows`; all of it has come to its end afterwards."""
        reports = [self._report(batch) for batch in batched(self.waiting.take(now), EVENTS_PER_REQUEST)]
        asks = [self._ask(asked, row) for row in rows] if asked is not None else []
        done = await asyncio.gather(*reports, *asks, return_exceptions=True)
        for error in done:
            if error is not None:
                raise error

    async def _report(self, events: tuple[tuple[int, str], ...]) -> None:
        is_taken = False
        try:
            is_taken = await self.visitor.report([text for _, text in events])
        finally:
            if not is_taken:
                self.waiting.add([due for due, _ in events], [text for _, text in events])

    async def _ask(self, asked: _Asked, row: int) -> None:
        served = asked.served
        try:
            answer = await self.visitor.ask(served.request(row))
        except (BrokenError, UsageError):
            self.report.regret.add_failure(milliseconds(self.clock.now()))
            raise
        shown_at = milliseconds(self.clock.now())
        if answer is None:
            self.report.regret.add_failure(shown_at)
            return
        reactions = served.react(row, answer, shown_at)
        self.report.unknown_items += reactions.unknown_items
        self.report.short_slates += len(answer.items) < served.places
        self.report.regret.add(shown_at, answer.model, reactions.rates, asked.references, row)
        for lines in reactions.lines:
            self._expect(lines)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A day's requests with what their answers are measured against."""

    served: ServedDay
    references: References
