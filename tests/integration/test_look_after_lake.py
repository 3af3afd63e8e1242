"""Verification and retention on a lake that ingest wrote."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from letterpress.cli.application import build_app, run_app
from letterpress.clock import ManualClock
from letterpress.errors import StorageError
from letterpress.events.codec import encode
from letterpress.events.types import Interaction, Outcome
from letterpress.lake.identity_store import identity_folder, rebuild_identity
from letterpress.lake.raw_schema import ANCHOR_HOUR, ANCHOR_RECOMMENDER, RAW_SCHEMAS, partition_path
from letterpress.lake.rewrite import raw_files
from letterpress.orchestration.ingest_landing import announce_ranges, ingest_landing
from letterpress.orchestration.look_after_lake import apply_retention, reindex_lake, require_undamaged, verify
from letterpress.settings import RetentionSettings, Settings

START = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = ManualClock(START + timedelta(days=10))


def event(kind: type[Interaction | Outcome], hour: int, name: str = "e") -> bytes:
    rest = {"action": "chosen"} if kind is Interaction else {"kind": "clicked"}
    return encode(
        kind(
            event_id=f"{name}-{kind.__name__}-{hour}",
            tenant="alder",
            recommender="image_enhancement",
            occurred_at=START + timedelta(hours=hour, minutes=30),
            slate_id="s1",
            item_id="i1",
            **rest,  # type: ignore[arg-type]  # fits the kind
        )
    )


def land_again(settings: Settings) -> None:
    settings.paths.landing.mkdir(parents=True, exist_ok=True)
    lines = [event(kind, hour) for kind in (Interaction, Outcome) for hour in (0, 30)]
    (settings.paths.landing / "log.jsonl").write_bytes(b"\n".join([*lines, b"{broken", b""]))


@pytest.fixture
def lake(settings: Settings) -> Settings:
    """Two hours of interactions and outcomes, and a bad line."""
    land_again(settings)
    landed = ingest_landing(settings, CLOCK)
    announce_ranges(settings, landed["ranges"], landed["batch"])
    return settings


def raw_file(settings: Settings, event_type: str, hour: str) -> Path:
    return next(
        path for path in raw_files(settings.paths) if path.match(f"*hour={hour}/{event_type}.parquet")
    )


@pytest.mark.parametrize("damage", ["cut", "zeros", "changed data"])
@pytest.mark.parametrize(
    "command",
    [["lake", "--retain"], ["lake", "--reindex"], ["lake", "--check"], ["forget", "--tenant", "alder"]],
)
def test_a_damaged_raw_file_ends_every_command_with_its_name_and_the_next_step(
    lake: Settings,
    damage: str,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = raw_file(lake, "outcome", "2026-01-05T00")
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little") + 8
    changed = {
        "cut": content[:-20],
        "zeros": bytes(len(content)),
        "changed data": content[:4] + bytes(each ^ 0xFF for each in content[4:-footer]) + content[-footer:],
    }
    path.write_bytes(changed[damage])
    monkeypatch.setenv("LETTERPRESS_HOME", str(lake.home))
    monkeypatch.setenv("LETTERPRESS_RETENTION__OUTCOME_DAYS", "400")
    code = run_app(build_app(), command)
    said = capsys.readouterr().err
    if (damage, command[-1]) == ("changed data", "--check"):
        assert code == 0, "it reads footers only"
        return
    assert code == 3, said
    assert f"expected a Parquet file at {path}, found it damaged" in said
    assert "letterpress lake --verify" in said


def test_an_anchor_that_is_damaged_is_written_anew(lake: Settings) -> None:
    anchor = partition_path(lake.paths.raw, ANCHOR_RECOMMENDER, ANCHOR_HOUR, "slate")
    anchor.write_bytes(b"no Parquet")
    ingest_landing(lake, CLOCK)
    assert pq.read_schema(anchor).equals(RAW_SCHEMAS["slate"])


def test_a_lake_that_nobody_touched_verifies(lake: Settings) -> None:
    found = verify(lake)
    assert (found["files"], found["differences"]) == (5, [])
    assert found["bytes"] > 0


def test_one_flipped_byte_is_found_with_its_hour(lake: Settings) -> None:
    path = raw_file(lake, "outcome", "2026-01-05T00")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (found,) = verify(lake)["differences"]
    assert (found["kind"], found["hours"]) == ("changed", "2026-01-05T00")
    assert found["path"] == str(path.relative_to(lake.paths.root))
    steps = ("delete it", "letterpress lake --reindex", "import the logs", "letterpress features")
    places = [found["next_step"].find(step) for step in steps]
    assert -1 < places[0] < places[1] < places[2] < places[3]
    with pytest.raises(StorageError, match=f"{path.name}: changed"):
        require_undamaged(lake)
    path.unlink()
    reindex_lake(lake)
    land_again(lake)
    assert ingest_landing(lake, CLOCK)["raw"] == 1
    assert verify(lake)["differences"] == []


def test_a_flipped_byte_in_the_index_of_known_events_is_found_and_mended(lake: Settings) -> None:
    (run,) = identity_folder(lake.paths).iterdir()
    content = bytearray(run.read_bytes())
    content[3] ^= 1
    run.write_bytes(content)
    (found,) = verify(lake)["differences"]
    assert (Path(found["path"]).name, found["kind"]) == (run.name, "changed")
    assert "--reindex" in found["next_step"]
    rebuild_identity(lake.paths)
    assert verify(lake)["differences"] == []


def test_a_missing_and_an_unrecorded_file_and_damaged_quarantine_are_found(lake: Settings) -> None:
    missing = raw_file(lake, "outcome", "2026-01-05T00")
    missing.rename(missing.with_name("other.parquet"))
    (bad,) = lake.paths.quarantine.glob("*.jsonl")
    bad.write_bytes(bad.read_bytes() + b"\n")
    found = {(Path(each["path"]).name, each["kind"]) for each in verify(lake)["differences"]}
    assert found == {("outcome.parquet", "missing"), ("other.parquet", "unrecorded"), (bad.name, "changed")}


def test_the_command_exits_1_and_names_the_file(
    lake: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(lake.home))
    assert run_app(build_app(), ["lake", "--verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["differences"] == []
    raw_file(lake, "outcome", "2026-01-05T00").unlink()
    assert run_app(build_app(), ["lake", "--verify"]) == 1
    assert "outcome.parquet (hours 2026-01-05T00): missing" in capsys.readouterr().out
    assert run_app(build_app(), ["lake"]) == 2


def test_a_rewritten_partition_keeps_its_record_right(lake: Settings) -> None:
    (lake.paths.landing / "late.jsonl").write_bytes(event(Outcome, 0, "late") + b"\n")
    ingest_landing(lake, CLOCK)
    assert verify(lake)["differences"] == []


def test_retention_drops_only_what_is_too_old_of_its_type_and_announces_the_hours(lake: Settings) -> None:
    settings = lake.model_copy(update={"retention": RetentionSettings(outcome_days=9)})
    done = apply_retention(settings, CLOCK)
    assert (done["removed"], done["ranges"]) == ({"outcome": 1}, ["2026-01-05T00--2026-01-05T01"])
    assert {path.stem: pq.read_metadata(path).num_rows for path in raw_files(lake.paths)} == {
        "interaction": 1,
        "outcome": 1,
    }
    assert len(list(raw_files(lake.paths))) == 3
    assert verify(lake)["differences"] == []
    assert apply_retention(settings, CLOCK)["removed"] == {}
    assert "2026-01-05T00--2026-01-05T01" in ingest_landing(lake, CLOCK)["ranges"][0]


def test_without_limits_everything_stays(lake: Settings) -> None:
    kept = lake.model_copy(update={"retention": RetentionSettings(identifier_days=None)})
    assert apply_retention(kept, ManualClock(START + timedelta(days=4000)))["files"] == 0
    assert len(list(raw_files(lake.paths))) == 4
