"""Raw that is not what it should be: the error names what, and production stays on the last good snapshot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.clock import ManualClock
from letterpress.errors import BrokenError, GateFailedError, LetterpressError, StorageError
from letterpress.lake.complete_hours import range_to_build
from letterpress.lake.ledger import open_ledger
from letterpress.lake.partitions import HourRange
from letterpress.lake.snapshot_layout import read_current
from letterpress.lake.stored_files import StoredFile, hash_stored, record_files
from letterpress.orchestration.build_features import build_features, start_build
from letterpress.orchestration.ingest_landing import announce_ranges, ingest_landing
from letterpress.orchestration.look_after_lake import apply_retention, check_ledger, reindex_lake
from letterpress.orchestration.publish_features import publish_checked_features, publish_features
from letterpress.orchestration.run_gate import run_log_gates
from letterpress.settings import RetentionSettings, Settings
from letterpress.simulation.simulate import Plan, simulate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = ManualClock(BEGIN + timedelta(days=2))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two simulated days in raw, in the marts and in a snapshot."""
    settings = Settings(home=tmp_path_factory.mktemp("published") / "var")
    simulate(Plan(2, 120, 7, "steady", BEGIN), settings.paths.landing, processes=1)
    shutil.rmtree(settings.paths.landing / "truth")
    ingest_landing(settings, CLOCK)
    build_features(settings)
    publish_features(settings, clock=CLOCK)
    return settings.home


def files_of(settings: Settings, source: str) -> list[Path]:
    return sorted(settings.paths.raw.glob(f"recommender=image_enhancement/hour=*/{source}.parquet"))


def write_as_an_ingest(settings: Settings, path: Path, table: pa.Table) -> None:
    """Put other content in the place of a raw file, with a record that agrees."""
    pq.write_table(table, path)
    name = str(path.relative_to(settings.paths.root))
    with open_ledger(settings.paths) as ledger:
        record_files(ledger, [StoredFile(name, hash_stored(path), path.stat().st_size, len(table))], batch=1)


def change_a_file(settings: Settings, change: Callable[[pa.Table], pa.Table]) -> None:
    path = files_of(settings, "slate")[3]
    write_as_an_ingest(settings, path, change(pq.read_table(path, partitioning=None)))


def take_all_slates_out(settings: Settings) -> None:
    for path in files_of(settings, "slate"):
        write_as_an_ingest(settings, path, pq.read_schema(path).empty_table())


def rename_a_column(settings: Settings) -> None:
    change_a_file(settings, lambda table: table.rename_columns({"policy": "strategy"}))


def change_a_type(settings: Settings) -> None:
    numbers = pa.array(["noon"], pa.string())
    change_a_file(
        settings,
        lambda table: table.slice(0, 1).set_column(
            table.column_names.index("occurred_at"), "occurred_at", numbers
        ),
    )


def remove_a_partition(settings: Settings) -> None:
    shutil.rmtree(files_of(settings, "slate")[5].parent)


def remove_source(source: str, settings: Settings) -> None:
    for path in files_of(settings, source):
        path.unlink()


def empty_source(source: str, settings: Settings) -> None:
    for path in files_of(settings, source):
        pq.write_table(pq.read_schema(path).empty_table(), path)


def tell_brightness_in_bytes(settings: Settings) -> None:
    """As if a third of the pictures were told from 0 to 255 from now on."""
    for path in files_of(settings, "item"):
        table = pq.read_table(path, partitioning=None)
        rows = table.to_pylist()
        for row in rows:
            if row["source_id"] is not None and row["source_id"][-1] in "012":
                row["attributes"] = [
                    (name, value * 255 if name == "brightness" else value)
                    for name, value in row["attributes"]
                ]
        write_as_an_ingest(settings, path, pa.Table.from_pylist(rows, schema=table.schema))


def build_and_publish(settings: Settings) -> None:
    build_features(settings, full_refresh=True)
    publish_checked_features(settings, clock=CLOCK)


