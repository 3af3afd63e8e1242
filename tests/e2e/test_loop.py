"""The whole loop on one real Airflow: logs in, models judged, slates served, and round again.

The tests follow each other: every one begins with what the one before left behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from bench.rank import free_port
from playwright.sync_api import Browser, Request
from tests.e2e.platform_under_test import BROKEN_LINES, DAYS, LATE_RANGE, START, PlatformUnderTest

from letterpress.lake.landing import land_lines
from letterpress.lake.ledger import pending_ranges, total_counts
from letterpress.lake.partitions import HourRange, format_hour
from letterpress.lake.snapshots import Snapshot
from letterpress.lake.training_origin import count_training_slates
from letterpress.orchestration.airflow_api import AirflowApi
from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL, airflow_password, airflow_url
from letterpress.orchestration.local_services import start_airflow, start_service, stop_services
from letterpress.registry.publication import published
from letterpress.registry.store import model_version
from letterpress.registry.verdicts import read_verdict
from letterpress.settings import read_settings

PICTURES = "image_enhancement"
PRODUCTS = "open_bandit"
DAGS = ("ingest_events", "build_features", "train_ranker", "release_model")
QUESTIONS = 5


@pytest.fixture(scope="module")
def bandit() -> Path | None:
    """The real log of a uniform policy; None where the reference data is absent."""
    settings = read_settings()
    folder = settings.reference_data or settings.project.parent / "shared" / "data"
    log = folder / "open_bandit" / "random" / "all"
    return log if log.is_dir() else None


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, bandit: Path | None) -> Iterator[PlatformUnderTest]:
    """Airflow on free ports with a landed log; everything is stopped at the end, however it ends."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LETTERPRESS_HOME", str(tmp_path_factory.mktemp("loop") / "var"))
        environment.setenv("LETTERPRESS_SERVICE__LOG_ROTATE_SECONDS", "1")
        for part in ("AIRFLOW", "SERVICE", "SITE"):
            environment.setenv(f"LETTERPRESS_{part}__PORT", str(free_port()))
        settings = read_settings()
        with AirflowApi(settings) as api:
            platform = PlatformUnderTest(settings, api)
            platform.land_history(bandit)
            try:
                start_airflow(settings)
                platform.pause("keep_lake")  # it runs by the calendar: at midnight, and at a start soon after
                yield platform
            finally:
                stop_services(settings)


def test_one_ingest_sets_off_the_whole_chain(platform: PlatformUnderTest) -> None:
    assert platform.run("ingest_events") == "success"
    runs = platform.runs()
    assert {run["dag_id"] for run in runs} == set(DAGS)
    assert [run for run in runs if run["state"] != "success"] == []
    assert Snapshot.open(platform.settings.paths).snapshot_id == platform.models()["snapshot"]


def test_the_ledger_accounts_for_every_line_that_was_landed(platform: PlatformUnderTest) -> None:
    counts = total_counts(platform.settings.paths)
    assert counts["read"] == platform.lines_landed
    assert counts["raw"] + counts["duplicate"] + counts["quarantined"] == counts["read"]
    assert counts["quarantined"] == len(BROKEN_LINES)


def test_popularity_is_the_first_champion_and_the_ranker_beats_it(platform: PlatformUnderTest) -> None:
    home = platform.settings.paths
    verdict = read_verdict(home, PICTURES, 1)
    assert verdict is not None
    assert verdict.promoted, verdict.reason
    assert verdict.numbers["gain"]["low_at_look"] > verdict.numbers["bar"]
    first = model_version(home, PICTURES, int(verdict.champion.rpartition("/")[2]))
    assert first.tags["kind"] == "popularity"
    assert published(home)[PICTURES].model == "image_enhancement/1"


def test_open_bandit_is_refused_for_its_few_clicks(platform: PlatformUnderTest, bandit: Path | None) -> None:
    if bandit is None:
        pytest.skip("no Open Bandit log: set LETTERPRESS_REFERENCE_DATA to the folder that holds it")
    home = platform.settings.paths
    verdict = read_verdict(home, PRODUCTS, 1)
    assert verdict is not None
    assert not verdict.promoted
    assert "38 clicks in" in verdict.reason
    assert "effective sample size" in verdict.reason
    assert model_version(home, PRODUCTS, published(home)[PRODUCTS].version).tags["kind"] == "popularity"


