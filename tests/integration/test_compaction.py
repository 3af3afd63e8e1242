"""Hour files become day files: the same rows, the same marts, fewer files, whatever interrupts it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench.interrupted_compaction import (
    CalmCompaction,
    copy_home,
    kill_compaction,
    observe_compaction,
    steps_to_kill,
)

from letterpress.cli.application import build_app, run_app
from letterpress.clock import ManualClock
from letterpress.errors import AlreadyRunningError, StorageError
from letterpress.events.codec import encode
from letterpress.events.types import Outcome
from letterpress.lake.compaction import compact
from letterpress.lake.gate_views import all_hours, make_raw_log_views, view_columns
from letterpress.lake.ledger import open_ledger, pending_ranges
from letterpress.lake.partition_file import name_of_partition
from letterpress.lake.partitions import HourRange, hours_of_partition
from letterpress.lake.raw_readers import reading_raw, settle_raw
from letterpress.lake.raw_schema import partition_path
from letterpress.lake.rewrite import raw_files
from letterpress.lake.subject import Subject
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.build_features import build_features, run_dbt
from letterpress.orchestration.forget import forget
from letterpress.orchestration.ingest_landing import announce_ranges, ingest_landing
from letterpress.orchestration.look_after_lake import (
    apply_retention,
    check_ledger,
    compact_lake,
    reindex_lake,
    verify,
)
from letterpress.settings import Home, RetentionSettings, Settings
from letterpress.simulation.simulate import Plan, simulate

START = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = ManualClock(START + timedelta(days=10))
RECOMMENDER = "image_enhancement"
ROUNDS = 10
RANGES = ("T10--2026-01-06T11", "T00--2026-01-07T00", "T18--2026-01-07T12")
TIMES = {"interaction": "occurred_at", "slate": "shown_at"}
HOLD_WAREHOUSE = """
import sys, duckdb
with duckdb.connect(sys.argv[1]):
    print(flush=True)
    sys.stdin.read()
