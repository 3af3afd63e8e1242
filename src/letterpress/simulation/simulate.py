"""Writes a simulated log, a file a day, and the truth beside it."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from letterpress.errors import UsageError
from letterpress.simulation.behaviour import send_and_react, show_and_choose
from letterpress.simulation.campaigns import DAY, HOUR, make_slates
from letterpress.simulation.damage import damage_lines
from letterpress.simulation.event_lines import (
    Lines,
    campaign_contexts,
    campaign_lines,
    delay_lines,
    interaction_lines,
    item_lines,
    keep_lines,
    outcome_lines,
    slate_ids,
    slate_lines,
)
from letterpress.simulation.truth import write_truth
from letterpress.simulation.world import World, build_world

SCENARIOS: dict[str, str] = {
    "steady": "nothing changes and nothing breaks",
    "corrupt": "about one line in a hundred has a damaged copy beside it",
    "late": "interactions and outcomes of three hours arrive a day late, in files of their own",
}
CORRUPT_SHARE = 0.01
MOST_DAYS, MOST_SLATES = 3_660, 10_000_000
"""Ten years, and what fits into the memory of a small machine: a plan above is a slip of the hand."""
YEARS = range(1970, 2200)
LATE_HOURS = (10, 34, 35)
"""Hours since the start whose events are late in the scenario `late`."""

_WEEKDAYS = np.array([1.0, 1.1, 1.1, 1.05, 0.95, 0.5, 0.45])


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate. `start` lies on a full UTC hour."""

    days: int
    slates: int
    seed: int
    scenario: str
    start: datetime

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise UsageError(
                f"expected one of {', '.join(SCENARIOS)}; found {self.scenario!r}. Correct the name."
            )
        if not (0 < self.days <= MOST_DAYS and 0 < self.slates <= MOST_SLATES and self.seed >= 0):
            raise UsageError(
                f"expected 1 to {MOST_DAYS:,} days, 1 to {MOST_SLATES:,} slates and a seed of 0 or more, "
                f"found {self.days} days, {self.slates} slates and seed {self.seed}; correct them."
            )
        if self.start.year not in YEARS:
            raise UsageError(
                f"expected a start from {YEARS[0]} to {YEARS[-1]}, found {self.start.year}; correct it."
            )
        if self.start.tzinfo is None or self.start.replace(minute=0, second=0, microsecond=0) != self.start:
            raise UsageError(
                f"expected a start on a full UTC hour, found {self.start.isoformat()}; cut it off."
            )

    @property
    def begin(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.start.timestamp()) * 1000

    @property
    def run(self) -> str:
        """Prefix of all ids, so that two simulated logs never share one."""
        return f"s{self.seed}-{self.start.astimezone(UTC):%Y%m%d%H}"


@dataclass
class Summary:
    """What was written."""

    files: list[Path] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    """Damaged lines by the reason code that quarantine must give them."""

    @property
    def n_events(self) -> int:
        return sum(self.events.values())


def simulate(plan: Plan, out: Path) -> Summary:
    """Write `events-<day>.jsonl.gz` into `out`, and the truth into `out/truth`. Equal plans, equal bytes.

    Events that would arrive after the last day are not written: they have not happened yet.
    """
    world = build_world(plan.seed, plan.days)
    out.mkdir(parents=True, exist_ok=True)
    summary = Summary()
    waiting: dict[tuple[str, int], list[Lines]] = defaultdict(list)
    for day, events in enumerate(_generate(world, plan)):
        for name, lines in events:
            for kind, part in _split_late(plan, name, lines):
                for arrival, some in _split_by_arrival_day(plan, part):
                    waiting[kind, arrival].append(some)
                    summary.events[name] += len(some.texts) if arrival < plan.days else 0
        for kind in ("events", "late"):
            if (parts := waiting.pop((kind, day), None)) is not None:
                summary.files.append(_write_day(plan, kind, day, parts, out, summary))
    write_truth(world, out / "truth", _facts(plan, summary))
    return summary


def _generate(world: World, plan: Plan) -> Iterator[list[tuple[str, Lines]]]:
    """For every day its events by type, of one random stream a day."""
    weights = _WEEKDAYS[(np.arange(plan.days) + plan.start.weekday()) % 7]
    n_slates = np.random.default_rng((plan.seed, 4)).multinomial(plan.slates, weights / weights.sum())
    ids = np.array(world.item_ids())
    for day in range(plan.days):
        rng = np.random.default_rng((plan.seed, 5, day))
        begin = plan.begin + day * DAY
        slates = make_slates(world, day, begin, int(n_slates[day]), rng)
        shown = show_and_choose(world, slates, rng)
        outcomes = send_and_react(slates, shown, rng)
        names = slate_ids(plan.run, day, len(slates))
        contexts = campaign_contexts(plan.run, day, slates)
        shown_ids: list[list[str]] = ids[shown.items].tolist()
        came = world.picture_days < 0 if day == 0 else np.zeros(len(world.picture_days), bool)
        pictures = np.flatnonzero(came | (world.picture_days == day))
        yield [
            ("item", item_lines(world, pictures, begin)),
            ("campaign", campaign_lines(plan.run, day, slates, contexts)),
            ("slate", slate_lines(names, slates, shown_ids, contexts)),
            ("interaction", interaction_lines(names, slates, shown, shown_ids, rng)),
            ("outcome", outcome_lines(names, slates, outcomes, shown_ids, rng)),
        ]


def _split_late(plan: Plan, name: str, lines: Lines) -> list[tuple[str, Lines]]:
    if plan.scenario != "late" or name not in ("interaction", "outcome"):
        return [("events", lines)]
    late = np.isin((lines.occurred_at - plan.begin) // HOUR, LATE_HOURS)
    return [("events", keep_lines(lines, ~late)), ("late", delay_lines(lines, late))]


def _split_by_arrival_day(plan: Plan, lines: Lines) -> Iterator[tuple[int, Lines]]:
    days = (lines.received_at - plan.begin) // DAY
    for day in np.unique(days).tolist():
        yield day, keep_lines(lines, days == day)


def _write_day(plan: Plan, kind: str, day: int, parts: list[Lines], out: Path, summary: Summary) -> Path:
    texts = [text for part in parts for text in part.texts]
    order = np.argsort(np.concatenate([part.received_at for part in parts]), kind="stable").tolist()
    lines = [texts[row].encode() for row in order]
    if plan.scenario == "corrupt":
        damaged, places, codes = damage_lines(
            lines, CORRUPT_SHARE, np.random.default_rng((plan.seed, 6, day))
        )
        summary.damaged.update(codes)
        for place, line in zip(reversed(places), reversed(damaged), strict=True):
            lines.insert(place, line)
    path = out / f"{kind}-{plan.start + timedelta(days=day):%Y-%m-%d}.jsonl.gz"
    with path.open("wb") as stream, gzip.GzipFile("", "wb", 1, stream, mtime=0) as zipped:
        for begin in range(0, len(lines), 8192):
            zipped.write(b"\n".join(lines[begin : begin + 8192]) + b"\n")
    return path


def _facts(plan: Plan, summary: Summary) -> dict[str, Any]:
    return {
        "run": plan.run,
        "start": plan.start.isoformat(),
        "days": plan.days,
        "slates": plan.slates,
        "seed": plan.seed,
        "scenario": plan.scenario,
        "events": dict(sorted(summary.events.items())),
        "damaged": dict(sorted(summary.damaged.items())),
    }