def test_clearing_one_model_leaves_the_same_data(platform: PlatformUnderTest) -> None:
    sums, models, runs = platform.mart_sums(), platform.models(), platform.run_ids()
    run = newest_run(platform, "build_features")
    platform.clear("build_features", run, ["dbt.fct_slate_items.run"])
    platform.wait_until_quiet()
    tries = [
        each.number for each in platform.warehouse_attempts() if each.task_id == "dbt.fct_slate_items.run"
    ]
    assert max(tries) == 2
    assert platform.api.call("GET", f"/dags/build_features/dagRuns/{run}")["state"] == "success"
    assert (platform.mart_sums(), platform.models()) == (sums, models)
    assert platform.run_ids() == runs


def test_the_chain_again_leaves_the_same_data_and_models(platform: PlatformUnderTest) -> None:
    """As the docs say it: all runs are cleared, but all days are built in one run, from the trigger form."""
    sums, raw, models = platform.mart_sums(), platform.raw_files(), platform.models()
    whole = HourRange(START, START + timedelta(days=DAYS))
    for dag_id in ("ingest_events", "train_ranker", "release_model"):
        platform.clear(dag_id, newest_run(platform, dag_id))
    assert platform.run("build_features", form={"partition": whole.key}) == "success"
    assert [run for run in platform.runs() if run["state"] != "success"] == []
    assert len(platform.run_ids("train_ranker")) == 1  # nothing had changed, so nothing was announced
    assert platform.raw_files() == raw
    assert (platform.mart_sums(), platform.models()) == (sums, models)


@pytest.mark.drill
def test_clearing_a_whole_build_leaves_the_same_data(platform: PlatformUnderTest) -> None:
    """Minutes, because every model then starts a dbt process of its own."""
    if not platform.run_ids("build_features"):
        platform.run("ingest_events")
    sums, models = platform.mart_sums(), platform.models()
    before = tries(platform)
    platform.clear("build_features", newest_run(platform, "build_features"))
    platform.wait_until_quiet()
    assert all(tries(platform)[task] == number + 1 for task, number in before.items())
    assert (platform.mart_sums(), platform.models()) == (sums, models)


def test_the_service_runs_out_of_the_published_bento(platform: PlatformUnderTest) -> None:
    home = platform.settings.paths
    start_service(platform.settings)
    tags = {each.bento for each in published(home).values()}
    workers = [each for each in platform.service_processes() if tags & set(each.cmdline())]
    assert workers
    assert all(Path(each.cwd()).is_relative_to(home.registry / "bentoml") for each in workers)
    assert platform.ask()["model"] == published(home)[PICTURES].model


def test_what_the_service_logs_is_what_the_next_run_trains_on(platform: PlatformUnderTest) -> None:
    home, before = platform.settings.paths, Snapshot.open(platform.settings.paths).snapshot_id
    platform.pause("train_ranker")  # what it does with a snapshot was seen above, and takes a minute
    answers = [platform.ask() for _ in range(QUESTIONS)]
    for answer in answers:
        events = reactions(answer, platform.now())
        assert platform.post("/v1/events", {"events": events})["accepted"] == len(events)
        assert all(platform.is_on_disk(event["event_id"]) for event in events)
    platform.wait_for_rotation()
    assert platform.run("ingest_events") == "success"
    snapshot = Snapshot.open(home)
    assert snapshot.snapshot_id != before
    assert count_training_slates(snapshot.training_path(PICTURES))["own_slates"] >= QUESTIONS
    first = answers[0]["items"][0]
    (row,) = platform.query(
        "select chosen, delivered, clicked, propensity from fct_slate_items "
        "where slate_id = ? and item_id = ?",
        answers[0]["slate_id"],
        first["item_id"],
    )
    assert row == (1, 1000, 30, pytest.approx(first["propensity"]))


def test_a_late_hour_is_announced_and_built_alone(platform: PlatformUnderTest) -> None:
    reacted = {json.loads(line)["slate_id"] for line in platform.late_lines}
    arrived = min(json.loads(line)["received_at"] for line in platform.late_lines)
    key = "slate_id || ' ' || item_id"
    labels, raw = platform.row_hashes("fct_slate_items", key), platform.raw_files()
    known = platform.row_hashes("training_examples", key, f"shown_at < '{arrived}'")
    runs = platform.run_ids("build_features")
    land_lines(platform.settings.paths, "late", platform.late_lines)
    assert platform.run("ingest_events") == "success"

    built = [run for run in platform.api.runs("build_features") if run["dag_run_id"] not in runs]
    assert [(run["partition_key"], run["state"]) for run in built] == [(LATE_RANGE.key, "success")]
    hour = f"recommender={PICTURES}/hour={format_hour(LATE_RANGE.start)}"
    late_files = {f"{hour}/{event}.parquet" for event in ("interaction", "outcome")}
    assert changed(raw, platform.raw_files()) == late_files
    relabelled = changed(labels, platform.row_hashes("fct_slate_items", key))
    assert relabelled
    assert {each.split(" ")[0] for each in relabelled} <= reacted
    now_known = platform.row_hashes("training_examples", key, f"shown_at < '{arrived}'")
    assert {each.split(" ")[0] for each in changed(known, now_known)} <= reacted