"""
MARTS = ("fct_slate_items", "fct_outcomes", "fct_email_scores", "dim_items", "training_examples")


def outcome(hours: float, tenant: str = "alder", recipient: str | None = None) -> bytes:
    """An outcome of a tenant; its id is its time."""
    return encode(
        Outcome(
            event_id=f"e-{hours}",
            tenant=tenant,
            recommender=RECOMMENDER,
            occurred_at=START + timedelta(hours=hours),
            slate_id="s1",
            item_id="i1",
            kind="clicked",
            recipient_id=recipient,
        )
    )


def land(settings: Settings, name: str, lines: list[bytes]) -> None:
    """Ingest `lines` and announce their hours."""
    settings.paths.landing.mkdir(parents=True, exist_ok=True)
    (settings.paths.landing / f"{name}.jsonl").write_bytes(b"\n".join([*lines, b""]))
    landed = ingest_landing(settings, CLOCK)
    announce_ranges(settings, landed["ranges"], landed["batch"])


@pytest.fixture
def lake(settings: Settings) -> Settings:
    """Five days with an outcome of two tenants in every eighth hour."""
    land(settings, "log", [outcome(hour, each) for hour in range(0, 120, 8) for each in ("maple", "alder")])
    return settings


def names(home: Home) -> list[str]:
    return [path.parent.name.removeprefix("hour=") for path in raw_files(home)]


def sorted_rows(home: Home) -> list[dict[str, Any]]:
    """Every row of raw with its recommender and type, in an order of its own."""
    found = [
        {"recommender": path.parent.parent.name, "type": path.stem, **row}
        for path in raw_files(home)
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    return sorted(found, key=repr)


def day_file(settings: Settings, day: str) -> Path:
    return partition_path(settings.paths.raw, RECOMMENDER, day, "outcome")


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_days_that_are_old_enough_become_one_file_and_keep_their_rows(lake: Settings) -> None:
    """The last event is that of 16:00 on January 9: the 5th ended three days before it, the 6th did not."""
    before = sorted_rows(lake.paths)
    done = compact_lake(lake)
    assert (done["days"], done["files_before"], done["files_after"], done["rows"]) == (
        ["2026-01-05"],
        3,
        1,
        6,
    )
    assert names(lake.paths)[:2] == ["2026-01-05", "2026-01-06T00"]
    assert len(names(lake.paths)) == 13
    assert sorted_rows(lake.paths) == before
    assert not list(lake.paths.raw.glob("recommender=*/hour=2026-01-05T*"))
    assert pending_ranges(lake.paths) == []
    assert verify(lake)["differences"] == []
    assert check_ledger(lake)["raw_found"] == len(before)
    assert compact_lake(lake)["days"] == []


def test_rows_of_a_day_lie_by_hour_and_tenant(lake: Settings) -> None:
    compact_lake(lake)
    rows = pq.ParquetFile(day_file(lake, "2026-01-05")).read(["occurred_at", "tenant"]).to_pylist()
    assert [(row["occurred_at"].hour, row["tenant"]) for row in rows] == [
        (hour, tenant) for hour in (0, 8, 16) for tenant in ("alder", "maple")
    ]


def test_a_late_event_lies_beside_its_day_until_the_next_run(lake: Settings) -> None:
    compact_lake(lake)
    land(lake, "late", [outcome(3), outcome(8, "alder"), outcome(8.5)])
    assert names(lake.paths)[:3] == ["2026-01-05", "2026-01-05T03", "2026-01-05T08"]
    before = sorted_rows(lake.paths)
    assert len(before) == 32
    assert compact_lake(lake)["files_before"] == 3
    assert names(lake.paths)[:2] == ["2026-01-05", "2026-01-06T00"]
    assert sorted_rows(lake.paths) == before
    times = pq.ParquetFile(day_file(lake, "2026-01-05")).read(["occurred_at"])["occurred_at"].to_pylist()
    assert [each.hour for each in times] == [0, 0, 3, 8, 8, 8, 16, 16]
    assert verify(lake)["differences"] == []


def test_what_is_compacted_stays_known_also_to_a_new_index(lake: Settings) -> None:
    compact_lake(lake)
    assert reindex_lake(lake)["events"] == 30
    land(lake, "again", [outcome(hour, "alder") for hour in range(0, 120, 8)])
    assert check_ledger(lake)["raw_found"] == 30


def test_a_flipped_byte_in_a_day_file_is_found(lake: Settings) -> None:
    compact_lake(lake)
    flip_a_byte(day_file(lake, "2026-01-05"))
    (found,) = verify(lake)["differences"]
    assert (found["kind"], found["hours"]) == ("changed", "2026-01-05")


def test_damage_is_not_written_into_a_day_file(lake: Settings) -> None:
    flip_a_byte(partition_path(lake.paths.raw, RECOMMENDER, "2026-01-06T08", "outcome"))
    eager = lake.model_copy(update={"compact_after_days": 1})
    with pytest.raises(StorageError, match=r"2026-01-06T08/outcome\.parquet to have its recorded checksum"):
        compact_lake(eager)
    assert {"2026-01-05", "2026-01-06T00", "2026-01-06T08", "2026-01-07T00"} < set(names(lake.paths))
    assert len(verify(lake)["differences"]) == 1


def test_retention_takes_hours_out_of_a_day_file(lake: Settings) -> None:
    compact_lake(lake)
    limited = lake.model_copy(update={"retention": RetentionSettings(outcome_days=9)})
    done = apply_retention(limited, ManualClock(START + timedelta(days=9, hours=9, minutes=30)))
    assert (done["removed"], done["files"]) == ({"outcome": 4}, 1)
    assert done["ranges"] == ["2026-01-05T00--2026-01-05T01", "2026-01-05T08--2026-01-05T09"]
    assert pq.read_metadata(day_file(lake, "2026-01-05")).num_rows == 2
    assert verify(lake)["differences"] == []
    apply_retention(limited, ManualClock(START + timedelta(days=11)))
    assert not day_file(lake, "2026-01-05").parent.exists()
    assert check_ledger(lake)["raw_found"] == sum(1 for _ in sorted_rows(lake.paths))


def test_a_tenant_and_a_recipient_are_taken_out_of_day_files(settings: Settings) -> None:
    person = "h1:0123456789abcdef0123456789abcdef"
    land(settings, "log", [outcome(1, "gone-travel"), outcome(2, "staying-books", person), outcome(120)])
    compact_lake(settings)
    forget(settings, Subject("gone-travel"), clock=CLOCK)
    forget(settings, Subject(recipient=person), clock=CLOCK)
    assert [(row["tenant"], row["recipient_id"]) for row in sorted_rows(settings.paths)] == [
        ("alder", None),
        ("staying-books", None),
    ]
    assert names(settings.paths)[0] == "2026-01-05"
    assert verify(settings)["differences"] == []


def test_who_reads_raw_is_waited_for(lake: Settings) -> None:
    with reading_raw(lake.paths), pytest.raises(AlreadyRunningError, match="read by nobody"):
        compact(lake.paths, 1, wait_seconds=0.1)
    command = [sys.executable, "-c", HOLD_WAREHOUSE, str(lake.paths.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(AlreadyRunningError, match="read by nobody"):
            compact(lake.paths, 1, wait_seconds=0.1)
        child.communicate()
    assert len(names(lake.paths)) == 15
    assert verify(lake)["differences"] == []


def test_a_gate_sees_only_the_hours_it_is_asked_for(lake: Settings, tmp_path: Path) -> None:
    compact_lake(lake)
    assert all_hours(lake.paths) == HourRange(START, START + timedelta(hours=113))
    database = tmp_path / "views.duckdb"
    make_raw_log_views(lake.paths, HourRange.parse("2026-01-05T08--2026-01-05T09"), database)
    assert "is_in_its_hour" in view_columns(database, "raw_events")
    assert read_views(database, "select tenant, is_in_its_hour from raw_events order by tenant") == [
        ("alder", 1),
        ("maple", 1),
    ]
    assert read_views(database, "select clicked from raw_outcome_totals") == [(4,)]


def test_a_row_of_another_day_in_a_day_file_is_seen_by_the_gate(lake: Settings, tmp_path: Path) -> None:
    compact_lake(lake)
    other = partition_path(lake.paths.raw, RECOMMENDER, "2026-01-07T00", "outcome")
    shutil.copy(other, day_file(lake, "2026-01-05"))
    database = tmp_path / "views.duckdb"
    make_raw_log_views(lake.paths, HourRange.parse("2026-01-05T08--2026-01-05T09"), database)
    assert read_views(database, "select is_in_its_hour from raw_events") == [(0,), (0,)]


def read_views(database: Path, query: str) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_the_command_says_what_became_of_the_files(
    lake: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(lake.home))
    monkeypatch.setenv("LETTERPRESS_COMPACT_AFTER_DAYS", "2")
    assert run_app(build_app(), ["lake", "--compact"]) == 0
    assert "2 days, 2026-01-05 to 2026-01-06: 6 files became 2" in capsys.readouterr().out
    assert run_app(build_app(), ["lake", "--compact", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == []
    assert run_app(build_app(), ["lake", "--compact", "--verify"]) == 2


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("world") / "logs"
    return tuple(simulate(Plan(3, 60, 5, "corrupt", START), folder).files)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, logs: tuple[Path, ...]) -> CalmCompaction:
    return observe_compaction(tmp_path_factory.mktemp("calm"), logs)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_at_any_step_a_rerun_leaves_the_same_bytes(
    calm: CalmCompaction, tmp_path: Path, number: int
) -> None:
    assert kill_compaction(calm, tmp_path / "home", steps_to_kill(calm, ROUNDS)[number]) == calm.state


def test_a_build_first_finishes_a_compaction_that_was_killed(calm: CalmCompaction, tmp_path: Path) -> None:
    """Between the renames and the deletions rows lie in two files."""
    home = copy_home(calm.home, tmp_path / "home")
    compact(home, 1)
    settled = sorted_rows(home)
    day = next(path for path in raw_files(home) if "T" not in path.parent.name)
    hour = partition_path(home.raw, RECOMMENDER, f"{day.parent.name.removeprefix('hour=')}T05", day.stem)
    hour.parent.mkdir()
    shutil.copy(day, hour)
    with open_ledger(home) as ledger:
        ledger.execute("insert into replaced values (?)", (str(hour.relative_to(home.root)),))
    settle_raw(home)
    assert sorted_rows(home) == settled
    assert not hour.parent.exists()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake of hour files with marts built on it."""
    settings = Settings(home=tmp_path_factory.mktemp("built"))
    simulate(Plan(4, 400, 3, "late", START), settings.paths.landing)
    ingest_landing(settings, CLOCK)
    run_dbt(settings, ["run"])
    return settings


