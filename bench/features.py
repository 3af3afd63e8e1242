"""`features`: what a full build of the marts costs beside a hand-written script, and a day on top of 90 days.

Each size is measured in a process of its own, whose only children are the builds, and is kept until the next
commit: an interrupted run goes on with the size that it lacks.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np

from bench.commit import DONE, current_commit
from bench.report import Figure, figure, write_result
from bench.synthetic_log import START, write_log
from letterpress.clock import SystemClock
from letterpress.errors import BrokenError
from letterpress.lake.partitions import HourRange
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.build_features import run_dbt
from letterpress.settings import Settings, read_settings

SIZES = {1_000_000: True, 3_000_000: False, 10_000_000: True, 30_000_000: False}
"""Slate items, and whether the script and the day are measured too."""
GOALS_AT = 10_000_000
DAYS = 91
SLOWEST = 5


class Cost(msgspec.Struct, frozen=True):
    """Seconds by the clock and of processor."""

    wall: float
    cpu: float


class Measured(msgspec.Struct, frozen=True):
    """Costs of one size, and gigabytes that its full build held at most."""

    slate_items: int
    full: Cost
    peak: float
    day: Cost | None = None
    plain: Cost | None = None


def timed(work: Callable[[], object]) -> Cost:
    """What `work` costs, counting the processes that it starts and waits for."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def build(settings: Settings, what: str, changed: HourRange | None = None) -> Cost:
    """What a whole `dbt run` costs; its slowest models are printed."""
    results: list[dict[str, Any]] = []
    cost = timed(lambda: results.extend(run_dbt(settings, ["run"], changed)))
    slowest = sorted(results, key=lambda each: -each["execution_time"])[:SLOWEST]
    models = ", ".join(
        f"{each['unique_id'].rpartition('.')[2]} {each['execution_time']:.1f}" for each in slowest
    )
    print(f"{what}: {cost.wall:.1f} s, {cost.cpu:.1f} s of processor; slowest: {models}", flush=True)
    return cost


def run_script(settings: Settings, database: Path) -> Cost:
    """What the hand-written script costs, in a process and a database of its own."""
    arguments = [settings.paths.raw, database, settings.threads, settings.build_memory]
    command = [sys.executable, "-m", "bench.peers.features", *map(str, arguments)]
    cost = timed(lambda: subprocess.run(command, check=True, cwd=Path(__file__).parent.parent))
    print(f"script: {cost.wall:.1f} s, {cost.cpu:.1f} s of processor", flush=True)
    return cost


def contents(path: Path, tables: list[str]) -> dict[str, tuple[int, int]]:
    """Rows, and a digest that no order of them changes, of every table."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        found = {}
        for table in tables:
            names = sorted(row[0] for row in connection.execute(f"describe {table}").fetchall())
            digest = f"select count(*), coalesce(bit_xor(hash({', '.join(names)})), 0) from {table}"
            (row,) = connection.execute(digest).fetchall()
            found[table] = (int(row[0]), int(row[1]))
    return found


def marts(settings: Settings) -> list[str]:
    with connect_warehouse(settings.paths, read_only=True, threads=settings.threads) as connection:
        rows = connection.execute(
            "select table_name from duckdb_tables() where regexp_matches(table_name, '^(fct|dim|ftr|train)')"
        ).fetchall()
    return sorted(row[0] for row in rows)


def require_same(left: dict[str, tuple[int, int]], right: dict[str, tuple[int, int]]) -> None:
    """Raises BrokenError when the script made other rows than 90 days and one more did."""
    differ = sorted(name for name in left if left[name] != right[name])
    if differ:
        raise BrokenError(
            f"expected the script to make the rows of {DAYS - 1} days and one more, found others in "
            f"{differ}. Mend bench/peers/features.sql or the model, and run `make bench NAME=features` again."
        )


def measure_size(slate_items: int, is_compared: bool) -> Measured:
    """A full build of 90 days; then the day after, and a script of all days that must make the same rows."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
        settings = read_settings(home=Path(folder) / "home")
        write_log(settings.paths.raw, slate_items=slate_items, days=DAYS)
        last = START + timedelta(days=DAYS - 1)
        raw_day = next(settings.paths.raw.glob(f"recommender=[!_]*/hour={last:%Y-%m-%d}"))
        aside = settings.paths.root / "aside"
        os.replace(raw_day, aside)  # noqa: PTH105
        size = f"{slate_items / 1e6:g}M"
        full = build(settings, f"{size}, full build")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        if not is_compared:
            return Measured(slate_items, full, peak)
        os.replace(aside, raw_day)  # noqa: PTH105
        day = build(settings, f"{size}, a day more", HourRange(last, last + timedelta(days=1)))
        tables = marts(settings)
        incremented = contents(settings.paths.warehouse, tables)
        plain = run_script(settings, Path(folder) / "script.duckdb")
        require_same(incremented, contents(Path(folder) / "script.duckdb", tables))
        return Measured(slate_items, full, peak, day, plain)


