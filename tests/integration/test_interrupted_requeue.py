"""Taking lines back from quarantine, hit by SIGKILL: the next run leaves what an undisturbed one leaves."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench.interrupted_ingest import AT, read_state

from letterpress.clock import ManualClock
from letterpress.events import codec
from letterpress.lake.ingest import ingest
from letterpress.lake.landing import land_lines
from letterpress.lake.ledger_balance import check_balance
from letterpress.lake.put_aside import quarantined_lines
from letterpress.orchestration.requeue_quarantine import requeue_quarantine
from letterpress.settings import Home, Settings

LINES = 3000
ROUNDS = 6
_COMPARED = ("raw/", "landing/", "quarantine ", "hours", "tenants", "moves", "deletions")
"""A killed run may leave more files and duplicates in the ledger, whose sums `check_balance` holds."""
_CHILD = """
import sys
from datetime import datetime
from letterpress.clock import ManualClock
from letterpress.orchestration.requeue_quarantine import requeue_quarantine
from letterpress.settings import Settings
print("ready", flush=True)
clock = ManualClock(datetime.fromisoformat(sys.argv[3]))
requeue_quarantine(Settings(home=sys.argv[1], keys=sys.argv[2]), clock=clock)
"""


def line(number: int) -> bytes:
    return (
        b'{"type":"outcome","event_id":"e%d","tenant":"acme","recommender":"subject_line",'
        b'"occurred_at":"2026-01-05T%02d:00:00Z","slate_id":"s","item_id":"i","kind":"clicked"}'
        % (number, number % 24)
    )


@pytest.fixture(scope="module")
def quarantined(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home all of whose lines but every tenth were put aside by a reader with a fault."""
    folder = tmp_path_factory.mktemp("quarantined")
    home = Home(root=folder / "home", keys_folder=folder / "keys")
    land_lines(home, "log", [b"{broken" if number % 10 == 0 else line(number) for number in range(LINES)])
    with pytest.MonkeyPatch.context() as fault:
        fault.setattr(codec, "LATEST", codec.EARLIEST)
        ingest(home, ManualClock(AT), threads=1)
    return home


@pytest.fixture(scope="module")
def calm(quarantined: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    """What an undisturbed run leaves, and how long it took."""
    home = copy_of(quarantined, tmp_path_factory.mktemp("calm") / "home")
    with start(home) as child:
        began = time.perf_counter()
        assert child.wait() == 0
        seconds = time.perf_counter() - began
    return state(home), seconds


def copy_of(home: Home, root: Path) -> Home:
    shutil.copytree(home.root, root)
    return Home(root=root, keys_folder=home.keys_folder)


def start(home: Home) -> subprocess.Popen[str]:
    """A requeue in a process of its own, past its imports."""
    command = [sys.executable, "-c", _CHILD, str(home.root), str(home.keys), AT.isoformat()]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def state(home: Home) -> dict[str, str]:
    check_balance(home)
    return {name: value for name, value in read_state(home).items() if name.startswith(_COMPARED)}


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_any_moment_the_next_run_leaves_the_same(
    quarantined: Home, calm: tuple[dict[str, str], float], tmp_path: Path, number: int
) -> None:
    undisturbed, seconds = calm
    home = copy_of(quarantined, tmp_path / "home")
    moments = random.Random(11)
    moment = [moments.uniform(0.0, seconds) for _ in range(ROUNDS)][number]
    with start(home) as child:
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
    requeue_quarantine(Settings(home=home.root, keys=home.keys_folder), clock=ManualClock(AT))
    assert state(home) == undisturbed
    assert sum(each.lines for each in quarantined_lines(home)) == LINES // 10
    assert sum(each.requeued for each in quarantined_lines(home)) == LINES - LINES // 10