@pytest.fixture(scope="module")
def compacted(built: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same lake with two days as day files, later hours as they were, and the marts of before."""
    settings = Settings(home=tmp_path_factory.mktemp("compacted"))
    shutil.copytree(built.home, settings.home, dirs_exist_ok=True)
    assert compact(settings.paths, 1).days == ["2026-01-05", "2026-01-06"]
    return settings


def read_marts(settings: Settings) -> dict[str, pa.Table]:
    with connect_warehouse(settings.paths, read_only=True, threads=2) as connection:
        return {mart: connection.sql(f"from {mart} order by all").to_arrow_table() for mart in MARTS}


def test_marts_of_day_files_are_those_of_hour_files(built: Settings, compacted: Settings) -> None:
    before = read_marts(built)
    compacted.paths.warehouse.unlink()
    build_features(compacted)
    assert read_marts(compacted) == before
    assert before["training_examples"].num_rows > 1000


def test_one_hour_is_built_again_from_the_files_of_its_days(built: Settings, compacted: Settings) -> None:
    """Its rows are lost first, and come back as they were; no other row is touched."""
    hour = "2026-01-06T10"
    with connect_warehouse(compacted.paths, read_only=False, threads=1) as connection:
        lost = connection.execute(
            "update fct_slate_items set policy = 'lost' where hour = ?", [hour]
        ).fetchall()
    assert lost[0][0] > 10
    run_dbt(compacted, ["run"], HourRange.parse(f"{hour}--2026-01-06T11"))
    assert read_marts(compacted) == read_marts(built)


def test_a_build_opens_only_files_that_have_its_hours(compacted: Settings) -> None:
    """A day file where a day was compacted, hour files elsewhere."""
    ranges = [HourRange.parse(f"2026-01-06{hours}") for hours in RANGES]
    asked = [(event, at, hours) for event, at in TIMES.items() for hours in ranges]
    for (event, at, hours), condition in zip(asked, compile_conditions(compacted, asked), strict=True):
        view = f"from stg_letterpress__{event}s where {condition}"
        assert files_read(compacted, f"select max({at}) {view}") == len(files_of(compacted, event, hours))
        start, end = hours.key.split("--")
        expected = f"from stg_letterpress__{event}s where hour >= '{start}' and hour < '{end}'"
        assert_equal_and_many(compacted, f"select (select count(*) {view}), (select count(*) {expected})")


def compile_conditions(settings: Settings, asked: list[tuple[str, str, HourRange]]) -> list[str]:
    """What dbt makes of `is_in_hours` for each event's time and range."""
    calls = [(*hours.key.split("--"), at) for _, at, hours in asked]
    inline = f"{{% for start, end, at in {calls} %}}{{{{ is_in_hours(start, end, at) }}}};{{% endfor %}}"
    (done,) = run_dbt(settings, ["compile", "--inline", inline])
    return str(done["compiled_code"]).rstrip().removesuffix(";").split(";")


def files_of(settings: Settings, event: str, hours: HourRange) -> list[Path]:
    return [
        path
        for path in raw_files(settings.paths)
        if path.stem == event and hours_of_partition(name_of_partition(path)).overlaps(hours)
    ]


def files_read(settings: Settings, query: str) -> int:
    """How many raw files a query opens."""
    with connect_warehouse(settings.paths, read_only=True, threads=1) as connection:
        plan = connection.execute(f"explain analyze {query}").fetchall()[0][1]
    return sum(map(int, re.findall(r"Total Files Read:\s+(\d+)", plan)))


def assert_equal_and_many(settings: Settings, query: str) -> None:
    with connect_warehouse(settings.paths, read_only=True, threads=1) as connection:
        found, expected = connection.execute(query).fetchall()[0]
    assert found == expected > 0
