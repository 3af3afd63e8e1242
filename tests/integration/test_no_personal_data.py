"""After a run whose input was full of personal data not one byte of it lies under the home."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.integration.byte_search import places_of

from letterpress.clock import ManualClock
from letterpress.lake import masking
from letterpress.lake.ingest import ingest
from letterpress.lake.ledger import total_counts
from letterpress.lake.put_aside import masked_counts
from letterpress.log import logger
from letterpress.orchestration.bootstrap_champion import bootstrap_champion
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.build_site import build_site
from letterpress.orchestration.import_logs import import_logs
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.run_gate import run_gate
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.serving.service import RankingService
from letterpress.settings import Home, Settings
from letterpress.simulation.simulate import Plan, simulate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")

PICTURES = "image_enhancement"
START = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))
MAIL, OTHER_MAIL, CODED_MAIL = (
    "wanda.zq17@planted.example",
    "zq+news@xn--plnted-eua.example",
    "zq%40plan.example",
)
PHONE, OTHER_PHONE = "+1 415 555 2671", "(415) 555-0188"
RECIPIENT, BUILDER, VISIT = "recipient-zq-4711", "builder-zq-815", "visit-zq-99"
PLANTED = (MAIL, OTHER_MAIL, CODED_MAIL, PHONE, OTHER_PHONE, RECIPIENT, BUILDER, VISIT)
CORES = ("wanda.zq17", "planted.example", "xn--plnted", "415 555 2671", "555-0188", "zq%40", "zq-4711")
"""What would be left of a planted value that was masked in part."""


def plant(line: bytes, number: int) -> bytes:
    """The event with personal data in all the fields that can hold a text."""
    event = json.loads(line)
    event["event_id"] += f" {MAIL}"
    event["colour"] = {MAIL: [OTHER_PHONE, {"deep": CODED_MAIL}]}
    kind = event["type"]
    if kind == "item":
        event["labels"] |= {OTHER_MAIL: PHONE, "text": f"Dear {MAIL}"}
        event["attributes"][f"size of {PHONE}"] = 1.5
    elif kind in {"slate", "campaign"}:
        event["campaign"]["campaign_id"] += f"/{OTHER_MAIL}"
        event["campaign"]["labels"] = {"for": MAIL, PHONE: "x"}
    if kind in {"slate", "interaction"}:
        event |= {"builder_id": BUILDER, "session_id": VISIT}
    if kind == "outcome":
        event["recipient_id"] = RECIPIENT if number % 2 else MAIL
    for place in [event, *event.get("items", [])]:
        if place.get("item_id", "").endswith("-80"):
            place["item_id"] += f" for {MAIL}"
    return json.dumps(event).encode()


def bad_lines() -> list[bytes]:
    """Lines for quarantine, with and without a tenant."""
    return [
        f'{{"type":"outcome","tenant":"maple","event_id":"{MAIL}"'.encode(),
        f'{{"type":"outcome","tenant":"{MAIL}","event_id":7,"who":"{RECIPIENT}"}}'.encode(),
        f"call {PHONE} or {OTHER_PHONE}".encode(),
        f"{MAIL} \xff".encode("latin-1"),
        json.dumps({"type": "item", "labels": {MAIL: "a\u0007b"}, "tenant": BUILDER}).encode(),
        json.dumps({"type": MAIL, "tenant": "maple", "recipient_id": RECIPIENT}).encode(),
    ]


def write_logs(folder: Path) -> dict[str, list[str]]:
    """Logs of all formats by format, in a folder outside of the home."""
    simulate(Plan(9, 1500, 7, "steady", START), folder / "world")
    events = [
        line
        for path in sorted((folder / "world").glob("*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    native = folder / f"log of {MAIL}.jsonl.gz"
    planted = [plant(line, number) for number, line in enumerate(events)]
    native.write_bytes(gzip.compress(b"\n".join([*planted, *bad_lines()]), 1))
    user = {"user": RECIPIENT, "session": VISIT, "timestamp": 1655896899000}
    metarank = folder / "metarank.jsonl"
    documents: list[dict[str, Any]] = [
        {"event": "user", "id": f"u {MAIL}", "fields": [{"name": "mail", "value": MAIL}]} | user,
        {"event": "ranking", "id": "r1", "items": [{"id": MAIL}, {"id": PHONE}]} | user,
        {"event": "interaction", "id": "c1", "type": MAIL, "ranking": "r1", "item": MAIL} | user,
        {"event": "interaction", "id": 5, "why": PHONE} | user,
    ]
    metarank.write_text("\n".join(map(json.dumps, documents)))
    tests = folder / "tests.csv"
    tests.write_text(
        "clickability_test_id,headline,impressions,clicks,test_week,trusted\n"
        f"t {MAIL},Write to {MAIL},3000,30,201446,True\nt {MAIL},Call {PHONE},2900,0,201446,True\n"
        f"{MAIL},{OTHER_PHONE},many,1,201446,True\n"
    )
    return {"letterpress": [str(native)], "metarank": [str(metarank)], "ab-test": [str(tests)]}


def ask_the_service(settings: Settings) -> None:
    """Slates and events of an editor that knows no better, good and refused ones."""
    service = RankingService(settings, CLOCK)
    service.start()
    try:
        request = {
            "recommender": PICTURES,
            "tenant": "maple",
            "slot": f"hero of {MAIL}",
            "campaign": {"campaign_id": f"c {PHONE}", "segment": MAIL, "labels": {OTHER_MAIL: OTHER_PHONE}},
            "items": [{"item_id": MAIL}, {"item_id": "plain", "labels": {"for": MAIL}}],
            "builder_id": BUILDER,
            "session_id": VISIT,
        }
        answer = asyncio.run(service.rank_document(request))
        assert {item["item_id"] for item in answer["items"]} == {MAIL, "plain"}
        shared = {"recommender": PICTURES, "tenant": "maple", "occurred_at": "2026-01-19T10:00:00Z"}
        click = shared | {"slate_id": answer["slate_id"], "item_id": MAIL, "note": [PHONE, CODED_MAIL]}
        events = [
            click | {"type": "interaction", "event_id": MAIL, "action": "chosen", "builder_id": BUILDER},
            click | {"type": "outcome", "event_id": "o1", "kind": "clicked", "recipient_id": RECIPIENT},
            click | {"type": "outcome", "event_id": "o2", "kind": MAIL, "recipient_id": RECIPIENT},
        ]
        taken = asyncio.run(service.intake.take(json.dumps(events).encode()))
        assert (taken.accepted, len(taken.rejected)) == (2, 1)
    finally:
        service.stop()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home after the whole loop, with all that was logged beside it."""
    settings = Settings(home=tmp_path_factory.mktemp("used") / "var")
    home = settings.paths
    home.log.mkdir(parents=True)
    handler = logging.FileHandler(home.log / "run.log")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    for log_format, paths in write_logs(tmp_path_factory.mktemp("logs")).items():
        import_logs(settings, log_format, paths, clock=CLOCK)
    (home.landing / "dropped.jsonl").write_bytes(b"\n".join(bad_lines()))
    ingest_landing(settings, CLOCK)
    run_gate(settings, "raw_log")
    build_features(settings)
    publish_features(settings, clock=CLOCK)
    run_gate(settings, "training_set", recommender=PICTURES)
    bootstrap_champion(settings, PICTURES, clock=CLOCK)
    train_challenger(settings, PICTURES)
    ask_the_service(settings)
    build_site(settings, CLOCK)
    logger.removeHandler(handler)
    handler.close()
    return settings


