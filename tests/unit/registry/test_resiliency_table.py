from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
import pytest

from letterpress.registry.resiliency_table import resiliency_table, write_resiliency_table
from letterpress.settings import Home

FADING = {"days": 2.0, "low": 1.0, "high": 4.0, "is_demonstrated": True}
LASTING = {"days": 50.0, "low": 9.0, "high": None, "is_demonstrated": False}
FACTS: dict[str, Any] = {
    "half_life": FADING,
    "features": {"rate": LASTING, "noise": None},
    "partitions": [
        {"day": "2026-01-05", "age_days": 4, "rows": 30},
        {"day": "2026-01-09", "age_days": 0, "rows": 10},
    ],
}


def test_every_feature_has_a_score_for_every_day() -> None:
    rows = resiliency_table(FACTS).to_pylist()
    scores = {(row["day"].isoformat(), row["feature"]): row["score"] for row in rows}
    assert scores == {
        ("2026-01-05", "all"): 0.25,
        ("2026-01-05", "rate"): 1.0,
        ("2026-01-05", "noise"): None,
        ("2026-01-09", "all"): 1.0,
        ("2026-01-09", "rate"): 1.0,
        ("2026-01-09", "noise"): None,
    }
    assert [row["rows"] for row in rows if row["feature"] == "all"] == [30, 10]


def test_the_table_of_a_version_is_a_file_that_others_read(home: Home) -> None:
    path = write_resiliency_table(home, "pets", 3, FACTS)
    assert path == home.registry / "resiliency" / "pets" / "3.parquet"
    assert pq.read_table(path).equals(resiliency_table(FACTS))


def test_where_no_half_life_is_known_days_have_no_score() -> None:
    rows = resiliency_table(FACTS | {"half_life": None}).to_pylist()
    assert [row["score"] for row in rows if row["feature"] == "all"] == [None, None]
    assert rows[1]["half_life_days"] == pytest.approx(50.0)