def measure_once(slate_items: int, is_compared: bool) -> Measured:
    """What was measured of this size on this commit, or what is measured now in a new process."""
    commit = current_commit()
    kept = DONE / "features" / commit / f"{slate_items}.json"
    if commit and kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=Measured)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        found = process.submit(measure_size, slate_items, is_compared).result()
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(msgspec.json.encode(found))
    return found


def exponent(measured: list[Measured]) -> float:
    """The slope of the logarithm of seconds over that of sizes."""
    sizes = np.log([each.slate_items for each in measured])
    return float(np.polyfit(sizes, np.log([each.full.wall for each in measured]), 1)[0])


def figures_of(found: Measured) -> list[Figure]:
    """Figures of one size. The script reads a day more than the full build, for which it is forgiven."""
    size = f"{found.slate_items / 1e6:g}M slate items"
    has_goals = found.slate_items == GOALS_AT
    figures = [
        figure(f"{size}: full build of 90 days", found.full.wall, "s"),
        figure(f"{size}: full build of 90 days, processor", found.full.cpu, "s"),
    ]
    if found.plain is not None:
        plain = found.plain.wall * (DAYS - 1) / DAYS
        goal = "< 1.5" if has_goals else None
        figures.append(
            figure(f"{size}: full build / hand-written script", found.full.wall / plain, "ratio", goal)
        )
    if found.day is not None:
        share, goal = found.day.wall / found.full.wall, "< 0.1" if has_goals else None
        figures += [
            figure(f"{size}: a day on top of 90", found.day.wall, "s"),
            figure(f"{size}: a day on top of 90, processor", found.day.cpu, "s"),
            figure(f"{size}: a day on top of 90 / full build", share, "ratio", goal),
        ]
    return figures


def all_figures(measured: list[Measured]) -> list[Figure]:
    """Figures of the sizes that were measured so far."""
    figures = [each for found in measured for each in figures_of(found)]
    if len(measured) > 1:
        figures.append(figure("exponent of the full build", exponent(measured), "1", "< 1.1"))
    largest = measured[-1]
    goal = "< 6" if largest.slate_items == max(SIZES) else None
    name = f"{largest.slate_items / 1e6:g}M slate items: peak memory of the full build"
    return [*figures, figure(name, largest.peak, "GB", goal)]


def run(result: Path) -> None:
    note = (
        "Slates of eight items over 91 days, a choice and six outcomes each, in files of a day. A build is a "
        "whole `dbt run` with its start; the script is `bench/peers/features.sql`, without dbt, contracts or "
        "increments. It makes all days at once, and its rows equal those of 90 days and one more; its time "
        "is taken times 90/91. Peak memory is that of the process that builds."
    )
    measured: list[Measured] = []
    for slate_items, is_compared in SIZES.items():
        measured.append(measure_once(slate_items, is_compared))
        figures, now = all_figures(measured), SystemClock().now()
        write_result(result, figures, at=now, command="make bench NAME=features", note=note)
