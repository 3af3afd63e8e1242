"""The real service: BentoML, a socket, files; under load, killed, and stopped."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from bench.rank import free_port
from bench.synthetic_home import TENANT, publish_model, train_noise, write_snapshot

from letterpress.events.packed_features import unpack_features
from letterpress.features import feature_names
from letterpress.recommenders import get_recommender
from letterpress.registry.packaging import bento_store, build_bento
from letterpress.registry.store import register
from letterpress.settings import Home, Settings, child_environment

LETTERPRESS = Path(sys.executable).with_name("letterpress")
SAMPLE = Path(__file__).parents[2] / "bentos" / "ranking" / "sample_request.json"
NAME = "image_enhancement"


@dataclass
class Running:
    """A server with its own home and process group."""

    process: subprocess.Popen[bytes]
    home: Home
    url: str
    output: Path

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.1)
        raise AssertionError(self.output.read_text())

    def stop(self, number: int = signal.SIGTERM) -> list[psutil.Process]:
        """Send a signal to the parent alone, wait, and return who is left of its children."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.process.wait(30)
        _, alive = psutil.wait_procs(children, timeout=5)
        return alive

    def kill(self) -> None:
        """As the kernel does when memory runs out: no last words, the workers first."""
        parent = psutil.Process(self.process.pid)
        for process in (*parent.children(recursive=True), parent):
            process.kill()

    def logged(self) -> list[dict[str, Any]]:
        """Events on disk; a torn last line of a killed writer is skipped."""
        paths = sorted((self.home.landing / "service").glob("*.jsonl*"))
        lines = [line for path in paths for line in path.read_text().splitlines(keepends=True)]
        return [json.loads(line) for line in lines if line.endswith("\n")]


@contextlib.contextmanager
def serve(root: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    port = free_port()
    environment = child_environment(Settings(home=root)) | settings
    output = root / "serve.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [str(LETTERPRESS), "serve", "--port", str(port), *arguments],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, Home(root=root), f"http://127.0.0.1:{port}", output)
    try:
        running.wait_until_ready()
        yield running
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            running.kill()
        process.wait(30)


def make_home(root: Path) -> Home:
    home = Home(root=root)
    home.snapshots.mkdir(parents=True)
    write_snapshot(home, items=50)
    publish_model(home, version=1)
    return home


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("service")
    make_home(root)
    with serve(root) as running:
        yield running


def sample(**fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SAMPLE.read_text())
    return document | fields


def interaction(event_id: str) -> dict[str, Any]:
    return {
        "type": "interaction",
        "event_id": event_id,
        "tenant": TENANT,
        "recommender": NAME,
        "occurred_at": "2026-01-05T12:00:00Z",
        "slate_id": "s",
        "item_id": "i",
        "action": "chosen",
    }


def test_the_sample_request_is_answered(server: Running) -> None:
    answer = httpx.post(f"{server.url}/v1/rank", json=sample())
    assert answer.status_code == 200
    assert [item["position"] for item in answer.json()["items"]] == [1, 2, 3]
    assert answer.json()["model"].startswith(NAME)
    assert "front_door answers" in server.output.read_text(), "BentoML starts its application in another way"


def test_our_readyz_metrics_and_document_are_reached_through_bentoml(server: Running) -> None:
    assert httpx.get(f"{server.url}/readyz").json()["log"]["healthy"]
    assert httpx.get(f"{server.url}/livez").json() == {"alive": True}
    assert "letterpress_requests_total" in httpx.get(f"{server.url}/metrics").text
    assert "/v1/rank" in httpx.get(f"{server.url}/docs.json").json()["paths"]


def test_a_bentoml_client_gets_the_same_slate_typed(server: Running) -> None:
    script = (
        "import sys, json, bentoml\n"  # a process of its own: importing BentoML warns
        "with bentoml.SyncHTTPClient(sys.argv[1]) as client:\n"
        "    print(json.dumps(client.rank(request=json.loads(sys.argv[2]))))\n"
    )
    arguments = [sys.executable, "-c", script, server.url, json.dumps(sample(k=2))]
    finished = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
    assert len(json.loads(finished.stdout)["items"]) == 2
    wrong = httpx.post(f"{server.url}/bento/rank", json={"request": sample(k=9)})
    assert wrong.status_code == 422
    assert "at most 4" in wrong.text


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/v1/rank", json.dumps(sample(recommender="nope")), 404),
        ("/v1/rank", json.dumps(sample(k=0)), 422),
        ("/v1/rank", json.dumps(sample(k=5)), 422),
        ("/v1/rank", json.dumps(sample(items=[{"item_id": str(n)} for n in range(10_000)])), 422),
        ("/v1/rank", "this is no JSON", 400),
        ("/v1/rank", "x" * 5_000_000, 413),
        ("/v1/events", "x" * 5_000_000, 413),
        ("/nope", "{}", 404),
    ],
)
def test_bad_requests_get_problem_documents_and_the_next_one_is_answered(
    server: Running, path: str, content: str, status: int
) -> None:
    with httpx.Client(headers={"Content-Type": "application/json"}) as client:
        answer = client.post(f"{server.url}{path}", content=content)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert client.post(f"{server.url}/v1/rank", json=sample()).status_code == 200


