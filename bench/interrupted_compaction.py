"""Compactions that are killed at a chosen step, held against one that nothing disturbs."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.interrupted_ingest import AT, land, read_state
from letterpress.clock import ManualClock
from letterpress.lake.compaction import compact
from letterpress.lake.ingest import ingest
from letterpress.lake.ledger_balance import check_balance
from letterpress.lake.verify import verify_lake
from letterpress.settings import Home

AFTER_DAYS = 1

_CHILD = """
import os, signal, sys
from pathlib import Path
from letterpress.lake.compaction import compact
from letterpress.settings import Home
left = int(sys.argv[2])
steps = 0
def watch(event, arguments):
    global steps
    if event in ("os.rename", "os.remove", "os.rmdir", "sqlite3.connect") or (
        event == "open" and arguments[1] not in (None, "r", "rb")
    ):
        steps += 1
        if steps == left:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
compact(Home(root=Path(sys.argv[1]), keys_folder=Path(sys.argv[3])), int(sys.argv[4]))
print(steps)
"""


@dataclass(frozen=True)
class CalmCompaction:
    """A lake of hour files, and what an undisturbed compaction leaves of it after so many steps."""

    home: Home
    state: dict[str, str]
    steps: int


def observe_compaction(folder: Path, logs: Sequence[Path]) -> CalmCompaction:
    """Ingest `logs` below `folder`, and compact a copy of that lake undisturbed."""
    home = land(folder / "hours", logs)
    ingest(home, ManualClock(AT), threads=2)
    calm = copy_home(home, folder / "days")
    done = _run_child(calm, step=0)
    return CalmCompaction(home, _checked_state(calm), int(done.stdout))


def kill_compaction(calm: CalmCompaction, root: Path, step: int) -> dict[str, str]:
    """What is left after a compaction that SIGKILL hit before its step `step` (from 1), and a rerun.

    A step is a file opened to be written, renamed or deleted, or a transaction begun.
    """
    home = copy_home(calm.home, root)
    code = _run_child(home, step).returncode
    compact(home, AFTER_DAYS)
    state = _checked_state(home)
    return state if code == -signal.SIGKILL else {**state, "exit code": str(code)}


def steps_to_kill(calm: CalmCompaction, rounds: int) -> list[int]:
    """`rounds` steps, evenly from the first to the last."""
    return [1 + round(number * (calm.steps - 1) / (rounds - 1)) for number in range(rounds)]


def copy_home(home: Home, root: Path) -> Home:
    """The same lake in another place, with the same keys."""
    shutil.copytree(home.root, root)
    return Home(root=root, keys_folder=home.keys_folder)


def _run_child(home: Home, step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _CHILD, str(home.root), str(step), str(home.keys), str(AFTER_DAYS)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)


def _checked_state(home: Home) -> dict[str, str]:
    """The state of a home whose ledger adds up, with what `lake --verify` finds, which is nothing."""
    check_balance(home)
    return {**read_state(home), "differences": repr(verify_lake(home).differences)}