def test_the_daily_upkeep_makes_one_file_of_a_day_and_changes_no_mart(platform: PlatformUnderTest) -> None:
    marts, hours = platform.mart_sums(), set(platform.raw_files())
    platform.resume("keep_lake")
    assert platform.run("keep_lake") == "success"
    platform.pause("keep_lake")

    made = {Path(path).parent.name for path in set(platform.raw_files()) - hours}
    assert made
    assert all(re.fullmatch(r"hour=\d{4}-\d\d-\d\d", folder) for folder in made)
    assert platform.mart_sums() == marts


def test_the_warehouse_never_had_two_writers(platform: PlatformUnderTest) -> None:
    attempts = platform.warehouse_attempts()
    assert len({each.task_id for each in attempts}) > 20
    assert [(first, then) for first, then in pairwise(attempts) if then.start < first.end] == []


def test_a_failed_gate_stops_the_chain_and_the_old_model_answers(platform: PlatformUnderTest) -> None:
    followers = [platform.run_ids(dag_id) for dag_id in DAGS[1:]]
    models, answer = platform.models(), platform.ask()
    clicks = reactions(answer, platform.now())[-1] | {"event_id": "impossible", "count": 10**9}
    land_lines(platform.settings.paths, "impossible", [json.dumps(clicks).encode()])
    assert platform.run("ingest_events") == "failed"
    states = platform.tasks("ingest_events", newest_run(platform, "ingest_events"))
    assert (states["lane.check_raw_log"], states["lane.announce"]) == ("failed", "upstream_failed")
    assert len(pending_ranges(platform.settings.paths)) == 1
    assert [platform.run_ids(dag_id) for dag_id in DAGS[1:]] == followers
    assert platform.models() == models
    assert platform.ask()["model"] == answer["model"]


def test_the_pages_of_airflow_show_the_dags_and_ask_nobody_outside(
    platform: PlatformUnderTest, browser: Browser
) -> None:
    home = airflow_url(platform.settings)
    outside: list[str] = []

    def note_stranger(request: Request) -> None:
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            outside.append(request.url)

    context = browser.new_context(viewport={"width": 1400, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", note_stranger)
        page.goto(f"{home}/dags")
        page.fill("input[name=username]", platform.settings.airflow.user)
        page.fill("input[name=password]", airflow_password(platform.settings))
        page.click("button[type=submit]")
        for dag_id in DAGS:
            page.get_by_role("link", name=dag_id, exact=True).first.wait_for()
        page.get_by_role("link", name="build_features", exact=True).first.click()
        page.get_by_text("publish_features", exact=True).first.wait_for()
        page.get_by_label("Dag Docs").first.click()
        page.get_by_text("Build features and training sets for a range of hours").wait_for()
    finally:
        context.close()
    assert outside == []


def test_stopping_leaves_no_process(platform: PlatformUnderTest) -> None:
    assert len(platform.processes()) >= 5
    stopped = stop_services(platform.settings)
    assert all(count for name, count in stopped.items() if name != "site")
    assert platform.processes() == set()
    with pytest.raises(httpx.HTTPError):
        httpx.get(airflow_url(platform.settings), trust_env=False)


def reactions(answer: dict[str, Any], at: datetime) -> list[dict[str, Any]]:
    """What a builder and the recipients did with the first item of a slate."""
    item = answer["items"][0]["item_id"]
    common = {
        "tenant": "acme",
        "recommender": PICTURES,
        "occurred_at": at.isoformat(),
        "slate_id": answer["slate_id"],
        "item_id": item,
    }
    kinds: list[dict[str, Any]] = [
        {"type": "interaction", "action": "chosen"},
        {"type": "outcome", "kind": "delivered", "count": 1000},
        {"type": "outcome", "kind": "clicked", "count": 30},
    ]
    return [
        common | kind | {"event_id": f"{answer['slate_id']}-{number}"} for number, kind in enumerate(kinds)
    ]


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Keys that came, went or have another value."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def newest_run(platform: PlatformUnderTest, dag_id: str) -> str:
    return str(platform.api.runs(dag_id)[-1]["dag_run_id"])


def tries(platform: PlatformUnderTest) -> dict[str, int]:
    """How often every task that may write the warehouse was tried in the newest build."""
    run = newest_run(platform, "build_features")
    return {
        each["task_id"]: int(each["try_number"])
        for each in platform.api.task_instances("build_features", run)
        if each["pool"] == WAREHOUSE_POOL
    }
