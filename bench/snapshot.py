"""A snapshot of a million items: how long it takes to publish, to open and to look 24 items up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.report import Figure, figure, write_result
from letterpress.clock import ManualClock, SystemClock
from letterpress.errors import BrokenError
from letterpress.lake.snapshots import (
    COUNT_NAMES,
    ENTITIES,
    KEY_SEPARATOR,
    Snapshot,
    SnapshotSpec,
    publish_snapshot,
)
from letterpress.settings import Home

ITEMS = 1_000_000
FEATURES = 40
WANTED = 24
RECENT = 200_000
"""Slate items, interactions and outcomes of the days before: what live counts look up."""
LOOKUPS = 4_000
RECOMMENDER = "pictures"
SHARED = {
    "enhancement_industry": [f"warm{KEY_SEPARATOR}food"],
    "enhancement": ["warm"],
    "tenant": ["tenant-0"],
    "send_hour": [f"tenant-0{KEY_SEPARATOR}9"],
}
"""Keys of what all 24 items have in common."""
NAMES = tuple(f"feature_{number:02d}" for number in range(FEATURES))
CLOCK = ManualClock(datetime(2026, 1, 6, tzinfo=UTC))
OPEN = """
import json, sys, time
from pathlib import Path
from letterpress.lake.snapshots import Snapshot
from letterpress.settings import Home

def private_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

home = Home(root=Path(sys.argv[1]))
Snapshot.open(home)  # the loops are compiled, the files in the page cache
before, started = private_bytes(), time.perf_counter()
snapshot = Snapshot.open(home)
print(json.dumps([time.perf_counter() - started, (private_bytes() - before) / 1e6]))
"""


def make_warehouse(home: Home) -> None:
    """Marts of a million items in two tenants, with as many counts by item and by segment."""
    counts = ", ".join(f"(hash(n, '{name}') % 1000)::bigint as {name}" for name in COUNT_NAMES)
    attributes = ", ".join(f"'{name}': (hash(n, '{name}') % 10007) / 10007.0" for name in NAMES)
    item = (
        f"'{RECOMMENDER}' as recommender, 'tenant-' || n % 2 as tenant, 'picture-' || n || '-warm' as item_id"
    )
    as_of = "timestamptz '2026-01-05 11:00:00+00' as as_of_at"
    home.root.mkdir(parents=True, exist_ok=True)
    numbers = f"from range({ITEMS}) t(n)"
    with duckdb.connect(str(home.warehouse)) as connection:
        for statement in (
            "set TimeZone = 'UTC'",
            "set enable_progress_bar = false",
            f"create table ftr_item_hours as select {item}, {as_of}, {counts} {numbers}",
            "create table ftr_item_segment_hours as "
            f"select {item}, 'new' as segment, {as_of}, {counts} {numbers}",
            "create table ftr_enhancement_industry_hours as select recommender, 'warm' as enhancement, "
            "'food' as industry, * exclude (recommender, tenant, item_id) from ftr_item_hours limit 1",
            "create table ftr_enhancement_hours as select * exclude (industry) "
            "from ftr_enhancement_industry_hours",
            "create table ftr_tenant_hours as select * exclude (item_id) from ftr_item_hours limit 1",
            "create table ftr_send_hour_hours as select *, 9::bigint as send_hour from ftr_tenant_hours",
            f"create table dim_items as select {item}, 'variant' as item_kind, null::varchar as source_id, "
            f"map {{{attributes}}} as attributes, map {{'enhancement': 'warm'}} as item_labels, "
            f"timestamptz '2026-01-05 10:00:00+00' as known_at {numbers}",
            f"create table fct_slate_items as select {item}, 'slate-' || n // 8 as slate_id, "
            "'2026-01-05T10' as hour, timestamptz '2026-01-05 10:00:00+00' as shown_at, "
            "timestamptz '2026-01-05 11:00:00+00' as shown_as_of_at, null::timestamptz as chosen_as_of_at, "
            "timestamptz '2026-01-06 15:00:00+00' as send_at, 'new' as segment, 'warm' as enhancement, "
            f"'food' as industry from range({RECENT}) t(n)",
            *(
                f"create table stg_letterpress__{kind}s as select '{RECOMMENDER}' as recommender, "
                "'tenant-0' as tenant, 'event-' || n as event_id, '2026-01-05T10' as stored_as, "
                "'slate-' || n // 8 as slate_id, 'picture-' || n || '-warm' as item_id, "
                "timestamptz '2026-01-05 10:20:00+00' as occurred_at, 'chosen' as action, "
                "'clicked' as kind, cast(1 as bigint) as amount, "
                f"timestamptz '2026-01-05 10:30:00+00' as received_at from range({RECENT}) t(n)"
                for kind in ("interaction", "outcome")
            ),
            f"create table training_examples as select {item}, 's' as slate_id, 1 as position, "
            "timestamptz '2026-01-05 10:00:00+00' as shown_at from range(1) t(n)",
        ):
            connection.execute(statement).fetchall()


def time_publishing(home: Home) -> float:
    started = time.perf_counter()
    publish_snapshot(home, {RECOMMENDER: SnapshotSpec(NAMES, ("rate",), "0")}, CLOCK, threads=2)
    return time.perf_counter() - started


def time_opening(home: Home) -> tuple[float, float]:
    """Seconds, and megabytes that no other process shares, of a process that opens it again."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(home.root)], capture_output=True, text=True, check=True
    )
    seconds, megabytes = msgspec.json.decode(done.stdout.splitlines()[-1], type=tuple[float, float])
    return seconds, megabytes


