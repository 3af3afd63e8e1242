"""Builders for integration tests: a raw log as ingest writes it, gates without their pages, a browser."""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, Response, Route
from tests.integration.trained_home import build_trained_home

from letterpress.events.types import AnyEvent
from letterpress.lake.partitions import format_hour
from letterpress.lake.raw_columns import events_to_table
from letterpress.lake.raw_schema import ensure_anchors, partition_path
from letterpress.quality.findings import find_failures
from letterpress.quality.suites import gate_names, read_suite
from letterpress.quality.validation import Examined, open_context, run_suite
from letterpress.settings import Settings

WriteRaw = Callable[[Path, Iterable[AnyEvent]], None]
GateFailures = Callable[..., dict[str, str]]


def write_raw_log(raw: Path, events: Iterable[AnyEvent]) -> None:
    """Rewrite every (recommender, hour, type) file that `events` fall into.

    An event without an arrival time arrived when it occurred.
    """
    ensure_anchors(raw)
    files: dict[Path, list[AnyEvent]] = defaultdict(list)
    for event in events:
        name = str(event.__struct_config__.tag)
        files[partition_path(raw, event.recommender, format_hour(event.occurred_at), name)].append(event)
    for path, rows in files.items():
        rows.sort(key=lambda event: (event.occurred_at, event.event_id))
        tables = [events_to_table(path.stem, [event], event.occurred_at) for event in rows]
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(tables), path)


@pytest.fixture(scope="session")
def write_raw() -> WriteRaw:
    return write_raw_log


@pytest.fixture(scope="session")
def start() -> datetime:
    """The hour in which the logs of these tests begin."""
    return datetime(2026, 1, 5, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A home that is built once for all files and processes: copy it before anything changes it.

    Nine simulated days, through raw and marts into a snapshot, with popularity as the champion and a ranker
    trained. Its time is the end of the log.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    home = shared / "trained"
    with (shared / "trained.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.is_dir():
            shutil.rmtree(shared / "training", ignore_errors=True)
            build_trained_home(Settings(home=shared / "training"))
            (shared / "training").rename(home)
    return home


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "var")


@pytest.fixture(scope="session")
def gate_context(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One Great Expectations context for all gate tests: opening one takes seconds."""
    project = Settings().project
    suites = {gate: read_suite(project, gate) for gate in gate_names(project)}
    return open_context(tmp_path_factory.mktemp("gates"), suites)


@pytest.fixture
def gate_failures(gate_context: Any) -> GateFailures:
    """Runs a gate on views without building pages: severity of every failed expectation, by name.

    `only` names the tables to look at, when not all are wanted.
    """

    def run(gate: str, database: Path, tables: tuple[str, ...], only: tuple[str, ...] = ()) -> dict[str, str]:
        suite = read_suite(Settings().project, gate)
        examined = Examined(gate, "test", database, only or tables)
        at = datetime(2026, 1, 6, tzinfo=UTC)
        results = run_suite(gate_context, suite, examined, threads=1, at=at).results
        database.unlink()
        failed = (find_failures(suite, table, results.get(table, [])) for table in only or suite.tables)
        return {f"{each.table}.{each.expectation}": each.severity for found in failed for each in found}

    return run


@pytest.fixture
def serve_folder() -> Iterator[Callable[[Path], str]]:
    """Serves a folder on a free port of this machine; gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def serve(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def open_page(browser: Browser, serve_folder: Callable[[Path], str]) -> Iterator[Callable[..., Page]]:
    """Opens a page of a folder; at the end nothing may have been asked of the outside, nor have failed."""
    complaints: list[str] = []
    contexts = []

    def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            complaints.append(f"asked for {route.request.url}")
            route.abort()

    def note_failure(answer: Response) -> None:
        if answer.status >= 400:
            complaints.append(f"{answer.status} {answer.url}")

    def open_(folder: Path, path: str, *, scheme: str = "light", width: int = 1200) -> Page:
        size: Any = {"width": width, "height": 900}
        colours: Any = scheme
        context = browser.new_context(viewport=size, color_scheme=colours)
        contexts.append(context)
        context.route("**/*", guard)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"script error {error}"))
        page.on("response", note_failure)
        page.goto(serve_folder(folder) + path, wait_until="load")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: the test runner's output is for results."""
