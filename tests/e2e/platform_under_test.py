"""The whole platform in a home of its own: real Airflow, real service, a small log with known faults."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil

from letterpress.clock import ScaledClock, set_clock
from letterpress.lake.landing import land_copy, land_lines, log_name, open_landed
from letterpress.lake.partitions import HourRange
from letterpress.lake.snapshot_layout import read_current
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.airflow_api import UNFINISHED, AirflowApi
from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL
from letterpress.orchestration.demo_probe import sample_request
from letterpress.orchestration.import_logs import import_logs
from letterpress.orchestration.local_services import service_url
from letterpress.recommenders import RECOMMENDERS
from letterpress.registry.publication import published
from letterpress.registry.store import versions
from letterpress.registry.verdicts import read_verdict
from letterpress.settings import Home, Settings
from letterpress.simulation.simulate import Plan, simulate

START = datetime(2019, 11, 24, tzinfo=UTC)
"""Open Bandit's first day, so that both logs together are one range of hours, and the history one build."""
DAYS = 6
SLATES = 2000
LATE_RANGE = HourRange(START + timedelta(hours=10), START + timedelta(hours=11))
"""The first of the scenario's late hours; what happened in it arrives a day later, in a file of its own."""
BROKEN_LINES = (b"not an event", b'{"type": "slate"}')
MARTS = (
    "dim_items",
    "fct_slate_items",
    "ftr_enhancement_industry_hours",
    "ftr_item_hours",
    "ftr_item_segment_hours",
    "training_examples",
)
PATIENCE_SECONDS = 420.0
BROWSER_WORDS = ("chrom", "playwright")  # the tests' own browser, which inherits our environment


@dataclass
class Attempt:
    """One try of a task, with the wall clock's start and end."""

    dag_id: str
    task_id: str
    number: int
    start: datetime
    end: datetime