def time_lookups(snapshot: Snapshot) -> dict[str, float]:
    """Median milliseconds to find 24 items: counts and features here, rows alone in a dictionary.

    Counts are those of all entities that a ranker of pictures reads: 24 items, alone and with a segment, and
    what they share.
    """
    random = np.random.default_rng(7)
    numbers = random.integers(0, ITEMS // 2, (LOOKUPS, WANTED)) * 2  # of the first of two tenants
    wanted = [[f"picture-{number}-warm" for number in row] for row in numbers.tolist()]
    items = snapshot.items(RECOMMENDER)
    keys = items.table.keys
    known = {keys[row]: row for row in range(len(keys))}
    spent: dict[str, list[float]] = {"table": [], "dictionary": []}
    for names in wanted:
        started = time.perf_counter()
        rows = items.find("tenant-0", names)
        own = [f"tenant-0{KEY_SEPARATOR}{name}" for name in names]
        counts = snapshot.counts_of(
            RECOMMENDER,
            {"item": own, "item_segment": [f"{each}{KEY_SEPARATOR}new" for each in own], **SHARED},
        )
        features = items.attributes.take(rows, axis=0)
        spent["table"].append(time.perf_counter() - started)
        started = time.perf_counter()
        same = [known[f"tenant-0{KEY_SEPARATOR}{name}"] for name in names]
        items.attributes.take(same, axis=0)
        spent["dictionary"].append(time.perf_counter() - started)
        if rows.tolist() != same or _are_wrong(counts) or features.shape != (WANTED, FEATURES):
            raise BrokenError(f"expected rows {same}, found {rows.tolist()}; the key table is wrong.")
    return {name: float(np.median(values)) * 1000 for name, values in spent.items()}


def _are_wrong(counts: dict[str, NDArray[np.int64]]) -> bool:
    """Whether counts lack an entity, or are none of a key that is there."""
    return set(counts) != set(ENTITIES) or not all(each.any(axis=1).all() for each in counts.values())


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
        home = Home(root=Path(folder))
        make_warehouse(home)
        publishing = time_publishing(home)
        opening, private = time_opening(home)
        lookups = time_lookups(Snapshot.open(home))
        size = sum(path.stat().st_size for path in home.snapshots.rglob("*") if path.is_file())
    return [
        figure("publish 1,000,000 items", publishing, "s", "< 10"),
        figure("open, every checksum verified", opening, "s", "< 1"),
        figure("memory of one worker that others do not share", private, "MB", "< 50"),
        figure("look up 24 items: counts of six entities and 40 features", lookups["table"], "ms", "< 0.05"),
        figure("the same without counts, rows from a Python dictionary", lookups["dictionary"], "ms"),
        figure("size on disk", size / 1e6, "MB"),
    ]


def run(result: Path) -> None:
    note = (
        f"{ITEMS:,} items of two tenants, {FEATURES} features, and counts in four windows by item and "
        "by item and segment; four more entities have a key each. Counts are read of 24 items in all of them."
    )
    write_result(result, measure(), at=SystemClock().now(), command="make bench NAME=snapshot", note=note)
