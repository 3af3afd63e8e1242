from __future__ import annotations

from typing import Any

from letterpress.orchestration.demo import _RunNews


def run(dag_id: str, state: str, key: str | None = None) -> dict[str, Any]:
    return {"dag_id": dag_id, "dag_run_id": f"{dag_id}-1", "state": state, "partition_key": key}


def test_every_run_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    said: list[str] = []
    news = _RunNews(said.append, lambda _dag, _run: [], now=lambda: 0.0)

    news([run("ingest_events", "running"), run("build_features", "queued", "2026-01-05T03--2026-01-05T04")])
    news([run("ingest_events", "running"), run("build_features", "running", "2026-01-05T03--2026-01-05T04")])
    news([run("ingest_events", "success"), run("build_features", "running", "2026-01-05T03--2026-01-05T04")])

    assert said == [
        "  ingest_events: running",
        "  build_features 2026-01-05T03--2026-01-05T04: running",
        "  ingest_events: success",
    ]


def test_what_runs_for_long_is_told_with_its_tasks() -> None:
    said: list[str] = []
    at = iter(range(0, 100, 6))
    tasks = [
        {"task_id": "models.fct_slate_items", "state": "running"},
        {"task_id": "start", "state": "success"},
    ]
    news = _RunNews(said.append, lambda _dag, _run: tasks, now=lambda: float(next(at)))

    for _ in range(5):
        news([run("build_features", "running")])

    assert said[0] == "  build_features: running"
    assert set(said[1:]) == {"    build_features is at models.fct_slate_items"}
    assert len(said) < 5
