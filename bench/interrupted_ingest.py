"""Ingests that are killed, run out of disk or run twice at once, held against one that nothing disturbed."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from letterpress.clock import ManualClock
from letterpress.lake.identity_store import identity_folder
from letterpress.lake.ingest import ingest
from letterpress.lake.ledger import open_ledger
from letterpress.lake.ledger_balance import check_balance
from letterpress.lake.quarantine import raw_of, read_quarantine
from letterpress.lake.raw_store import iter_partitions
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.settings import Home
from letterpress.simulation.simulate import Plan, simulate

AT = datetime(2026, 2, 1, tzinfo=UTC)
START = datetime(2026, 1, 5, tzinfo=UTC)
STORAGE_ERROR = 3
KEYS = "keys"
_TABLES = ("files", "reasons", "hours", "identity_runs", "tenants", "adjustments", "moves", "deletions")

_CHILD = """
import sys
from datetime import datetime
from pathlib import Path
from letterpress.clock import ManualClock
from letterpress.errors import StorageError
from letterpress.lake import ingest
from letterpress.settings import Home
ingest.BATCH_FILES, ingest.PARALLEL_BYTES = 1, int(sys.argv[3])
print("ready", flush=True)
try:
    home = Home(root=Path(sys.argv[1]), keys_folder=Path(sys.argv[4]))
    ingest.ingest(home, ManualClock(datetime.fromisoformat(sys.argv[2])), threads=2)
except StorageError:
    sys.exit(3)
"""


@dataclass(frozen=True)
class Calm:
    """What an undisturbed ingest of `logs` leaves, and how long it took."""

    logs: tuple[Path, ...]
    state: dict[str, str]
    seconds: float


def observe_calm(folder: Path, *, days: int = 3, slates: int = 300) -> Calm:
    """Simulate damaged logs below `folder` and ingest them undisturbed."""
    logs = tuple(simulate(Plan(days, slates, 5, "corrupt", START), folder / "logs").files)
    home = land(folder / "calm", logs)
    with start_ingest(home) as child:
        wait_until_ready(child)
        began = time.perf_counter()
        child.wait()
        seconds = time.perf_counter() - began
    check_balance(home)
    return Calm(logs, read_state(home), seconds)


def land(root: Path, logs: Sequence[Path]) -> Home:
    """A new home with `logs` in landing, and the keys of all homes beside the logs."""
    home = Home(root=root, keys_folder=logs[0].parent / KEYS)
    home.landing.mkdir(parents=True)
    for path in logs:
        shutil.copy(path, home.landing)
    return home


def start_ingest(home: Home, *, parallel: bool = False) -> subprocess.Popen[str]:
    """An ingest in a process of its own, one commit a file; in `parallel` with worker processes."""
    least = "0" if parallel else str(1 << 60)
    command = [sys.executable, "-c", _CHILD, str(home.root), AT.isoformat(), least, str(home.keys)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def wait_until_ready(child: subprocess.Popen[str]) -> None:
    """Until its imports are done and it begins."""
    if child.stdout is not None:
        child.stdout.readline()


def kill_once(calm: Calm, root: Path, moment: float, *, parallel: bool = False) -> dict[str, str]:
    """What is left after an ingest that SIGKILL hit after `moment` seconds, and a rerun."""
    home = land(root, calm.logs)
    with start_ingest(home, parallel=parallel) as child:
        wait_until_ready(child)
        time.sleep(moment)
        child.send_signal(signal.SIGKILL)
    return rerun(home)


def kill_moments(calm: Calm, rounds: int, seed: int) -> list[float]:
    """Moments from the beginning of an ingest to a little after its end."""
    moments = random.Random(seed)
    return [moments.uniform(0.0, 1.05 * calm.seconds) for _ in range(rounds)]


def run_two_at_once(calm: Calm, root: Path) -> dict[str, str]:
    """What is left when two ingests of one home were started together."""
    home = land(root, calm.logs)
    with start_ingest(home) as one, start_ingest(home) as other:
        codes = (one.wait(), other.wait())
    state = read_state(home)
    return state if codes == (0, 0) else {**state, "exit codes": str(codes)}


def fill_disk(calm: Calm, mount: Path, kilobytes: int) -> dict[str, str] | None:
    """What is left when the disk was full at `kilobytes` and made larger; None where mounting is forbidden.

    The exit code of an ingest that met no full disk is among it, so that it differs from the calm one.
    """
    mount.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(mount)]
    if subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        return None
    try:
        home = land(mount / "home", calm.logs)
        with start_ingest(home) as child:
            code = child.wait()
        subprocess.run(["mount", "-o", "remount,size=1g", str(mount)], check=True)
        state = rerun(home)
        return state if code == STORAGE_ERROR else {**state, "exit code": str(code)}
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def landed_kilobytes(calm: Calm) -> int:
    """What the logs alone need on a disk."""
    return sum(path.stat().st_size for path in calm.logs) // 1024 + 1


def rerun(home: Home) -> dict[str, str]:
    """Ingest what is left, hold that the ledger adds up; returns the state."""
    from letterpress.lake import ingest as module

    before = module.BATCH_FILES
    module.BATCH_FILES = 1
    try:
        ingest(home, ManualClock(AT), threads=2)
    finally:
        module.BATCH_FILES = before
    check_balance(home)
    return read_state(home)


def read_state(home: Home) -> dict[str, str]:
    """Checksums of raw, index and landing by place, quarantine line by line, and the ledger table by table.

    Quarantine is encrypted with a new nonce each time, so it is compared in plain text.
    """
    files = [
        *iter_partitions(home.raw),
        *identity_folder(home).glob("*"),
        *(path for path in home.landing.rglob("*") if path.is_file()),
    ]
    state = {
        str(path.relative_to(home.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }
    keys = TenantKeys(home.keys)
    for line in read_quarantine(home):
        plain = (line.code, line.reason, line.field, raw_of(line, keys))
        state[f"quarantine {line.file}:{line.line}"] = repr(plain)
    with open_ledger(home) as ledger:
        for table in _TABLES:
            state[table] = repr(sorted(ledger.execute(f"select * from {table}").fetchall()))
    return state
