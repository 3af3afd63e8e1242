"""How fast the world is simulated, whether its bytes come back, and how it compares with a real archive."""

from __future__ import annotations

import hashlib
import resource
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.report import Figure, figure, write_result
from bench.world_statistics import simulated_spread, upworthy_spread
from letterpress.clock import SystemClock
from letterpress.settings import Settings, read_settings
from letterpress.simulation.simulate import SCENARIOS, Plan, Summary, simulate

DAYS, SEED = 14, 7
START = datetime(2026, 1, 5, tzinfo=UTC)
SLATES, SHORT_SLATES, LONG_SLATES = 60_000, 20_000, 570_000
ROUNDS = 3
MEGABYTE = 1e6
ARCHIVE = "upworthy/upworthy_dev.csv.gz"


@dataclass(frozen=True)
class Run:
    """What one simulation took, world and processes included."""

    summary: Summary
    seconds: float
    cpu_seconds: float
    size: int

    @property
    def per_second(self) -> float:
        return self.summary.n_events / self.seconds


def run(path: Path) -> None:
    """Measure and write `path`."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
        figures = _measure(Path(folder), read_settings())
    write_result(
        path,
        figures,
        at=SystemClock().now(),
        command="make bench NAME=simulate",
        note=f"{DAYS} days, two processes, JSONL.gz; the time runs from the first picture to the last byte "
        "of truth. Upworthy: tests that the archive trusts, without those that hold a package twice; both "
        "spreads by the same estimator, from counts.",
    )


def _measure(folder: Path, settings: Settings) -> list[Figure]:
    plan = Plan(DAYS, SLATES, SEED, "steady", START)
    runs = [_simulate(plan, folder / f"steady-{number}") for number in range(ROUNDS)]
    digests = {_digest(folder / f"steady-{number}") for number in range(ROUNDS)}
    single = _simulate(plan, folder / "single", processes=1)
    digests.add(_digest(folder / "single"))
    spread = _spread_figures(folder / "steady-0", runs[0], settings)
    for place in folder.iterdir():
        shutil.rmtree(place)
    short = _simulate(replace(plan, slates=SHORT_SLATES), folder / "short")
    slow = {
        scenario: _simulate(
            replace(plan, slates=SHORT_SLATES, scenario=scenario), folder / scenario
        ).per_second
        for scenario in SCENARIOS
    }
    slowest = min(slow, key=lambda scenario: slow[scenario])
    middle = runs[0]
    return [
        figure(
            f"steady, {middle.summary.n_events / 1e6:.1f}M events",
            median(each.per_second for each in runs),
            "events/s",
            ">= 200000",
        ),
        figure(f"steady, {short.summary.n_events / 1e6:.1f}M events", short.per_second, "events/s"),
        figure(f"slowest scenario at that size ({slowest})", slow[slowest], "events/s"),
        figure("one process instead of two", single.per_second, "events/s"),
        figure("CPU", median(each.cpu_seconds / each.summary.n_events * 1e6 for each in runs), "us/event"),
        figure("size", middle.size / middle.summary.n_events, "bytes/event"),
        figure("different digests in four runs of one seed", len(digests) - 1, "digests", "= 0"),
        *spread,
        *_long_run(replace(plan, slates=LONG_SLATES), folder / "long"),
    ]


def _long_run(plan: Plan, out: Path) -> list[Figure]:
    done = _simulate(plan, out)
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    millions = f"{done.summary.n_events / 1e6:.0f}M events"
    return [
        figure(f"steady, {millions}", done.per_second, "events/s"),
        figure(f"largest process, {millions}", most * 1024 / MEGABYTE, "MB", "< 1000"),
    ]


def _spread_figures(out: Path, run: Run, settings: Settings) -> list[Figure]:
    world = simulated_spread(out, run.summary.files)
    figures = [
        figure("click rate of what was sent in experiments", 100 * world.click_rate, "%"),
        figure("relative standard deviation between arms", 100 * world.relative_spread, "%", ">= 18"),
        figure("the same, upper bound", 100 * world.relative_spread, "%", "< 24"),
    ]
    reference = settings.reference_data or settings.project.parent / "shared" / "data"
    if (reference / ARCHIVE).is_file():
        archive = upworthy_spread(reference / ARCHIVE)
        figures += [
            figure(f"Upworthy, {archive.experiments} tests: click rate", 100 * archive.click_rate, "%"),
            figure("Upworthy: between arms", 100 * archive.relative_spread, "%"),
        ]
    return figures


def _simulate(plan: Plan, out: Path, processes: int = 2) -> Run:
    cpu, began = _cpu_seconds(), time.perf_counter()
    summary = simulate(plan, out, processes=processes)
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in summary.files)
    return Run(summary, seconds, _cpu_seconds() - cpu, size)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _digest(out: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(each for each in out.rglob("*") if each.is_file()):
        digest.update(str(path.relative_to(out)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
