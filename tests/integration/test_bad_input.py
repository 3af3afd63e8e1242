"""Raw that is not what it should be: the error names what, and production stays on the last good snapshot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.clock import ManualClock
from letterpress.errors import BrokenError, GateFailedError, LetterpressError, StorageError
from letterpress.lake.snapshot_layout import read_current
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.look_after_lake import check_ledger
from letterpress.orchestration.publish_features import publish_checked_features, publish_features
from letterpress.settings import Settings
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


def slate_files(settings: Settings) -> list[Path]:
    return sorted(settings.paths.raw.glob("recommender=image_enhancement/hour=*/slate.parquet"))


def change_a_file(settings: Settings, change: Callable[[pa.Table], pa.Table]) -> None:
    path = slate_files(settings)[3]
    pq.write_table(change(pq.read_table(path, partitioning=None)), path)


def remove_all_slates(settings: Settings) -> None:
    for path in slate_files(settings):
        path.unlink()


def empty_all_slates(settings: Settings) -> None:
    for path in slate_files(settings):
        pq.write_table(pq.read_schema(path).empty_table(), path)


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
    shutil.rmtree(slate_files(settings)[5].parent)


def tell_brightness_in_bytes(settings: Settings) -> None:
    """As if a third of the pictures were told from 0 to 255 from now on."""
    for path in settings.paths.raw.glob("recommender=image_enhancement/hour=*/item.parquet"):
        table = pq.read_table(path, partitioning=None)
        rows = table.to_pylist()
        for row in rows:
            if row["source_id"] is not None and row["source_id"][-1] in "012":
                row["attributes"] = [
                    (name, value * 255 if name == "brightness" else value)
                    for name, value in row["attributes"]
                ]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def build_and_publish(settings: Settings) -> None:
    build_features(settings, full_refresh=True)
    publish_checked_features(settings, clock=CLOCK)


FAULTS: dict[
    str,
    tuple[Callable[[Settings], None], Callable[[Settings], object], type[LetterpressError], str],
] = {
    "a source without files": (
        remove_all_slates,
        build_and_publish,
        GateFailedError,
        r"feature_rows\.slate_items_exist found 0.*ingest it again",
    ),
    "a source without rows": (
        empty_all_slates,
        build_and_publish,
        GateFailedError,
        r"feature_rows\.slate_items_exist found 0.*ingest it again",
    ),
    "a renamed column": (
        rename_a_column,
        build_and_publish,
        BrokenError,
        r"expected dbt to build \w+, found: .*policy.*letterpress lake --verify",
    ),
    "another type": (
        change_a_type,
        build_and_publish,
        BrokenError,
        r"expected dbt to build \w+, found: .*letterpress lake --verify",
    ),
    "an attribute on another scale": (
        tell_brightness_in_bytes,
        build_and_publish,
        GateFailedError,
        r"snapshot_coverage\.attributes_keep_their_scale",
    ),
    "a partition missing in the middle": (
        remove_a_partition,
        check_ledger,
        StorageError,
        r"expected \d+ rows in raw as the ledger says, found \d+.*letterpress lake --reindex",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_bad_input_is_named_and_the_last_good_snapshot_stays(
    name: str, published: Path, tmp_path: Path
) -> None:
    settings = Settings(home=shutil.copytree(published, tmp_path / "var"))
    before = read_current(settings.paths)
    spoil, go_on, error, sentence = FAULTS[name]
    spoil(settings)

    with pytest.raises(error, match=f"(?s){sentence}"):
        go_on(settings)

    assert before is not None
    assert read_current(settings.paths) == before
