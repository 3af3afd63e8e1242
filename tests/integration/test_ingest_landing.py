from datetime import UTC, datetime, timedelta

from letterpress.clock import ManualClock
from letterpress.events.codec import encode
from letterpress.events.types import Outcome
from letterpress.orchestration.ingest_landing import announce_ranges, ingest_landing
from letterpress.settings import Settings

START = datetime(2026, 1, 5, tzinfo=UTC)


def land(settings: Settings, name: str, hours: list[int]) -> None:
    events = [
        Outcome(
            event_id=f"{name}-{hour}",
            tenant="alder",
            recommender="image_enhancement",
            occurred_at=START + timedelta(hours=hour),
            slate_id="s1",
            item_id="i1",
            kind="delivered",
        )
        for hour in hours
    ]
    settings.paths.landing.mkdir(parents=True, exist_ok=True)
    path = settings.paths.landing / f"{name}.jsonl"
    path.write_bytes(b"".join(encode(event) + b"\n" for event in events))


def test_the_first_build_gets_one_range_and_later_ones_only_what_changed(settings: Settings) -> None:
    clock = ManualClock(START + timedelta(days=3))
    land(settings, "history", [0, 1, 40])
    first = ingest_landing(settings, clock)
    assert first["ranges"] == ["2026-01-05T00--2026-01-06T17"]
    announce_ranges(settings, first["ranges"], first["batch"])
    settings.paths.snapshots.mkdir(parents=True)
    (settings.paths.snapshots / "current.json").write_bytes(
        b'{"snapshot": "0123456789abcdef", "published_at": "2026-01-08T00:00:00Z"}'
    )
    land(settings, "late", [2, 30])
    assert ingest_landing(settings, clock)["ranges"] == [
        "2026-01-05T02--2026-01-05T03",
        "2026-01-06T06--2026-01-06T07",
    ]
