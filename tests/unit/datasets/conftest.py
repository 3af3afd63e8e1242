from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from letterpress.datasets.training_arrays import FeatureSchema
from letterpress.recommenders import Gates, Recommender, Target

START = datetime(2026, 1, 5, tzinfo=UTC)
COUNTS = ("delivered", "clicked")


@pytest.fixture
def pets() -> Recommender:
    return Recommender(
        name="pets",
        description="Ranks pets.",
        item_kind="pet",
        slate_size=2,
        targets=(
            Target("chosen", "chosen", weight=0.25, window_hours=1),
            Target("clicked", "clicked", 0.75, window_hours=24, denominator="delivered", reference_rate=0.1),
        ),
        feature_views=(),
        judge="ndcg",
        gates=Gates(min_training_slates=10, min_test_slates=5, min_relative_gain=0.01),
    )


def _compute(table: pa.Table) -> NDArray[np.float32]:
    positions = table["position"].to_numpy().astype(np.float32)
    return np.stack([positions, np.full_like(positions, -1.0)], axis=1)


@pytest.fixture
def schema() -> FeatureSchema:
    return FeatureSchema(names=("position", "constant"), hash="now", compute=_compute)


def examples(
    hours: list[float], *, logged_hash: str | None = None, logged: list[float | None] | None = None
) -> pa.Table:
    """A table with one slate of two items at each of `hours` after the start; the first item is chosen."""
    slates = [f"s{hour:g}" for hour in hours]
    rows = len(slates) * 2
    return pa.table(
        {
            "recommender": ["pets"] * rows,
            "tenant": ["acme"] * rows,
            "slate_id": np.repeat(slates, 2),
            "campaign_id": np.repeat([f"c{index // 2}" for index in range(len(slates))], 2),
            "item_id": ["cat", "dog"] * len(slates),
            "position": pa.array([1, 2] * len(slates), pa.int32()),
            "propensity": pa.array([0.5, None] * len(slates), pa.float64()),
            "shown_at": pa.array(
                np.repeat([START + timedelta(hours=hour) for hour in hours], 2).tolist(),
                pa.timestamp("us", tz="UTC"),
            ),
            "logged_schema_hash": pa.array([logged_hash] * rows, pa.string()),
            "logged_features": pa.array([logged] * rows, pa.list_(pa.float64())),
            "chosen": [1, 0] * len(slates),
            "delivered": [100, 0] * len(slates),
            "clicked": [5, 0] * len(slates),
        }
    )
