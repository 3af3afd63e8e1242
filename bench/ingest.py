"""`ingest`: JSONL.gz to raw against a bare DuckDB conversion of the same files, 1 to 20M events."""

from __future__ import annotations

import gzip
import math
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock
from letterpress.errors import BrokenError
from letterpress.lake.ledger import total_counts
from letterpress.lake.ledger_balance import check_balance
from letterpress.settings import Home
from letterpress.simulation.simulate import Plan, simulate

MILLION = 1_000_000
SIZES = (1, 5, 20)
DAYS, SLATES, SEED = 14, 25_000, 7
START = datetime(2026, 1, 5, tzinfo=UTC)
MOST_RATIO, LEAST_RATE, MOST_MEGABYTES, MOST_EXPONENT, MOST_IDLE_SECONDS = 2.5, 100_000, 2048, 1.1, 2
_LOOK_SECONDS = 0.1
_ID = re.compile(rb'"(event_id|slate_id)":"')

_INGEST = """
import sys
from pathlib import Path
from letterpress.clock import SystemClock
from letterpress.lake.ingest import ingest
from letterpress.settings import Home
ingest(Home(root=Path(sys.argv[1])), SystemClock(), threads=2)
"""
_BARE = """
import sys
import duckdb
connection = duckdb.connect()
connection.execute("set threads = 2")
connection.execute("set preserve_insertion_order = false")
connection.execute(
    f"copy (select * from read_json('{sys.argv[1]}/*.jsonl.gz', format = 'newline_delimited')) "
    f"to '{sys.argv[2]}' (format parquet)"
)
"""


@dataclass(frozen=True)
class Run:
    """What one program took, its children included."""

    seconds: float
    megabytes: float


def run(path: Path) -> None:
    """Measure and write `path`."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as name:
        figures = _measure(Path(name))
    write_result(
        path,
        figures,
        at=SystemClock().now(),
        command="make bench NAME=ingest",
        note="Simulated events of fourteen days; larger logs are copies of them with ids of their own. The "
        "time holds the start of all processes, decoding, the index of known events, ledger and fsync. "
        "DuckDB reads the same files with two threads, keeps no order and looks for no copy.",
    )


def _measure(folder: Path) -> list[Figure]:
    base = simulate(Plan(DAYS, SLATES, SEED, "steady", START), folder / "base")
    runs: dict[int, tuple[int, Run]] = {}
    figures: list[Figure] = []
    for size in SIZES:
        home = Home(root=folder / f"home-{size}")
        multiply(base.files, base.n_events, size * MILLION, home.landing)
        if size == SIZES[1]:
            figures += _compare_with_bare(home, folder)
        ran = watch([sys.executable, "-c", _INGEST, str(home.root)])
        n_events = total_counts(home)["raw"]
        check_balance(home)
        runs[size] = (n_events, ran)
        if size != SIZES[-1]:
            shutil.rmtree(home.root)
    return [*_size_figures(runs), *_ratio(figures, runs), *_again_figures(home, base.files)]


def _compare_with_bare(home: Home, folder: Path) -> list[Figure]:
    out = folder / "bare.parquet"
    bare = watch([sys.executable, "-c", _BARE, str(home.landing), str(out)])
    out.unlink()
    return [figure("bare DuckDB read_json to Parquet, 5M events", bare.seconds, "s")]


def _ratio(bare: list[Figure], runs: dict[int, tuple[int, Run]]) -> list[Figure]:
    ratio = runs[SIZES[1]][1].seconds / bare[0].value
    return [*bare, figure("ingest in times of bare DuckDB, 5M events", ratio, "times", f"< {MOST_RATIO}")]


def _size_figures(runs: dict[int, tuple[int, Run]]) -> list[Figure]:
    found = []
    for size, (n_events, ran) in runs.items():
        found.append(figure(f"{size}M events", n_events / ran.seconds, "events/s", f">= {LEAST_RATE}"))
        found.append(figure(f"{size}M events, peak memory", ran.megabytes, "MB", f"< {MOST_MEGABYTES}"))
    (few, short), (many, long) = runs[SIZES[0]], runs[SIZES[-1]]
    exponent = math.log(long.seconds / short.seconds) / math.log(many / few)
    found.append(figure("exponent of the time from 1M to 20M", exponent, "", f"< {MOST_EXPONENT}"))
    return found


def _again_figures(home: Home, files: list[Path]) -> list[Figure]:
    """The home that holds the most events: nothing waits, and a log waits whose bytes are known."""
    command = [sys.executable, "-c", _INGEST, str(home.root)]
    idle = watch(command)
    multiply(files[:1], 1, 1, home.landing)
    known = watch(command)
    goal = f"< {MOST_IDLE_SECONDS}"
    return [
        figure("again with nothing new, 20M events known", idle.seconds, "s", goal),
        figure("again with a day's log that is known", known.seconds, "s", goal),
    ]


def multiply(files: list[Path], n_events: int, wanted: int, folder: Path) -> None:
    """Write copies of the logs `files` of `n_events` until there are `wanted`, each with ids of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for copy in range(max(1, math.ceil(wanted / n_events))):
        for path in files:
            lines = gzip.decompress(path.read_bytes())
            renamed = _ID.sub(rb'"\1":"%d-' % copy, lines)
            with gzip.GzipFile(folder / f"{path.name[:-9]}-{copy:03d}.jsonl.gz", "wb", 1, mtime=0) as out:
                out.write(renamed)


def watch(command: list[str]) -> Run:
    """Run `command` to its end; the peak is that of the resident memory of all its processes together."""
    began = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        peak = 0.0
        ended = threading.Event()
        while not ended.wait(_LOOK_SECONDS):
            peak = max(peak, sum(_resident_megabytes(pid) for pid in _tree(process.pid)))
            if process.poll() is not None:
                ended.set()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise BrokenError(f"expected {command[2][:20].strip()}... to end well, found {process.returncode}.")
    return Run(seconds, peak)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        yield from _tree(int(child))


def _resident_megabytes(pid: int) -> float:
    """Resident memory; what processes share is counted in each of them."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0
