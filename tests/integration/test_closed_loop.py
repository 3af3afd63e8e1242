"""The simulated world against a real service of a real home: what it shows comes back as training data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench.loop import RECOMMENDER, release_ranker
from bench.rank import Server, free_port, running
from tests.integration.trained_home import DAYS, END

from letterpress.cli.serve import serve_arguments, serve_environment
from letterpress.clock import ScaledClock, set_clock
from letterpress.errors import UsageError
from letterpress.lake.snapshots import Snapshot
from letterpress.lake.training_origin import count_training_slates
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.run_closed_loop import STEP_BY_STEP, loop_folder, run_closed_loop
from letterpress.settings import ServiceSettings, Settings, child_environment
from letterpress.simulation.closed_loop import LoopPlan

LETTERPRESS = Path(sys.executable).with_name("letterpress")
SLATES = 150


@dataclass
class Served:
    """A service of the home, which a test may stop."""

    url: str
    stop: Callable[[], None]


@pytest.fixture(scope="module")
def settings(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a history, and popularity as its champion; its time is the end of the history."""
    home = tmp_path_factory.mktemp("lived") / "var"
    shutil.copytree(trained_home, home)
    settings = Settings(home=home, service=ServiceSettings(port=free_port(), log_rotate_seconds=0.5))
    set_clock(settings.paths.clock, END, speed=1.0)
    return settings


@pytest.fixture(scope="module")
def served(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port = settings.service.port
    command = ["bentoml", *serve_arguments(settings, port)]
    environment = serve_environment(settings) | {"LETTERPRESS_SERVICE__LOG_ROTATE_SECONDS": "0.5"}
    server = Server("letterpress", command, environment, port, "/readyz")
    with ExitStack() as stack:
        stack.enter_context(running(server, tmp_path_factory.mktemp("served")))
        yield Served(f"http://127.0.0.1:{port}", stack.close)


@pytest.fixture(scope="module")
def url(served: Served) -> str:
    return served.url


def live(settings: Settings, url: str, **changes: Any) -> dict[str, Any]:
    fields = {"days": 1, "slates": SLATES, "seed": settings.seed, "first_day": DAYS} | changes
    return run_closed_loop(settings, LoopPlan(url, **fields), speed=STEP_BY_STEP)


def count_slates(url: str) -> float:
    """Of all models and recommenders together, as the service counts them."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith("letterpress_slates_total{")
    )


def test_served_slates_and_their_outcomes_are_trained_on_and_a_better_model_has_less_regret(
    settings: Settings, url: str
) -> None:
    by_popularity = live(settings, url)
    assert (by_popularity["slates"], by_popularity["failed"]) == (SLATES, 0)
    assert (by_popularity["rejected"], by_popularity["duplicate"], by_popularity["waiting"]) == (0, 0, 0)

    time.sleep(1.5)
    ingested = ingest_landing(settings)
    assert ingested["quarantined"] == 0
    build_features(settings)
    publish_features(settings)
    training = Snapshot.open(settings.paths).training_path(RECOMMENDER)
    assert count_training_slates(training)["own_slates"] == SLATES

    alone = settings.model_copy(update={"threads": 1})  # beside the service more would wait for each other
    ranker = release_ranker(alone, champion="image_enhancement/1")
    deadline = time.monotonic() + 30
    while ranker not in httpx.get(f"{url}/readyz").text and time.monotonic() < deadline:
        time.sleep(0.1)
    by_ranker = live(settings, url)
    assert list(by_ranker["models"]) == [ranker]
    assert by_ranker["regret"]["regret"] < by_popularity["regret"]["regret"]
    chance = by_popularity["regret"]["random_regret"]  # at another hour other contexts, of the same kind
    assert by_ranker["regret"]["random_regret"] == pytest.approx(chance, rel=0.02)


def test_service_and_simulation_agree_about_time_and_another_homes_service_is_refused(
    settings: Settings, url: str, tmp_path: Path
) -> None:
    told = datetime.fromisoformat(httpx.get(f"{url}/readyz").json()["now"])
    assert abs(told - ScaledClock(settings.paths.clock).now()).total_seconds() < 5
    with pytest.raises(UsageError, match="set LETTERPRESS_HOME to the home of the service"):
        live(Settings(home=tmp_path / "other"), url)


def test_a_service_that_goes_away_ends_it_in_one_sentence_and_nothing_is_lost(
    settings: Settings, served: Served
) -> None:
    """The last of this file: the service that the others ask is gone after it."""
    before = count_slates(served.url)
    arguments = ["--against", served.url, "--speed", "20000", "--slates", "2000"]
    simulation = subprocess.Popen(
        [str(LETTERPRESS), "simulate", *arguments],
        env=child_environment(settings),
        stderr=subprocess.PIPE,
        text=True,
    )
    while count_slates(served.url) == before and simulation.poll() is None:
        time.sleep(0.1)
    time.sleep(1.0)
    served.stop()
    _, said = simulation.communicate(timeout=120)
    assert simulation.returncode == 3, said
    assert "is gone" in said
    assert "Traceback" not in said
    folder = loop_folder(settings)
    newest = max(folder.glob("regret-*.json"), key=lambda path: path.stat().st_mtime)
    report = json.loads(newest.read_text())
    assert report["slates"] > 0
    assert len((folder / "waiting.jsonl").read_text().splitlines()) == report["waiting"] > 0
