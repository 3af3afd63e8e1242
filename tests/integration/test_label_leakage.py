"""A feature that was written after the label is found by how well it tells it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.label_leakage import single_feature_aucs
from letterpress.settings import Settings

RECOMMENDER = "image_enhancement"


@pytest.fixture(scope="module")
def training(trained_home: Path) -> Path:
    return Snapshot.open(Settings(home=trained_home).paths).training_path(RECOMMENDER)


def test_no_feature_of_the_simulated_world_tells_the_label(training: Path) -> None:
    told = single_feature_aucs(RECOMMENDER, training)

    assert {row["label"] for row in told} == {"chosen", "click_rate"}
    assert len(told) > 40
    assert all(0.5 <= row["separation"] < 0.8 for row in told)


def test_an_attribute_that_was_overwritten_with_the_choice_is_found(training: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(training, tmp_path / "training.parquet"))
    rows = pq.read_table(path, partitioning=None)
    overwritten = [[("brightness", float(chosen))] for chosen in rows["chosen"].to_pylist()]
    column = rows.column_names.index("attributes")
    leaky = rows.set_column(column, "attributes", pa.array(overwritten, rows.schema.field("attributes").type))
    leaky = leaky.set_column(
        leaky.column_names.index("logged_schema_hash"),
        "logged_schema_hash",
        pc.if_else(pa.scalar(True), pa.scalar(None, pa.string()), leaky["logged_schema_hash"]),
    )
    pq.write_table(leaky, path)

    worst = max(single_feature_aucs(RECOMMENDER, path), key=lambda row: float(row["separation"]))

    assert (worst["feature"], worst["label"]) == ("brightness", "chosen")
    assert worst["separation"] == 1.0
