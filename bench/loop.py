"""`loop`: a day of 10,000 slates against the running service, first by popularity, then by the ranker."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.rank import Server, free_port, running
from bench.report import Figure, figure, write_result
from letterpress.cli.serve import serve_arguments, serve_environment
from letterpress.clock import ManualClock, SystemClock, set_clock
from letterpress.evaluation.verdict import Verdict
from letterpress.orchestration.bootstrap_champion import bootstrap_champion
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.release_challenger import release_challenger
from letterpress.orchestration.run_closed_loop import STEP_BY_STEP, run_closed_loop
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.registry.verdicts import write_verdict
from letterpress.settings import Settings, read_settings
from letterpress.simulation.closed_loop import LoopPlan
from letterpress.simulation.simulate import Plan, simulate

START = datetime(2026, 1, 5, tzinfo=UTC)
HISTORY_DAYS, HISTORY_SLATES = 14, 6_000
"""Below the size at which the log is written by several processes."""
SLATES = 10_000
RECOMMENDER = "image_enhancement"


def run(path: Path) -> None:
    """Measure and write `path`."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as name:
        settings = read_settings().model_copy(update={"home": Path(name) / "home"})
        popularity = build_home(settings)
        by_popularity = live(settings, Path(name), first_day=HISTORY_DAYS)
        print(
            f"{popularity}: {by_popularity['seconds']:.0f} s, regret {by_popularity['regret']['regret']:.4f}"
        )
        ranker = release_ranker(settings, champion=popularity)
        by_ranker = live(settings, Path(name), first_day=HISTORY_DAYS)
        print(f"{ranker}: {by_ranker['seconds']:.0f} s, regret {by_ranker['regret']['regret']:.4f}")
    note = (
        f"A service of one worker answers {SLATES:,} requests of one simulated day; all outcomes of that day "
        "are reported, which come up to five days later. The same day is lived twice, and the service knows "
        f"the same {HISTORY_DAYS} days and {HISTORY_SLATES:,} slates of history. Regret is the share of the "
        "best slates' expected clicks, positions weighted by examination, that was missed. Load average of "
        f"the last 15 minutes at the end: {os.getloadavg()[2]:.1f}."
    )
    figures = measure(by_popularity, by_ranker)
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=loop", note=note)


def build_home(settings: Settings, *, days: int = HISTORY_DAYS, slates: int = HISTORY_SLATES) -> str:
    """A home with features of a simulated history and popularity as its champion; the champion's name."""
    landing, clock = settings.paths.landing, ManualClock(START + timedelta(days=days))
    log = settings.paths.root / "simulation"
    summary = simulate(Plan(days, slates, settings.seed, "steady", START), log, processes=1)
    landing.mkdir(parents=True, exist_ok=True)
    for file in summary.files:
        file.rename(landing / file.name)
    ingest_landing(settings, clock)
    build_features(settings)
    publish_features(settings, clock=clock)
    set_clock(settings.paths.clock, clock.now(), speed=1.0)
    return str(bootstrap_champion(settings, RECOMMENDER)["model"])


def release_ranker(settings: Settings, *, champion: str) -> str:
    """Train on the history and make the ranker champion; its judging has a benchmark of its own."""
    version = int(train_challenger(settings, RECOMMENDER)["version"])
    verdict = Verdict(promoted=True, reason="measured in the closed loop", numbers={})
    clock = SystemClock()
    write_verdict(settings.paths, RECOMMENDER, version, champion=champion, verdict=verdict, clock=clock)
    return str(release_challenger(settings, RECOMMENDER, version, clock=clock)["model"])


def live(settings: Settings, folder: Path, *, first_day: int) -> dict[str, Any]:
    """What came of a day against a service that was started for it."""
    port = free_port()
    command = ["bentoml", *serve_arguments(settings, port)]
    server = Server("letterpress", command, serve_environment(settings), port, "/readyz")
    plan = LoopPlan(
        f"http://127.0.0.1:{port}", days=1, slates=SLATES, seed=settings.seed, first_day=first_day
    )
    with running(server, folder):
        return run_closed_loop(settings, plan, speed=STEP_BY_STEP)


def measure(by_popularity: dict[str, Any], by_ranker: dict[str, Any]) -> list[Figure]:
    """Figures of both days; the slower one counts against the goal."""
    both = (by_popularity, by_ranker)
    seconds = max(each["seconds"] for each in both)
    first, second = by_popularity["regret"], by_ranker["regret"]
    return [
        figure(f"a day of {SLATES:,} slates and all its outcomes", seconds, "s", "< 120"),
        figure("slates", SLATES / seconds, "slates/s"),
        figure("events reported", min(each["events"] for each in both), "events"),
        figure("events reported", min(each["events"] / each["seconds"] for each in both), "events/s"),
        figure("slates failed", sum(each["failed"] for each in both), "slates", "= 0"),
        figure(
            "events rejected or left",
            sum(each["rejected"] + each["waiting"] for each in both),
            "events",
            "= 0",
        ),
        figure("/v1/rank p99, as the builder sees it", max(each["latency_ms"]["p99"] for each in both), "ms"),
        figure("regret, popularity served", 100 * first["regret"], "%"),
        figure("regret, ranker served", 100 * second["regret"], "%"),
        figure("regret of the ranker, share of popularity's", second["regret"] / first["regret"], "x", "< 1"),
        figure("regret of chance on the same contexts", 100 * second["random_regret"], "%"),
        figure("regret of the best order without context", 100 * second["popularity_regret"], "%"),
    ]
