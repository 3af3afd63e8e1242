"""`rank`: 24 items x our features x 300 trees of depth 6 over HTTP, against two peers, in turns."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load import Load, compile_generator, drive
from bench.report import Figure, figure, write_result
from bench.synthetic_home import publish_model, rank_bodies, train_noise, write_snapshot
from letterpress.cli.serve import serve_arguments, serve_environment
from letterpress.clock import SystemClock
from letterpress.errors import BrokenError
from letterpress.features import feature_names
from letterpress.recommenders import get_recommender
from letterpress.settings import Settings, child_environment, read_settings

ITEMS, PLACES, TREES = 24, 8, 300
ROUNDS, SECONDS, OPEN_SECONDS = 3, 4.0, 10.0
CONNECTIONS, OPEN_RATE = 8, 1000
START_SECONDS = 60
PEERS = Path(__file__).with_name("peers")
BIN = Path(sys.executable).parent

OURS, FASTAPI, NAIVE = "letterpress", "FastAPI + XGBoost", "naive BentoML"


@dataclass(frozen=True, slots=True)
class Server:
    """A program that answers POST /v1/rank on a port of its own."""

    name: str
    command: list[str]
    environment: dict[str, str]
    port: int
    probe: str


def run(path: Path) -> None:
    """Measure and write `path`."""
    settings = read_settings()
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        generator = compile_generator(settings, folder)
        bodies = folder / "bodies"
        bodies.write_bytes(rank_bodies(500, items=ITEMS, k=PLACES))
        servers = prepare(settings, folder)
        for server in servers:
            stack.enter_context(running(server, folder))
        figures = measure(servers, generator, bodies)
    columns = len(feature_names(get_recommender("image_enhancement")))
    busy = os.getloadavg()[2]
    note = (
        f"{ITEMS} items x {columns} features x {TREES} trees of depth 6, {PLACES} shown, one worker each, "
        f"{CONNECTIONS} connections; the generator runs on the same machine. Ours validates, computes its "
        "features from counts, explores, and logs every slate durably; the peers look ready features up. "
        f"Load average of the last 15 minutes at the end: {busy:.1f}."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=rank", note=note)


def prepare(settings: Settings, folder: Path) -> list[Server]:
    """The three servers, with the same ensemble."""
    ours = settings.model_copy(update={"home": folder / "home"})
    booster = train_noise(len(feature_names(get_recommender("image_enhancement"))), trees=TREES)
    write_snapshot(ours.paths)
    publish_model(ours.paths, version=1, booster=booster)
    (folder / "booster.ubj").write_bytes(booster)
    peer = child_environment(
        ours,
        BENCH_BOOSTER=str(folder / "booster.ubj"),
        BENTOML_HOME=str(folder / "bentoml"),
        BENTOML_DO_NOT_TRACK="True",
    )
    ports = [free_port() for _ in range(3)]
    uvicorn = ["uvicorn", "fastapi_xgboost:app", "--app-dir", str(PEERS), "--no-access-log"]
    naive = ["bentoml", "serve", "naive_bento:Naive", "--working-dir", str(PEERS), "--host", "127.0.0.1"]
    return [
        Server(
            OURS, ["bentoml", *serve_arguments(ours, ports[0])], serve_environment(ours), ports[0], "/readyz"
        ),
        Server(FASTAPI, [*uvicorn, "--port", str(ports[1])], peer, ports[1], "/openapi.json"),
        Server(NAIVE, [*naive, "--port", str(ports[2])], peer, ports[2], "/readyz"),
    ]


def measure(servers: list[Server], generator: Path, bodies: Path) -> list[Figure]:
    """Throughput of all in turns, then our latency at a fixed rate."""
    rounds: dict[str, list[Load]] = {server.name: [] for server in servers}
    for number in range(ROUNDS):
        for server in servers:
            load = drive(
                generator, server.port, bodies, per_second=0, connections=CONNECTIONS, seconds=SECONDS
            )
            rounds[server.name].append(load)
            print(f"round {number + 1} of {ROUNDS}: {server.name} {load.per_second:,.0f}/s")
    steady = drive(
        generator,
        servers[0].port,
        bodies,
        per_second=OPEN_RATE,
        connections=CONNECTIONS,
        seconds=OPEN_SECONDS,
    )
    most = {name: median(load.per_second for load in loads) for name, loads in rounds.items()}
    errors = steady.errors + sum(load.errors for load in rounds[OURS])
    at_rate = f"at {OPEN_RATE:,} requests/s, open loop"
    return [
        *(figure(f"{name}, closed loop", value, "requests/s") for name, value in most.items()),
        figure(f"ratio to {FASTAPI}", most[OURS] / most[FASTAPI], "x", ">= 1"),
        figure(f"ratio to {NAIVE}", most[OURS] / most[NAIVE], "x", ">= 1"),
        figure(f"{OURS}, p50 {at_rate}", steady.p50, "ms"),
        figure(f"{OURS}, p99 {at_rate}", steady.p99, "ms", "< 10"),
        figure(f"{OURS}, slowest {at_rate}", steady.max, "ms"),
        figure(f"{OURS}, errors", errors, "requests", "= 0"),
    ]


@contextlib.contextmanager
def running(server: Server, folder: Path) -> Iterator[None]:
    """The server started, answering, and stopped with its whole process group."""
    log = folder / f"{server.port}.log"
    with log.open("wb") as output:
        program = [str(BIN / server.command[0]), *server.command[1:]]
        process = subprocess.Popen(
            program,
            env=server.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_ready(server, process, log)
            yield
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(START_SECONDS)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{server.probe}", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise BrokenError(f"{server.name} did not answer within {START_SECONDS} s: {log.read_text()[-500:]}")


def free_port() -> int:
    """A port of the loopback interface that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