@dataclass
class PlatformUnderTest:
    """What tests do to the platform, and what they read of it. Readers want it quiet."""

    settings: Settings
    api: AirflowApi
    lines_landed: int = 0
    late_lines: list[bytes] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)

    def land_history(self, bandit: Path | None) -> None:
        """Land the simulated log without the reactions of one late hour, two broken lines, and a real log.

        What was delivered in the late hour is on time: clicks without deliveries would stop at a gate.
        """
        home, folder = self.settings.paths, self.settings.paths.root / "simulation"
        summary = simulate(Plan(DAYS, SLATES, self.settings.seed, "late", START), folder)
        late = folder / f"late-{START + timedelta(days=1):%Y-%m-%d}.jsonl.gz"
        lines = read_lines(late)
        self.late_lines = [line for line in lines if b'"delivered"' not in line]
        landed = [land_copy(home, file) for file in summary.files if file != late]
        landed.append(land_lines(home, "on-time", [line for line in lines if b'"delivered"' in line]))
        landed.append(land_lines(home, "broken", BROKEN_LINES))
        if bandit is not None:
            found = import_logs(self.settings, "open-bandit", [str(bandit)], land_only=True)
            landed += [Path(path) for path in found["landed"]]
        self.lines_landed = sum(len(read_landed_lines(home, path)) for path in landed)
        set_clock(home.clock, START + timedelta(days=DAYS), speed=1.0)

    def now(self) -> datetime:
        """Data time."""
        return ScaledClock(self.settings.paths.clock).now()

    def run(self, dag_id: str, *, form: Mapping[str, Any] | None = None) -> str:
        """Trigger a DAG, wait for it and for all that follows; the state in which it ended itself."""
        run_id = self.api.trigger(dag_id, form=form)
        self.wait_until_quiet()
        return self.api.wait_for_run(dag_id, run_id, timeout_seconds=1)

    def wait_until_quiet(self, *, quiet_seconds: float = 4.0) -> None:
        """Return when nothing runs and nothing has followed for a while; what a paused DAG holds may wait."""
        deadline, quiet_since = time.monotonic() + PATIENCE_SECONDS, time.monotonic()
        while time.monotonic() - quiet_since < quiet_seconds:
            busy = [run["dag_id"] for run in self.runs() if run["state"] in UNFINISHED]
            assert time.monotonic() < deadline, f"after {PATIENCE_SECONDS:.0f} s there still run {busy}"
            quiet_since = time.monotonic() if busy else quiet_since
            time.sleep(0.5)

    def runs(self) -> list[dict[str, Any]]:
        """The newest runs of DAGs that are not paused, oldest first."""
        return [run for run in self.api.runs() if run["dag_id"] not in self.paused]

    def pause(self, dag_id: str) -> None:
        """Let the DAG start nothing any more: its runs queue up."""
        self.api.call("PATCH", f"/dags/{dag_id}", json={"is_paused": True})
        self.paused.add(dag_id)

    def resume(self, dag_id: str) -> None:
        """Let a paused DAG start runs again."""
        self.api.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
        self.paused.discard(dag_id)

    def clear(self, dag_id: str, run_id: str, tasks: Iterable[str] | None = None) -> None:
        """What the button "clear" of the UI does, to some tasks or to the whole run."""
        body: dict[str, Any] = {"dry_run": False, "only_failed": False}
        if tasks is None:
            self.api.call("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", json=body)
            return
        body |= {"dag_run_id": run_id, "task_ids": list(tasks), "include_downstream": False}
        self.api.call("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    def run_ids(self, dag_id: str = "~") -> set[str]:
        return {run["dag_run_id"] for run in self.api.runs(dag_id)}

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str]:
        """State of every task of a run; of a mapped one the last that was listed."""
        return {each["task_id"]: each["state"] for each in self.api.task_instances(dag_id, run_id)}

    def warehouse_attempts(self) -> list[Attempt]:
        """Every try of every task that took the warehouse's slot, by start."""
        found = []
        for run in self.api.runs("ingest_events") + self.api.runs("build_features"):
            dag_id, run_id = run["dag_id"], run["dag_run_id"]
            folder = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
            for task in self.api.task_instances(dag_id, run_id):
                if task["pool"] == WAREHOUSE_POOL:
                    tries = self.api.call("GET", f"{folder}/{task['task_id']}/tries")["task_instances"]
                    found += [_attempt(each) for each in tries if each["start_date"] and each["end_date"]]
        return sorted(found, key=lambda each: each.start)

    def raw_files(self) -> dict[str, str]:
        """Checksum of every raw file, by its path below raw."""
        raw = self.settings.paths.raw
        return {
            str(path.relative_to(raw)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in raw.rglob("*.parquet")
        }

    def mart_sums(self) -> dict[str, list[Any]]:
        """Rows and a checksum that no order of rows changes, of every mart."""
        sums = "select count(*), coalesce(sum(hash({0}::varchar)), 0) from {0}"
        return {mart: self.query(sums.format(mart)) for mart in MARTS}

    def row_hashes(self, mart: str, key: str, condition: str = "true") -> dict[str, int]:
        """A hash of every row by the SQL expression `key`, where `condition` holds."""
        return dict(self.query(f"select {key}, hash({mart}::varchar) from {mart} where {condition}"))  # noqa: S608

    def query(self, sql: str, *values: object) -> list[Any]:
        with connect_warehouse(self.settings.paths, read_only=True, threads=2) as connection:
            return connection.execute(sql, values).fetchall()

    def models(self) -> dict[str, Any]:
        """The snapshot, what is served, and every registered version with its verdict's decision."""
        home = self.settings.paths
        current = read_current(home)
        found: dict[str, Any] = {"snapshot": None if current is None else current.snapshot}
        for name in RECOMMENDERS:
            verdicts = ((each.name, read_verdict(home, name, each.version)) for each in versions(home, name))
            found[name] = [(model, verdict and verdict.promoted) for model, verdict in verdicts]
        return found | {"served": {name: each.model for name, each in published(home).items()}}

    def ask(self) -> dict[str, Any]:
        """The service's answer to the request that the README shows."""
        return dict(self.post("/v1/rank", sample_request(self.settings)))

    def post(self, path: str, body: Any) -> Any:
        url = service_url(self.settings) + path
        answer = httpx.post(url, json=body, timeout=10, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def is_on_disk(self, event_id: str) -> bool:
        """Whether the service's log, taken by ingest already or not, holds the event."""
        files = self.settings.paths.landing.rglob("*.jsonl*")
        return any(event_id.encode() in line for path in files for line in read_lines(path))

    def wait_for_rotation(self) -> None:
        """Return when the service has closed the files that it wrote."""
        deadline = time.monotonic() + 20
        while list((self.settings.paths.landing / "service").glob("*.open")):
            assert time.monotonic() < deadline, "the service keeps its log file open"
            time.sleep(0.1)

    def processes(self) -> set[int]:
        """Everything alive that knows this home by command line or environment, or is of our sessions.

        A program that writes its own title over its command line is found by its session. The browser of
        the tests does not count.
        """
        home = str(self.settings.paths.root)
        records = (self.settings.paths.log / "processes").glob("*.json")
        self.sessions |= {int(json.loads(record.read_bytes())["pid"]) for record in records}
        found = set()
        for process in psutil.process_iter(["status"]):
            try:
                command = process.cmdline()
                if any(word in text for text in command[:2] for word in BROWSER_WORDS):
                    continue
                known = [*command, *process.environ().values()]
                is_ours = any(home in text for text in known) or os.getsid(process.pid) in self.sessions
                if is_ours and process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE:
                    found.add(process.pid)
            except (psutil.Error, ProcessLookupError, PermissionError):
                continue
        return found

    def service_processes(self) -> list[psutil.Process]:
        """The leader of the ranking service and its children."""
        record = self.settings.paths.log / "processes" / "service.json"
        leader = psutil.Process(json.loads(record.read_bytes())["pid"])
        return [leader, *leader.children(recursive=True)]


def read_lines(path: Path) -> list[bytes]:
    """The lines of a log file, packed or not."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()


def read_landed_lines(home: Home, path: Path) -> list[bytes]:
    """The lines of a log that was landed, encrypted or not."""
    with open_landed(home, path) as stream:
        content = stream.read()
    return (gzip.decompress(content) if log_name(path.name).endswith(".gz") else content).splitlines()


def _attempt(tried: dict[str, Any]) -> Attempt:
    start, end = (datetime.fromisoformat(tried[name]) for name in ("start_date", "end_date"))
    return Attempt(tried["dag_id"], tried["task_id"], int(tried["try_number"]), start, end)
