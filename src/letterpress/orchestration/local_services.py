"""The programs of a single machine: Airflow, the ranking service and the site, all on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from letterpress.atomic_file import write_atomically
from letterpress.errors import BrokenError
from letterpress.orchestration.airflow_api import AirflowApi
from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL, airflow_environment
from letterpress.orchestration.build_features import write_manifest
from letterpress.orchestration.dbt_docs import publish_dbt_docs
from letterpress.orchestration.process_group import (
    Program,
    is_running,
    refuse_used_port,
    start_program,
    stop_program,
)
from letterpress.settings import Settings, child_environment

START_SECONDS = 180
AIRFLOW_PARTS = {
    # Airflow's log server always listens on 0.0.0.0; the UI reads logs from the disk without it.
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
    "airflow-api-server": ("api-server",),
}
NAMES = ("service", "site", *AIRFLOW_PARTS)


def service_url(settings: Settings) -> str:
    return f"http://{settings.service.host}:{settings.service.port}"


def site_url(settings: Settings) -> str:
    return f"http://{settings.site.host}:{settings.site.port}"


def refuse_used_ports(settings: Settings) -> None:
    """Raises PortInUseError when a port that is needed is taken by a stranger."""
    wanted = {"airflow-api-server": "airflow", "service": "service", "site": "site"}
    ports = {"airflow": settings.airflow.port, "service": settings.service.port, "site": settings.site.port}
    for program, name in wanted.items():
        if not is_running(_record(settings, program)):
            refuse_used_port(name, ports[name])


def start_site(settings: Settings) -> None:
    """Serve the static pages."""
    settings.paths.site.mkdir(parents=True, exist_ok=True)
    place = ["--bind", settings.site.host, "--directory", str(settings.paths.site), str(settings.site.port)]
    command = [sys.executable, "-m", "http.server", *place]
    start_program(_program(settings, "site", command, child_environment(settings)))
    _wait_until("site", lambda: _answers(site_url(settings)), settings)


def start_service(settings: Settings) -> None:
    """Start the ranking service and wait until it answers."""
    command = [sys.executable, "-m", "letterpress.cli", "serve"]
    start_program(_program(settings, "service", command, child_environment(settings)))
    _wait_until("service", lambda: _answers(f"{service_url(settings)}/livez"), settings)


def start_airflow(settings: Settings) -> None:
    """Start Airflow, wait until it is healthy, and make sure that the warehouse has one writer's slot."""
    environment = airflow_environment(settings)
    with ThreadPoolExecutor(2) as both:
        manifest, database = (
            both.submit(_describe_models, settings),
            both.submit(_migrate, settings, environment),
        )
        manifest.result()
        database.result()
    started = time.time()
    fresh = not is_running(_record(settings, "airflow-scheduler"))
    for name, arguments in AIRFLOW_PARTS.items():
        start_program(_program(settings, name, ["airflow", *arguments], environment))
    with AirflowApi(settings) as api:
        since = started if fresh else 0.0
        _wait_until("airflow-api-server", lambda: api.is_healthy(since=since), settings)
        _ensure_pool(api)


def _describe_models(settings: Settings) -> None:
    """The manifest for Cosmos, and from it the page for people."""
    publish_dbt_docs(settings, write_manifest(settings))


def stop_services(settings: Settings) -> dict[str, int]:
    """How many processes of each program were stopped; nothing is left of those that we started."""
    with ThreadPoolExecutor(len(NAMES)) as all_at_once:
        counts = all_at_once.map(lambda name: stop_program(_record(settings, name)), NAMES)
        return dict(zip(NAMES, counts, strict=True))


def _record(settings: Settings, name: str) -> Path:
    return settings.paths.log / "processes" / f"{name}.json"


def _log(settings: Settings, name: str) -> Path:
    return settings.paths.log / f"{name}.log"


def _program(settings: Settings, name: str, command: list[str], environment: dict[str, str]) -> Program:
    return Program(
        name=name,
        command=command,
        folder=settings.project,
        environment=environment,
        log=_log(settings, name),
        record=_record(settings, name),
    )


def _migrate(settings: Settings, environment: dict[str, str]) -> None:
    """Make or bring up to date Airflow's database; skipped when this version did it before."""
    from importlib.metadata import version

    stamp = settings.paths.airflow / "migrated"
    wanted = version("apache-airflow").encode()
    if stamp.exists() and stamp.read_bytes() == wanted:
        return
    log = _log(settings, "airflow-migrate")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            ["airflow", "db", "migrate"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise BrokenError(f"Airflow's database could not be made; see {log}.")
    write_atomically(stamp, wanted)


def _ensure_pool(api: AirflowApi) -> None:
    names = {pool["name"] for pool in api.call("GET", "/pools")["pools"]}
    if WAREHOUSE_POOL not in names:
        body = {"name": WAREHOUSE_POOL, "slots": 1, "description": "the one writer of the warehouse"}
        api.call("POST", "/pools", json=body)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def _wait_until(name: str, ready: Callable[[], bool], settings: Settings) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ready():
            return
        if not is_running(_record(settings, name)):
            tail = _log(settings, name).read_text(errors="replace").strip().splitlines()[-1:]
            raise BrokenError(
                f"{name} ended while it started: {' '.join(tail)} The rest is in {_log(settings, name)}."
            )
        time.sleep(0.25)
    raise BrokenError(f"{name} did not answer within {START_SECONDS} s; see {_log(settings, name)}.")
