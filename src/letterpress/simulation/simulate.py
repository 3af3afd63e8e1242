"""Writes a simulated log, a file a day, and the truth beside it."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from letterpress.simulation.campaigns import DAY
from letterpress.simulation.day_log import chunks_of_day, make_chunk
from letterpress.simulation.event_lines import Lines
from letterpress.simulation.faults import CLOCK_SKEW, LATE_HOURS, NOWHERE, deliver
from letterpress.simulation.out_folder import claim_folder
from letterpress.simulation.plan import Plan
from letterpress.simulation.scenarios import DRIFTING, SCENARIOS, count_new_pictures
from letterpress.simulation.spool import spool_lines, spooled_files, write_spooled
from letterpress.simulation.truth import EXPERIMENTS, SLATES, TRUTH, write_truth
from letterpress.simulation.world import World, build_world, make_world, measure_numbered

__all__ = ["LATE_HOURS", "SCENARIOS", "Plan", "Summary", "simulate"]

PARALLEL_SLATES = 6_000
"""Below that the start of processes costs more than they save."""
_MOST_WAITING = 3
"""Chunks a process that are under way; more would only fill memory."""


@dataclass
class Summary:
    """What was written. Of every file `read = events + duplicates + damaged`, summed over the labels."""

    files: list[Path] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)
    """Good lines by event type, each event once."""
    damaged: Counter[str] = field(default_factory=Counter)
    """Damaged lines by the reason code that quarantine must give them."""
    duplicates: Counter[str] = field(default_factory=Counter)
    """Second deliveries of an event, by where the copy lies."""
    lost: Counter[str] = field(default_factory=Counter)
    """Lines that happened and were not written, by event type."""

    @property
    def n_events(self) -> int:
        return sum(self.events.values())

    def planted(self) -> dict[str, dict[str, int]]:
        """Counts by what happened to the lines."""
        names = ("events", "damaged", "duplicates", "lost")
        return {name: dict(sorted(getattr(self, name).items())) for name in names}


def simulate(plan: Plan, out: Path, *, processes: int | None = None) -> Summary:
    """Write `events-<day>.jsonl.gz` into `out`, and the truth into `out/truth`. Equal plans, equal bytes.

    The bytes do not depend on how many processes share the work; `None` chooses two for all but small
    plans. Events that would arrive after the last day are not written: they have not happened yet.

    Raises:
        UsageError: `out` is a file, or holds other logs than this plan's.
    """
    if processes is None:
        processes = 2 if plan.slates >= PARALLEL_SLATES else 1
    claim_folder(plan, out)
    for table in (SLATES, EXPERIMENTS):
        shutil.rmtree(out / TRUTH / table, ignore_errors=True)
    with _spool_folder(out) as spool, _pool(processes) as pool:
        world = _build(plan, pool)
        summary = _write_log(world, plan, out, spool, pool, processes)
    write_truth(world, plan, out / TRUTH, _facts(plan, summary))
    return summary


def _write_log(
    world: World, plan: Plan, out: Path, spool: Path, pool: Executor | None, processes: int
) -> Summary:
    """Make all chunks in their order, and write each day as soon as all that may arrive on it is there.

    Nothing arrives before it happens: a day is complete with its own last chunk. Chunks of later days are
    made meanwhile, so that no process waits for another.
    """
    summary = Summary()
    made: deque[tuple[int, bool, Future[Counts]]] = deque()
    written: list[Future[list[Path]]] = []

    def collect_until(n_left: int) -> None:
        while len(made) > n_left:
            day, is_last, counts = made.popleft()
            _add(summary, counts.result())
            if is_last:
                written.append(_run(pool, write_day, plan, day, out, spool))

    for day, n_chunks in enumerate(chunks_of_day(plan)):
        for chunk in range(n_chunks):
            counts = _run(pool, make_and_spool, world, plan, day, chunk, out, spool)
            made.append((day, chunk == n_chunks - 1, counts))
            collect_until(_MOST_WAITING * processes)
    collect_until(0)
    summary.files = [path for each in written for path in each.result()]
    return summary


Counts = dict[str, Counter[str]]
"""By field of `Summary` and label."""


def _add(summary: Summary, counts: Counts) -> None:
    for name, found in counts.items():
        getattr(summary, name).update(found)


def make_and_spool(world: World, plan: Plan, day: int, chunk: int, out: Path, spool: Path) -> Counts:
    """Make one chunk, spool its lines and write its truth; counts of what will be in the log."""
    lines, truth = make_chunk(world, plan, day, chunk)
    rng = np.random.default_rng((plan.seed, 8, day, chunk))
    counts: Counts = {}
    files: dict[str, list[Lines]] = {}
    for parcel in (parcel for each in lines for parcel in deliver(plan, each, rng)):
        arriving = parcel.lines.keep(parcel.lines.received_at < plan.end)
        if len(arriving):
            counts.setdefault(parcel.counted, Counter())[parcel.label or arriving.name] += len(arriving)
            files.setdefault(parcel.file, []).append(arriving)
    name = f"{day:04d}-{chunk:04d}"
    for file, some in files.items():
        if file != NOWHERE:
            _spool_by_day(plan, spool, file, name, some)
    for table_name, table in truth.items():
        folder = out / TRUTH / table_name
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / f"{name}.parquet")
    return counts


def _spool_by_day(plan: Plan, spool: Path, file: str, name: str, parts: list[Lines]) -> None:
    """Sort the lines by arrival, and cut them where days end."""
    texts = [text for part in parts for text in part.texts]
    received = np.concatenate([part.received_at for part in parts])
    order = np.argsort(received, kind="stable")
    received = received[order]
    texts = [texts[row] for row in order.tolist()]
    days = np.arange((received[0] - plan.begin) // DAY, (received[-1] - plan.begin) // DAY + 1)
    ends = np.searchsorted(received, plan.begin + (days + 1) * DAY)
    for day, first, end in zip(days.tolist(), [0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        if end > first:
            spool_lines(spool, file, name, day, texts[first:end], received[first:end])


def write_day(plan: Plan, day: int, out: Path, spool: Path) -> list[Path]:
    """Write the files of one day from the spool."""
    paths = []
    for file in spooled_files(spool, day):
        path = out / f"{file}-{plan.start + timedelta(days=day):%Y-%m-%d}.jsonl.{plan.packing}"
        write_spooled(spool, file, day, plan.begin + day * DAY, path)
        paths.append(path)
    return paths


def _build(plan: Plan, pool: Executor | None) -> World:
    new_pictures = count_new_pictures(plan.scenario)
    if pool is None:
        return build_world(plan.seed, plan.days, new_pictures)
    return make_world(
        plan.seed,
        plan.days,
        new_pictures,
        lambda numbers: pool.map(measure_numbered, numbers, chunksize=16),
    )


@contextmanager
def _spool_folder(out: Path) -> Iterator[Path]:
    """Beside the log, as it may be as large as two days of it; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=".spool-", dir=out) as folder:
        yield Path(folder)


@contextmanager
def _pool(processes: int) -> Iterator[Executor | None]:
    """Processes that start anew, as threads of ours would not survive a fork; None for a single one."""
    if processes <= 1:
        yield None
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def _run[**P, R](
    pool: Executor | None, function: Callable[P, R], *arguments: P.args, **named: P.kwargs
) -> Future[R]:
    if pool is not None:
        return pool.submit(function, *arguments, **named)
    done: Future[R] = Future()
    done.set_result(function(*arguments, **named))
    return done


def _facts(plan: Plan, summary: Summary) -> dict[str, Any]:
    return {
        "run": plan.run,
        "start": plan.start.isoformat(),
        "days": plan.days,
        "slates": plan.slates,
        "seed": plan.seed,
        "scenario": plan.scenario,
        "drift_at": None
        if plan.scenario not in DRIFTING
        else (plan.start + timedelta(days=plan.first_drift_day)).isoformat(),
        "clock_skew_ms": CLOCK_SKEW if plan.scenario == "clock-skew" else {},
        **summary.planted(),
    }
