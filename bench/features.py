"""`features`: what a full build of the marts costs beside plain DuckDB, and what a day on top of 90 costs."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
import msgspec
import numpy as np

from bench.report import Figure, figure, write_result
from bench.synthetic_log import START, write_log
from letterpress.clock import SystemClock
from letterpress.errors import BrokenError
from letterpress.lake.partitions import HourRange
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.build_features import run_dbt, write_manifest
from letterpress.settings import Settings, read_settings

SIZES = (1_000_000, 3_000_000, 10_000_000)
"""Slate items."""
DAYS = 91
LAST_DAY = DAYS - 1


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of one size, and gigabytes that the largest build so far held."""

    slate_items: int
    full: float
    plain: float
    increment: float
    peak: float


def build_all(settings: Settings) -> float:
    started = time.perf_counter()
    run_dbt(settings, ["run"])
    return time.perf_counter() - started


def build_day(settings: Settings, day: int) -> float:
    start = START + timedelta(days=day)
    started = time.perf_counter()
    run_dbt(settings, ["run"], HourRange(start, start + timedelta(days=1)))
    return time.perf_counter() - started


def statements(settings: Settings) -> list[tuple[str, str, bool]]:
    """Name, SQL and whether it is a view, of every model in the order of what they are made of."""
    compiled = Path(settings.paths.airflow / "dbt" / "target" / "compiled" / "letterpress")
    nodes = msgspec.json.decode(write_manifest(settings).read_bytes())["nodes"]
    models = {name: node for name, node in nodes.items() if node["resource_type"] == "model"}
    ordered: list[tuple[str, str, bool]] = []
    done: set[str] = set()
    while len(done) < len(models):
        for name, node in models.items():
            if name not in done and all(
                each in done for each in node["depends_on"]["nodes"] if each in models
            ):
                sql = (compiled / node["original_file_path"]).read_text()
                ordered.append((node["name"], sql, node["config"]["materialized"] == "view"))
                done.add(name)
    return ordered


def run_plainly(settings: Settings, folder: Path) -> float:
    """Seconds of one script of the same statements, in a database of its own: no dbt, no contracts."""
    script = statements(settings)
    started = time.perf_counter()
    with duckdb.connect(str(folder / "warehouse.duckdb"), config={"threads": settings.threads}) as connection:
        connection.execute(f"set TimeZone = 'UTC'; set memory_limit = '{settings.build_memory}'")
        connection.execute("set enable_progress_bar = false")
        for name, sql, is_view in script:
            connection.execute(f"create {'view' if is_view else 'table'} {name} as {sql}").fetchall()
    return time.perf_counter() - started


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


def require_same(left: dict[str, tuple[int, int]], right: dict[str, tuple[int, int]], what: str) -> None:
    differ = sorted(name for name in left if left[name] != right[name])
    if differ:
        raise BrokenError(f"expected {what} to hold the rows of a full build, found others in {differ}.")


def measure_size(slate_items: int, folder: Path) -> Measured:
    """A full build, the same as a plain script, and the last day on top of the others; all must be equal."""
    settings = read_settings(home=folder / "home")
    write_log(settings.paths.raw, slate_items=slate_items, days=DAYS)
    full = build_all(settings)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    tables = marts(settings)
    whole = contents(settings.paths.warehouse, tables)
    (folder / "plain").mkdir()
    plain = run_plainly(settings, folder / "plain")
    require_same(whole, contents(folder / "plain" / "warehouse.duckdb", tables), "the plain script")
    shutil.rmtree(folder / "plain")
    increment = _measure_increment(settings)
    require_same(whole, contents(settings.paths.warehouse, tables), "the increment")
    return Measured(slate_items, full, plain, increment, peak)


def _measure_increment(settings: Settings) -> float:
    """Seconds that the last day takes on top of a build that did not know it."""
    last = (START + timedelta(days=LAST_DAY)).strftime("%Y-%m-%d")
    folder = next(settings.paths.raw.glob(f"recommender=[!_]*/hour={last}"))
    aside = settings.paths.root / "aside"
    os.replace(folder, aside)  # noqa: PTH105
    settings.paths.warehouse.unlink()
    build_all(settings)
    os.replace(aside, folder)  # noqa: PTH105
    return build_day(settings, LAST_DAY)


def exponent(measured: list[Measured]) -> float:
    """The slope of the logarithm of seconds over that of sizes."""
    sizes, seconds = np.log([each.slate_items for each in measured]), np.log([each.full for each in measured])
    return float(np.polyfit(sizes, seconds, 1)[0])


def measure(sizes: tuple[int, ...] = SIZES) -> list[Figure]:
    measured: list[Measured] = []
    figures: list[Figure] = []
    for slate_items in sizes:
        with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
            found = measure_size(slate_items, Path(folder))
        measured.append(found)
        is_last = slate_items == sizes[-1]
        size = f"{slate_items / 1e6:g}M slate items"
        figures += [
            figure(f"{size}: full build", found.full, "s"),
            figure(
                f"{size}: full build / its statements in one DuckDB script",
                found.full / found.plain,
                "ratio",
                "< 1.5" if is_last else None,
            ),
            figure(f"{size}: a day on top of 90", found.increment, "s"),
            figure(
                f"{size}: a day on top of 90 / full build",
                found.increment / found.full,
                "ratio",
                "< 0.1" if is_last else None,
            ),
        ]
    if len(measured) > 1:
        figures.append(figure("exponent of the full build", exponent(measured), "1", "< 1.1"))
    figures.append(figure("peak memory of a build", measured[-1].peak, "GB", "< 6"))
    return figures


def run(result: Path) -> None:
    note = (
        "Slates of eight items over 91 days, a choice and six outcomes each, in files of a day. A build is a "
        "whole `dbt run` with its start; the script is the same SQL without dbt. The rows must be equal, and "
        "so must those after the last day is built on top of the others."
    )
    write_result(result, measure(), at=SystemClock().now(), command="make bench NAME=features", note=note)
