"""A tenant and a recipient go through the whole loop, are forgotten, and are searched for in every byte."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.integration.byte_search import places_of

from letterpress.clock import ManualClock
from letterpress.events.codec import encode
from letterpress.events.types import Outcome
from letterpress.lake.snapshots import Snapshot
from letterpress.lake.subject import Subject
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.forget import forget
from letterpress.orchestration.ingest_landing import announce_ranges, ingest_landing
from letterpress.orchestration.look_after_lake import verify
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.serving.event_log import EventLog
from letterpress.settings import Settings
from letterpress.simulation.simulate import Plan, simulate

PICTURES = "image_enhancement"
START = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))
TENANT, PERSON = "plantedzq", "recipient-zq-4711"


def by_recipient(tenant: str, name: str) -> bytes:
    return encode(
        Outcome(
            event_id=name,
            tenant=tenant,
            recommender=PICTURES,
            occurred_at=START,
            slate_id="none",
            item_id="none",
            kind="opened",
            recipient_id=PERSON,
        )
    )


def places_that_hold(root: Path, word: str) -> set[str]:
    """First folders (or files) under `root` in which a file holds `word`, in its name or its content."""
    return {Path(name).parts[0] for name in places_of([word], root).get(word, ())}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Nine simulated days, one of whose tenants is the planted one, through raw and marts into a model."""
    settings = Settings(home=tmp_path_factory.mktemp("planted"))
    home = settings.paths
    simulate(Plan(9, 2500, 7, "steady", START), home.landing)
    shutil.rmtree(home.landing / "truth")
    for path in home.landing.rglob("*.jsonl.gz"):
        path.write_bytes(
            gzip.compress(gzip.decompress(path.read_bytes()).replace(b"alder", TENANT.encode()), 1)
        )
    lines = [by_recipient(TENANT, "r1"), by_recipient("birch", "r2"), b'{"tenant": "plantedzq", "type": 1}']
    (home.landing / "more.jsonl").write_bytes(b"\n".join([*lines, b""]))
    landed = ingest_landing(settings, CLOCK)
    announce_ranges(settings, landed["ranges"], landed["batch"])
    build_features(settings)
    publish_features(settings, clock=CLOCK)
    train_challenger(settings, PICTURES)
    return settings


def test_nothing_holds_the_tenant_or_the_recipient_after_they_were_forgotten(planted: Settings) -> None:
    home = planted.paths
    before = Snapshot.open(home).snapshot_id
    assert {"raw", "warehouse.duckdb", "snapshots"} <= places_that_hold(home.root, TENANT)
    assert places_that_hold(home.root, PERSON) == set(), "raw knows a keyed hash only"

    log = EventLog(home.landing / "service", CLOCK, rotate_seconds=0.3, live=home.live)
    log.start()
    try:
        log.append_durable(by_recipient(TENANT, "served")).result(10)
        unlinked = forget(planted, Subject(recipient=PERSON), clock=CLOCK)
    finally:
        log.stop()
    assert unlinked["raw_unlinked"] == 3
    assert unlinked["rebuilt"] is None
    assert [each["model"] for each in unlinked["models"]] == [f"{PICTURES}/1"]
    assert places_that_hold(home.root, PERSON) == set()
    (linked,) = (
        json.loads(line) for path in (home.live / "log").iterdir() for line in path.read_text().splitlines()
    )
    assert linked["slate_id"], "the event stays for live counts"
    assert "recipient_id" not in linked

    removed = forget(planted, Subject(TENANT), clock=CLOCK)
    assert removed["raw_removed"] > 1000
    assert removed["quarantine_removed"] == 1
    assert [each["model"] for each in removed["models"]] == [f"{PICTURES}/1"]
    assert removed["models"][0]["rows"] > 100
    assert removed["retrain"] == [PICTURES]
    assert removed["left"] == []
    assert places_that_hold(home.root, TENANT) == set()

    after = Snapshot.open(home)
    assert after.snapshot_id == removed["rebuilt"]["snapshot"] != before
    assert [path.name for path in home.snapshots.iterdir() if path.is_dir()] == [after.snapshot_id]
    assert pq.read_metadata(after.training_path(PICTURES)).num_rows > 1000
    assert train_challenger(planted, PICTURES)["version"] == 2
    assert forget(planted, Subject(TENANT), clock=CLOCK)["found"] is False
    assert verify(planted)["differences"] == []