def test_models_are_swapped_and_damaged_ones_refused_without_a_failed_request(server: Running) -> None:
    booster = train_noise(len(feature_names(get_recommender(NAME))), trees=20)
    seen: Counter[tuple[int, str]] = Counter()
    stop = threading.Event()

    def hammer() -> None:
        with httpx.Client() as client:
            while not stop.is_set():
                answer = client.post(f"{server.url}/v1/rank", json=sample())
                seen[answer.status_code, answer.json().get("model", "none")] += 1

    def wait_for_model(version: int) -> None:
        deadline = time.monotonic() + 20
        while httpx.post(f"{server.url}/v1/rank", json=sample()).json()["model"] != f"{NAME}/{version}":
            assert time.monotonic() < deadline
            time.sleep(0.05)

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for version in (2, 3, 4):
            publish_model(server.home, version=version, booster=booster if version == 3 else None)
            wait_for_model(version)
        write_snapshot(server.home, items=50, seed=9)
        damaged = publish_model(server.home, version=5)
        manifest = server.home.root / damaged.bundle / "manifest.json"
        manifest.write_text("{}")
        deadline = time.monotonic() + 20
        while NAME not in httpx.get(f"{server.url}/readyz").json()["problems"]:
            seen_five = httpx.post(f"{server.url}/v1/rank", json=sample()).json()["model"] == f"{NAME}/5"
            if seen_five:  # it was read before it was damaged: damage the next one sooner
                break
            assert time.monotonic() < deadline
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _ in seen} == {200}
    assert {f"{NAME}/2", f"{NAME}/3", f"{NAME}/4"} <= {model for _, model in seen}
    assert sum(seen.values()) > 100