FAULTS: dict[
    str,
    tuple[Callable[[Settings], None], type[LetterpressError], str],
] = {
    "a log without slates": (
        take_all_slates_out,
        GateFailedError,
        r"feature_rows\.slate_items_exist found 0.*ingest it again",
    ),
    "a renamed column": (
        rename_a_column,
        BrokenError,
        r"expected dbt to build \w+, found: .*policy.*letterpress lake --verify",
    ),
    "another type": (
        change_a_type,
        BrokenError,
        r"expected dbt to build \w+, found: .*letterpress lake --verify",
    ),
    "an attribute on another scale": (
        tell_brightness_in_bytes,
        GateFailedError,
        r"snapshot_coverage\.attributes_keep_their_scale",
    ),
    "a partition missing in the middle": (
        remove_a_partition,
        StorageError,
        r"expected raw/recommender=image_enhancement/hour=\S+/\w+\.parquet with \d+ events in \d+ bytes "
        r"as the ledger says, found no such file\. It is the first of \d that differ.*lake --reindex",
    ),
    **{
        f"the source {source} without {what}": (
            partial(spoil, source),
            StorageError,
            rf"expected raw/\S+/{source}\.parquet with \d+ events.*letterpress lake --verify",
        )
        for source in ("slate", "interaction", "outcome", "item")
        for what, spoil in (("files", remove_source), ("rows", empty_source))
    },
}


@pytest.mark.parametrize("name", FAULTS)
def test_bad_input_is_named_and_the_last_good_snapshot_stays(
    name: str, published: Path, tmp_path: Path
) -> None:
    settings = Settings(home=shutil.copytree(published, tmp_path / "var"))
    before = read_current(settings.paths)
    spoil, error, sentence = FAULTS[name]
    spoil(settings)

    with pytest.raises(error, match=f"(?s){sentence}"):
        build_and_publish(settings)

    assert before is not None
    assert read_current(settings.paths) == before


def publish_pending(settings: Settings) -> dict[str, Any]:
    """What the grid does after an ingest, for the one range that waits."""
    landed = ingest_landing(settings, CLOCK)
    (waiting,) = landed["ranges"]
    run_log_gates(settings, waiting, CLOCK)
    announce_ranges(settings, [waiting], landed["batch"])
    built = build_features(settings, waiting)
    published = publish_checked_features(settings, waiting, clock=CLOCK)
    return {**published, "range": waiting, "built": built["range"]}


def test_what_retention_took_is_built_without_and_published(published: Path, tmp_path: Path) -> None:
    """Six hours lose all their events, their folders and what was counted of them, and production goes on."""
    day = RetentionSettings(campaign_days=1, slate_days=1, interaction_days=1, outcome_days=1)
    settings = Settings(home=shutil.copytree(published, tmp_path / "var"), retention=day)
    announce_ranges(settings, ingest_landing(settings, CLOCK)["ranges"], batch=1)
    before = read_current(settings.paths)
    done = apply_retention(settings, ManualClock(BEGIN + timedelta(hours=30)))
    assert done["removed"].keys() >= {"slate", "outcome"}
    assert not list(settings.paths.raw.glob("recommender=image_enhancement/hour=2026-01-05T0[1-5]"))

    published_now = publish_pending(settings)

    assert published_now["range"][:13] == done["ranges"][0][:13]
    assert published_now["built"] is None, "all of history"
    assert before is not None
    assert published_now["snapshot"] != before.snapshot
    later = HourRange.parse("2026-01-06T00--2026-01-06T01")
    assert range_to_build(settings.paths, later) == later, "the next build is one of its hours"
    assert ingest_landing(settings, CLOCK)["ranges"] == []


def test_an_hour_that_is_gone_for_good_is_let_go_of_by_a_reindex(published: Path, tmp_path: Path) -> None:
    settings = Settings(home=shutil.copytree(published, tmp_path / "var"))
    remove_a_partition(settings)
    reindex_lake(settings)
    check_ledger(settings)
    start_build(settings, None)
    later = HourRange.parse("2026-01-06T00--2026-01-06T01")
    assert range_to_build(settings.paths, later) is None, "what was counted of the hour is still in the marts"
