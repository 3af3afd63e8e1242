"""The simulated world against the rest: the same bytes in any process, a truth that nobody else reads."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from letterpress.clock import ManualClock
from letterpress.lake.ingest import ingest
from letterpress.lake.landing import list_landing
from letterpress.orchestration.import_logs import import_logs
from letterpress.settings import Home, Settings
from letterpress.simulation.simulate import Plan, simulate
from letterpress.simulation.truth import TRUTH

START = datetime(2026, 1, 5, tzinfo=UTC)
PROJECT = Path(__file__).parents[2]
PLAN = Plan(2, 150, 3, "steady", START)
DECOY = (
    b'{"type":"outcome","event_id":"decoy","tenant":"fern","recommender":"image_enhancement",'
    b'"occurred_at":"2026-01-05T10:00:00Z","slate_id":"s","item_id":"i","kind":"clicked"}\n'
)


def digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def test_two_processes_write_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    options = ["--days", "2", "--slates", "150", "--seed", "3", "--scenario", "bots"]
    digests = []
    for hash_seed in ("1", "2"):
        out = tmp_path / hash_seed
        subprocess.run(
            [sys.executable, "-m", "letterpress.cli", "simulate", *options, "--out", str(out)],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": hash_seed},
        )
        digests.append(digest_of(out))
    assert digests[0] == digests[1]


def test_the_bytes_do_not_depend_on_how_many_processes_share_the_work(tmp_path: Path) -> None:
    alone = simulate(PLAN, tmp_path / "alone", processes=1)
    shared = simulate(PLAN, tmp_path / "shared", processes=2)
    assert digest_of(tmp_path / "alone") == digest_of(tmp_path / "shared")
    assert alone.planted() == shared.planted()


def test_the_pipeline_leaves_a_truth_alone_that_lies_in_landing(home: Home, clock: ManualClock) -> None:
    summary = simulate(PLAN, home.landing)
    (home.landing / TRUTH / "decoy.jsonl").write_bytes(DECOY)
    before = digest_of(home.landing / TRUTH)
    assert set(list_landing(home)) == set(summary.files)
    assert ingest(home, clock, threads=1).total("raw") == summary.n_events
    assert digest_of(home.landing / TRUTH) == before


def test_importing_a_folder_takes_its_log_and_not_its_truth(tmp_path: Path, clock: ManualClock) -> None:
    summary = simulate(PLAN, tmp_path / "log")
    (tmp_path / "log" / TRUTH / "decoy.jsonl").write_bytes(DECOY)
    settings = Settings(home=tmp_path / "home")
    result = import_logs(settings, "letterpress", [str(tmp_path / "log")], clock=clock)
    assert result["raw"] == summary.n_events
    assert {file["path"] for file in result["files"]} == {str(path) for path in summary.files}


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("features/picture_view.py", "from letterpress.simulation.truth import Truth"),
        ("orchestration/demo.py", "import letterpress.simulation.truth"),
    ],
)
def test_an_import_of_the_truth_breaks_the_contract(tmp_path: Path, room: str, line: str) -> None:
    shutil.copytree(PROJECT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    module = tmp_path / "src" / "letterpress" / room
    module.write_text(f"{module.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    found = subprocess.run(
        [
            shutil.which("lint-imports") or "lint-imports",
            "--config",
            str(PROJECT / "pyproject.toml"),
            "--no-cache",
        ],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
    )
    assert found.returncode == 1
    assert "only simulation reads the truth behind a simulated log BROKEN" in found.stdout