def test_accepted_events_survive_a_kill_and_are_landed_by_the_next_start(tmp_path: Path) -> None:
    make_home(tmp_path)
    accepted: list[str] = []
    with serve(tmp_path) as running:

        def send(name: str) -> None:
            with httpx.Client() as client, contextlib.suppress(httpx.HTTPError):
                for number in range(10_000):
                    batch = [interaction(f"{name}-{number}-{place}") for place in range(3)]
                    if client.post(f"{running.url}/v1/events", json=batch).json()["accepted"] == 3:
                        accepted.extend(event["event_id"] for event in batch)

        threads = [threading.Thread(target=send, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        running.kill()
        for thread in threads:
            thread.join()
        assert len(accepted) > 100
        assert set(accepted) <= {event["event_id"] for event in running.logged()}
    with serve(tmp_path) as running:
        assert not [path for path in (tmp_path / "landing" / "service").glob("*.open") if path.stat().st_size]
        assert running.stop() == []


def delivered(running: Running) -> float:
    """How often the item of a new slate was delivered, as the features say that it was logged with."""
    items = [{"item_id": "item-1", "labels": {"enhancement": "warm"}}]
    answer = httpx.post(f"{running.url}/v1/rank", json=sample(tenant=TENANT, items=items, k=1)).json()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for event in running.logged():
            if event.get("slate_id") == answer["slate_id"] and event["type"] == "slate":
                place = feature_names(get_recommender(NAME)).index("item_delivered")
                packed = base64.b64decode(event["items"][0]["packed_features"])
                return float(unpack_features(packed)[place])
        time.sleep(0.05)
    raise AssertionError("the slate was not logged")


def report_delivered(running: Running, count: int) -> None:
    """Say of a slate that was just shown that its item was delivered."""
    items = [{"item_id": "item-1", "labels": {"enhancement": "warm"}}]
    slate = httpx.post(f"{running.url}/v1/rank", json=sample(tenant=TENANT, items=items, k=1)).json()
    event = {
        "type": "outcome",
        "event_id": f"delivered-{count}",
        "tenant": TENANT,
        "recommender": NAME,
        "occurred_at": datetime.now(UTC).isoformat(),
        "slate_id": slate["slate_id"],
        "item_id": "item-1",
        "kind": "delivered",
        "count": count,
    }
    answer = httpx.post(f"{running.url}/v1/events", json=[event])
    assert answer.json()["accepted"] == 1, answer.text


def test_an_accepted_event_changes_the_next_slates_within_two_seconds_also_after_a_kill(
    tmp_path: Path,
) -> None:
    make_home(tmp_path)
    with serve(tmp_path, LETTERPRESS_SERVICE__WORKERS="2") as running:
        before = delivered(running)
        report_delivered(running, 5_000)
        time.sleep(2)
        assert {delivered(running) for _ in range(6)} == {before + 5_000}, "whichever worker answers"
        live = httpx.get(f"{running.url}/readyz").json()["live"]
        assert live["reason"] is None
        assert 0 < live["lag_seconds"] < 2
        running.kill()
    with serve(tmp_path) as again:
        time.sleep(2)
        assert delivered(again) == before + 5_000, "made again from the log"


def test_a_polite_stop_lands_every_slate_and_leaves_no_process(tmp_path: Path) -> None:
    make_home(tmp_path)
    with serve(tmp_path) as running:
        answers = [httpx.post(f"{running.url}/v1/rank", json=sample()).json() for _ in range(20)]
        assert running.stop() == []
        assert [path.suffix for path in (tmp_path / "landing" / "service").iterdir()] == [".jsonl"]
        assert {answer["slate_id"] for answer in answers} == {event["slate_id"] for event in running.logged()}


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    make_home(tmp_path)
    with serve(tmp_path) as running:
        assert running.stop(signal.SIGKILL) == []


def test_a_token_guards_all_that_ranks_or_logs(tmp_path: Path) -> None:
    make_home(tmp_path)
    with serve(tmp_path, LETTERPRESS_SERVICE__TOKEN="secret") as running:  # noqa: S106  # guards a test
        for path in ("/v1/rank", "/v1/events", "/bento/rank", "/schema.json"):
            assert httpx.post(f"{running.url}{path}", json=sample()).status_code == 401
        headers = {"Authorization": "Bearer secret"}
        assert httpx.post(f"{running.url}/v1/rank", json=sample(), headers=headers).status_code == 200


def test_a_used_port_is_a_sentence_and_exit_code_three(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        finished = subprocess.run(
            [str(LETTERPRESS), "serve", "--port", str(port)],
            env=child_environment(Settings(home=tmp_path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert finished.returncode == 3
    assert f"port {port}" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_bento_answers_in_an_empty_home_and_then_follows_what_is_published_there(tmp_path: Path) -> None:
    built = make_home(tmp_path / "built")
    settings = Settings(home=built.root)
    bundle = built.root / publish_model(built, version=1).bundle
    version = register(built, "image_enhancement", bundle, {}, {})
    tag = build_bento(settings, "image_enhancement", version)
    store = bento_store(built)
    empty = Home(root=tmp_path / "empty")
    shutil.copytree(store, bento_store(empty))
    shutil.rmtree(built.root)
    with serve(empty.root, "--bento", tag) as running:
        first = httpx.post(f"{running.url}/v1/rank", json=sample()).json()
        assert first["model"] == f"image_enhancement/{version}"
        assert len(first["items"]) == sample()["k"]
        publish_model(empty, version=7)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            answer = httpx.post(f"{running.url}/v1/rank", json=sample()).json()
            if answer["model"] == "image_enhancement/7":
                break
            time.sleep(0.1)
        assert answer["model"] == "image_enhancement/7"
