"""Asks the running service while models are exchanged, and measures one answer at the end."""

from __future__ import annotations

import json
import statistics
import threading
import time
from types import TracebackType
from typing import Any, Self

import httpx

from letterpress.orchestration.local_services import service_url
from letterpress.settings import Settings

PERIOD_SECONDS = 0.1
SAMPLES = 200


def sample_request(settings: Settings) -> dict[str, Any]:
    """The request that the README shows."""
    path = settings.project / "bentos" / "ranking" / "sample_request.json"
    return dict(json.loads(path.read_text(encoding="utf-8")))


class Pulse:
    """A steady stream of requests in the background; `failed` counts every one without a good answer."""

    def __init__(self, settings: Settings) -> None:
        self.requests = 0
        self.failed = 0
        self.models: set[str] = set()
        self._body = sample_request(settings)
        self._client = _client(settings)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._over.wait(PERIOD_SECONDS):
            self.requests += 1
            try:
                answer = self._client.post("/v1/rank", json=self._body)
                answer.raise_for_status()
                self.models.add(answer.json()["model"])
            except (httpx.HTTPError, KeyError, ValueError):
                self.failed += 1


def measure_answer(settings: Settings, recommender: str) -> dict[str, Any]:
    """One real answer, with the median and the slowest of `SAMPLES` round trips in milliseconds."""
    body = sample_request(settings) | {"recommender": recommender}
    seconds = []
    with _client(settings) as client:
        for _ in range(SAMPLES):
            started = time.perf_counter()
            answer = client.post("/v1/rank", json=body)
            seconds.append(time.perf_counter() - started)
            answer.raise_for_status()
    return {
        "items": len(body["items"]),
        "median_ms": round(statistics.median(seconds) * 1000, 2),
        "slowest_ms": round(max(seconds) * 1000, 2),
        "body": answer.json(),
    }


def _client(settings: Settings) -> httpx.Client:
    token = settings.service.token
    headers = {} if token is None else {"Authorization": f"Bearer {token.get_secret_value()}"}
    return httpx.Client(base_url=service_url(settings), timeout=10, headers=headers, trust_env=False)
