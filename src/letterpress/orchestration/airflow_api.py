"""A client of Airflow's REST API, for what happens outside a task: start, wait, look."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from letterpress.errors import BrokenError, as_clause
from letterpress.orchestration.airflow_environment import airflow_password, airflow_url
from letterpress.settings import Settings

UNFINISHED = frozenset({"queued", "running"})


class AirflowApi:
    """A logged-in client. Use it as a context manager; every call may raise BrokenError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = httpx.Client(base_url=airflow_url(settings), timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def is_healthy(self, *, since: float) -> bool:
        """Whether API, scheduler and DAG processor are up, with heartbeats younger than `since` (epoch)."""
        try:
            health = self._client.get("/api/v2/monitor/health").json()
        except (httpx.HTTPError, ValueError):
            return False
        parts = (health.get("scheduler", {}), health.get("dag_processor", {}))
        beats = [part.get(key) for part in parts for key in part if key.startswith("latest_")]
        return all(part.get("status") == "healthy" for part in parts) and all(
            beat is not None and _epoch(beat) >= since for beat in beats
        )

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The decoded answer. Raises BrokenError with Airflow's own words when it says no."""
        if "Authorization" not in self._client.headers:
            self._log_in()
        try:
            answer = self._client.request(method, f"/api/v2{path}", **arguments)
        except httpx.HTTPError as error:
            raise BrokenError(
                f"Airflow does not answer: {as_clause(error)}. See `letterpress up`."
            ) from error
        if answer.is_error:
            raise BrokenError(f"Airflow refused {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def trigger(
        self,
        dag_id: str,
        *,
        partition_key: str | None = None,
        form: Mapping[str, Any] | None = None,
        note: str | None = None,
    ) -> str:
        """Start a run, with a partition key or with fields of the trigger form; its run id."""
        body: dict[str, Any] = {
            "logical_date": None,
            "partition_key": partition_key,
            "note": note,
            "conf": dict(form or {}),
        }
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag_id: str = "~") -> list[dict[str, Any]]:
        """The newest 100 runs, oldest first."""
        found = self.call("GET", f"/dags/{dag_id}/dagRuns", params={"limit": 100, "order_by": "-id"})
        return list(reversed(found["dag_runs"]))

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The tasks of one run, with their states."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return list(self.call("GET", path, params={"limit": 200})["task_instances"])

    def wait_for_run(self, dag_id: str, run_id: str, *, timeout_seconds: float) -> str:
        """The state in which the run ended. Raises BrokenError when it does not end in time."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            state = str(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])
            if state not in UNFINISHED:
                return state
            time.sleep(0.5)
        raise BrokenError(f"{dag_id} did not end within {timeout_seconds:.0f} s; look at {run_id} in the UI.")

    def wait_until_quiet(
        self,
        *,
        timeout_seconds: float,
        quiet_seconds: float = 4.0,
        watch: Callable[[list[dict[str, Any]]], None] = lambda _runs: None,
    ) -> None:
        """Return when no run is under way and none has followed for `quiet_seconds`.

        `watch` is handed the newest runs at every look.

        Raises:
            BrokenError: runs are still under way after `timeout_seconds`.
        """
        deadline = time.monotonic() + timeout_seconds
        quiet_since: float | None = None
        while time.monotonic() < deadline:
            runs = self.runs()
            watch(runs)
            busy = [run["dag_id"] for run in runs if run["state"] in UNFINISHED]
            if busy:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since >= quiet_seconds:
                return
            time.sleep(0.5)
        raise BrokenError(
            f"after {timeout_seconds:.0f} s these DAGs still run: {', '.join(sorted(set(busy)))}."
        )

    def _log_in(self) -> None:
        body = {"username": self._settings.airflow.user, "password": airflow_password(self._settings)}
        try:
            answer = self._client.post("/auth/token", json=body)
        except httpx.HTTPError as error:
            raise BrokenError(
                f"Airflow does not answer: {as_clause(error)}. See `letterpress up`."
            ) from error
        if answer.is_error:
            raise BrokenError(f"Airflow did not let {self._settings.airflow.user} in: {answer.text[:300]}")
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
