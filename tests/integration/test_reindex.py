from datetime import UTC, datetime

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import StorageError
from letterpress.events.codec import encode
from letterpress.events.types import Outcome
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.look_after_lake import check_ledger, reindex_lake
from letterpress.settings import Settings

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = "recommender=image_enhancement/hour=2026-01-05T00/outcome.parquet"


def land(settings: Settings) -> None:
    settings.paths.landing.mkdir(parents=True, exist_ok=True)
    event = Outcome(
        event_id="e1",
        tenant="alder",
        recommender="image_enhancement",
        occurred_at=START,
        slate_id="s1",
        item_id="i1",
        kind="delivered",
    )
    (settings.paths.landing / "a.jsonl").write_bytes(encode(event) + b"\nbad\n")


def test_rows_that_raw_lost_are_told_and_come_back_with_a_reindex(settings: Settings) -> None:
    clock = ManualClock(START)
    land(settings)
    assert ingest_landing(settings, clock)["watermarks"] == {"alder": "2026-01-02T00:00:00+00:00"}
    counted = {"raw_expected": 1, "raw_found": 1, "quarantined_expected": 1, "quarantined_found": 1}
    assert check_ledger(settings) == counted
    (settings.paths.raw / HOUR).unlink()
    with pytest.raises(StorageError, match="expected 1 rows in raw as the ledger says, found 0"):
        check_ledger(settings)
    assert reindex_lake(settings) == {"runs": 0, "events": 0}
    land(settings)
    assert ingest_landing(settings, clock)["raw"] == 1
    assert (settings.paths.raw / HOUR).is_file()
    assert check_ledger(settings) == counted | {"raw_expected": 1}