def test_nothing_personal_lies_anywhere_under_the_home(used: Settings) -> None:
    assert list((used.paths.landing / "service").glob("*.jsonl")), (
        "the service's log is among what is searched"
    )
    assert places_of((*PLANTED, *CORES), used.paths.landing) == {}
    ingest_landing(used, CLOCK)
    assert places_of((*PLANTED, *CORES), used.paths.root) == {}


def test_everything_was_read_and_what_was_masked_still_joins(used: Settings) -> None:
    totals = total_counts(used.paths)
    assert totals["quarantined"] >= 2 * len(bad_lines())
    assert totals["raw"] > 10_000
    found = {(row["event"], row["field"], row["kind"]) for row in masked_counts(used.paths)}
    assert {
        ("item", "labels", "email"),
        ("item", "labels", "phone"),
        ("item", "attributes", "phone"),
        ("item", "item_id", "email"),
        ("slate", "items.item_id", "email"),
        ("slate", "campaign.labels", "phone"),
        ("slate", "builder_id", "identifier"),
        ("outcome", "recipient_id", "identifier"),
        ("outcome", "extra", "email"),
    } <= found
    raw = list(used.paths.raw.glob(f"recommender={PICTURES}/**/*.parquet"))
    ids: dict[str, set[str]] = {}
    for path in raw:
        for row in pq.read_table(path).to_pylist():
            shown = [row, *row.get("items", [])] if "items" in row else [row]
            ids.setdefault(path.stem, set()).update(each["item_id"] for each in shown if each.get("item_id"))
    masked = {name for name in ids["outcome"] if "[email:" in name}
    assert masked
    assert masked <= ids["slate"] | ids["item"]


def test_the_search_finds_what_one_forgotten_field_would_leave(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {
        "type": "slate",
        "event_id": "e",
        "tenant": "t",
        "recommender": PICTURES,
        "occurred_at": "2026-01-05T03:00:00Z",
        "slate_id": "s",
        "slot": "hero",
        "policy": "p",
        "campaign": {"campaign_id": "c", "labels": {"for": MAIL}},
        "items": [{"item_id": "i", "position": 1}],
        "note": PHONE,
    }
    home.landing.mkdir(parents=True)
    (home.landing / "log.jsonl").write_text(json.dumps(event))
    monkeypatch.setattr(masking, "_mask_nested", lambda *_: None)
    ingest(home, CLOCK, threads=1)
    raw = {path for path in places_of([MAIL], home.raw).get(MAIL, set()) if path.endswith("slate.parquet")}
    assert len(raw) == 1
    assert places_of([PHONE], home.raw) == {}


def test_the_search_sees_through_every_wrapping(tmp_path: Path) -> None:
    import base64
    from urllib.parse import quote

    for name, content in {
        "plain": MAIL.encode(),
        "packed": gzip.compress(MAIL.encode()),
        "percent": quote(MAIL).encode(),
        "base64": base64.b64encode(f"xy{MAIL}z".encode()),
        "wide": MAIL.encode("utf-16-le"),
        f"in the name {MAIL}": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    nested = {"labels": [{"for": [MAIL]}], "plain": ["x"]}
    pq.write_table(pa.Table.from_pylist([nested]), tmp_path / "nested.parquet")
    pq.write_table(pa.table({"coded": pa.array([MAIL]).dictionary_encode()}), tmp_path / "coded.parquet")
    pq.write_table(pa.table({f"column {MAIL}": [1]}), tmp_path / "column.parquet")
    with duckdb.connect(str(tmp_path / "tables.duckdb")) as connection:
        connection.execute("create table t as select map {'for': [?]} as labels", [MAIL])
    assert len(places_of([MAIL], tmp_path)[MAIL]) == 10
