"""The DAG files as Airflow's processor sees them, in a process of their own and without a scheduler."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL, airflow_environment
from letterpress.orchestration.build_features import write_manifest
from letterpress.orchestration.train_challenger import TrainingWishes
from letterpress.settings import Settings

MAX_LINES = 120
HEAVY = ("great_expectations", "duckdb", "pandas", "xgboost", "mlflow", "bentoml", "dbt", "numba", "sklearn")
SECTIONS = ("**Reads**", "**Writes**", "**Rerun**", "**When it fails")
# What a parse finds: for every DAG its doc, schedule, parameters and tasks, and which modules it took.
PARSE = """
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
bag = BundleDagBag(sys.argv[1], bundle_path=Path(sys.argv[1]), bundle_name="dags-folder")
print(json.dumps({
    "errors": bag.import_errors,
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "dags": {
        dag.dag_id: {
            "file": dag.fileloc,
            "doc": dag.doc_md or "",
            "catchup": dag.catchup,
            "max_active_runs": dag.max_active_runs,
            "params": sorted(dag.params),
            "tasks": {task.task_id: {"pool": task.pool, "retries": task.retries} for task in dag.tasks},
        }
        for dag in bag.dags.values()
    },
}))
"""
TASKS = {
    "ingest_events": {"land", "changed_ranges", "lane.check_raw_log", "lane.announce", "refresh_site"},
    "build_features": {
        "check_range",
        "publish_features",
        "audit_skew",
        "report_skew",
        "announce",
        "refresh_site",
    },
    "train_ranker": {"list_recommenders", "lane.check_training_set", "lane.train_challenger", "refresh_site"},
    "keep_lake": {"let_go", "compact", "verify", "check_sources"},
    "release_model": {"ensure_champion", "judge", "release", "refresh_site"},
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    settings = Settings(home=tmp_path_factory.mktemp("dags"))
    return settings, write_manifest(settings)


@pytest.fixture(scope="module")
def parsed(manifest: tuple[Settings, Path]) -> dict[str, Any]:
    """What Airflow makes of the folder `dags/`."""
    settings, _ = manifest
    environment = airflow_environment(settings)
    done = subprocess.run(
        [sys.executable, "-c", PARSE, environment["AIRFLOW__CORE__DAGS_FOLDER"]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def dag_files(settings: Settings) -> list[Path]:
    return sorted((settings.project / "dags").glob("*.py"))


def test_all_files_are_parsed_without_an_error(parsed: dict[str, Any]) -> None:
    assert parsed["errors"] == {}
    assert set(parsed["dags"]) == set(TASKS)


def test_a_dag_has_the_name_of_its_file(parsed: dict[str, Any]) -> None:
    assert {name: Path(dag["file"]).stem for name, dag in parsed["dags"].items()} == {
        name: name for name in TASKS
    }


def test_no_dag_file_grows_beyond_reading(manifest: tuple[Settings, Path]) -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in dag_files(manifest[0])}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


@pytest.mark.parametrize("dag_id", TASKS)
def test_a_dag_says_what_it_does_and_what_to_do_when_it_fails(parsed: dict[str, Any], dag_id: str) -> None:
    doc = parsed["dags"][dag_id]["doc"].strip()
    assert doc.startswith("### ")
    assert [section for section in SECTIONS if section not in doc] == []


@pytest.mark.parametrize("dag_id", TASKS)
def test_tasks_are_called_what_their_docs_call_them(parsed: dict[str, Any], dag_id: str) -> None:
    tasks = parsed["dags"][dag_id]["tasks"]
    assert {name for name in tasks if not name.startswith("dbt.")} == TASKS[dag_id]
    doc = parsed["dags"][dag_id]["doc"]
    quoted = set(doc.replace("\n", " ").split("`")[1::2])
    short = {name.rpartition(".")[2] for name in tasks}
    verbs = {name for name in quoted if name.replace("_", "").isalpha() and name in short}
    assert verbs, "the doc names no task of its DAG"


def test_whatever_may_write_the_warehouse_takes_its_one_slot(parsed: dict[str, Any]) -> None:
    tasks = parsed["dags"]["build_features"]["tasks"]
    writers = {name for name in tasks if name.startswith("dbt.") and not name.endswith("_done")}
    assert len(writers) > 20
    assert parsed["dags"]["ingest_events"]["tasks"]["land"]["pool"] == WAREHOUSE_POOL  # dbt reads raw
    assert {task["pool"] for task in parsed["dags"]["keep_lake"]["tasks"].values()} == {WAREHOUSE_POOL}
    assert {name for name in {*writers, "publish_features"} if tasks[name]["pool"] != WAREHOUSE_POOL} == set()


def test_every_model_is_a_task(parsed: dict[str, Any], manifest: tuple[Settings, Path]) -> None:
    nodes = json.loads(manifest[1].read_text())["nodes"].values()
    models = {node["name"] for node in nodes if node["resource_type"] == "model"}
    assert len(models) > 10
    runs = {name.removeprefix("dbt.") for name in parsed["dags"]["build_features"]["tasks"]}
    assert {model for model in models if not {f"{model}.run", f"{model}_run"} & runs} == set()


def test_the_producer_may_be_tried_again(parsed: dict[str, Any]) -> None:
    assert parsed["dags"]["build_features"]["tasks"]["dbt.dbt_producer_watcher"]["retries"] >= 1


def test_one_run_at_a_time_and_none_of_the_past(parsed: dict[str, Any]) -> None:
    for dag in parsed["dags"].values():
        assert (dag["max_active_runs"], dag["catchup"]) == (1, False)


def test_a_run_by_hand_can_name_its_partition(parsed: dict[str, Any]) -> None:
    consumers = set(TASKS) - {"ingest_events", "keep_lake"}
    assert {name for name in consumers if "partition" not in parsed["dags"][name]["params"]} == set()


def test_a_run_by_hand_can_ask_for_a_search_and_for_a_warm_start(parsed: dict[str, Any]) -> None:
    wishes = [each.name for each in fields(TrainingWishes)]
    assert parsed["dags"]["train_ranker"]["params"] == sorted(["partition", *wishes])


def test_a_parse_imports_nothing_heavy(parsed: dict[str, Any]) -> None:
    assert set(HEAVY) & set(parsed["modules"]) == set()
