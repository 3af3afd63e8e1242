"""`kill`: what an ingest or a compaction leaves that is killed, finds the disk full or runs twice."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from bench.interrupted_compaction import kill_compaction, observe_compaction, steps_to_kill
from bench.interrupted_ingest import (
    Calm,
    fill_disk,
    kill_moments,
    kill_once,
    landed_kilobytes,
    observe_calm,
    run_two_at_once,
)
from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock

ROUNDS, SEED = 100, 11
TWICE = 10
DISKS = (1.3, 1.6, 2.0, 2.5, 3.0)
"""Sizes of the disk, in what the logs alone need."""


def run(path: Path) -> None:
    """Measure and write `path`."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as name:
        folder = Path(name)
        calm = observe_calm(folder, days=4, slates=400)
        figures = [*_figures(calm, folder), *_compaction_figures(calm, folder / "compaction")]
    figures.append(figure("all of it", time.perf_counter() - began, "s"))
    write_result(
        path,
        figures,
        at=SystemClock().now(),
        command="make bench NAME=kill",
        note="Compared after a rerun: raw, the index of known events and what is left in landing byte by "
        "byte, decrypted quarantine line by line, and the ledger table by table. Every fifth killed ingest "
        "has processes that decode.",
    )


def _figures(calm: Calm, folder: Path) -> list[Figure]:
    killed = []
    for number, moment in enumerate(kill_moments(calm, ROUNDS, SEED)):
        root = folder / f"killed-{number}"
        killed.append(kill_once(calm, root, moment, parallel=number % 5 == 0) != calm.state)
        shutil.rmtree(root)
    twice = [run_two_at_once(calm, folder / f"twice-{number}") != calm.state for number in range(TWICE)]
    need = landed_kilobytes(calm)
    filled = [fill_disk(calm, folder / f"disk-{size}", int(size * need)) for size in DISKS]
    full = [state != calm.state for state in filled if state is not None]
    return [
        figure("killed ingests", len(killed), "rounds", "= 100"),
        figure("of them left something else", sum(killed), "rounds", "= 0"),
        figure("two ingests at once", len(twice), "rounds"),
        figure("of them left something else", sum(twice), "rounds", "= 0"),
        figure("ingests that found the disk full (0 where mounting is forbidden)", len(full), "rounds"),
        figure("of them left something else", sum(full), "rounds", "= 0"),
    ]


def _compaction_figures(calm: Calm, folder: Path) -> list[Figure]:
    """Killed at steps from the first to the last."""
    undisturbed = observe_compaction(folder, calm.logs)
    killed = []
    for step in steps_to_kill(undisturbed, ROUNDS):
        root = folder / "killed"
        killed.append(kill_compaction(undisturbed, root, step) != undisturbed.state)
        shutil.rmtree(root)
    return [
        figure(
            "steps of a compaction (files opened, renamed or deleted, transactions)", undisturbed.steps, ""
        ),
        figure("compactions killed, evenly over its steps", len(killed), "rounds", "= 100"),
        figure("of them left something else", sum(killed), "rounds", "= 0"),
    ]
