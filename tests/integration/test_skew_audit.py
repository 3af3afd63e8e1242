"""Slates of the real service, through ingest and dbt: each comes out again, bit for bit."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from bench.editor import HOUR, PICTURES, PLACES, serve_slates
from tests.integration.trained_home import END, RECOMMENDER

from letterpress.clock import ManualClock
from letterpress.datasets.read_training_set import read_training_set
from letterpress.datasets.skew_audit import PAST_CHANGED
from letterpress.datasets.training_arrays import SEPARATOR
from letterpress.errors import GateFailedError, ModelRefusedError, NotYetThereError
from letterpress.evaluation.verdict import Verdict
from letterpress.events.codec import encode
from letterpress.features import feature_names
from letterpress.features.denial import denied_columns
from letterpress.lake import snapshot_export
from letterpress.lake.logged_slate import find_slate
from letterpress.lake.snapshot_history import read_history
from letterpress.lake.snapshot_layout import WINDOWS
from letterpress.lake.snapshots import COUNT_NAMES, Snapshot
from letterpress.orchestration.audit_skew import audit_skew, report_skew
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.deny_features import deny_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.release_challenger import release_challenger
from letterpress.orchestration.replay_slate import replay_slate
from letterpress.ranking.exploration import SEED_BITS, seed_of
from letterpress.registry.audits import AuditRecord, read_audit
from letterpress.registry.publication import publish, published
from letterpress.registry.store import model_version
from letterpress.registry.verdicts import write_verdict
from letterpress.serving.replay import logged_features
from letterpress.serving.request_features import request_features
from letterpress.settings import ServiceSettings, Settings
from letterpress.site.skew_page import PAGE

SLATES = 700


def ask_for_slates(
    settings: Settings, clock: ManualClock, *, slates: int, seed: int = 0, live: bool = True
) -> None:
    """Slates and what becomes of them, through the service into raw; with live counts, or without."""
    serve_slates(settings, clock, slates=slates, seed=seed, live=live)
    clock.advance(HOUR)
    ingest_landing(settings, clock)


def rebuild(settings: Settings, clock: ManualClock) -> None:
    ranges = ingest_landing(settings, clock)["ranges"]
    whole = f"{min(each[:13] for each in ranges)}--{max(each[-13:] for each in ranges)}"
    build_features(settings, whole)
    publish_features(settings, whole, clock=clock)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(END + timedelta(minutes=1))


@pytest.fixture(scope="module")
def served(trained_home: Path, clock: ManualClock, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home whose service was asked in two hours that lie apart, with a new snapshot in between."""
    home = tmp_path_factory.mktemp("served") / "var"
    shutil.copytree(trained_home, home)
    settings = Settings(home=home, service=ServiceSettings(audit_share=1.0, log_flush_seconds=0.02))
    ask_for_slates(settings, clock, slates=SLATES, seed=1)
    rebuild(settings, clock)
    ask_for_slates(settings, clock, slates=SLATES, seed=2)
    return settings


@pytest.fixture
def own(served: Settings, tmp_path: Path) -> Settings:
    """A copy that a test may damage."""
    shutil.copytree(served.paths.root, tmp_path / "var")
    return served.model_copy(update={"home": tmp_path / "var"})


def record_of(settings: Settings, clock: ManualClock) -> AuditRecord:
    audit_skew(settings, clock=clock)
    record = read_audit(settings.paths, RECOMMENDER)
    assert record is not None
    return record


def asked_before(settings: Settings) -> list[float]:
    """What newest slates of a session logged as its requests before; 0 where none was known."""
    slates = [find_slate(settings.paths, slate_id) for slate_id in slate_ids(settings, count=20)]
    column = feature_names(PICTURES).index("session_requests")
    return [(each.items[0].features or [])[column] or 0.0 for each in slates]


def skewed_features(record: AuditRecord) -> set[str]:
    return {each["name"] for each in record.features if each["mismatches"]}


def test_ten_thousand_vectors_that_the_service_logged_come_out_of_raw_again_bit_for_bit(
    served: Settings, clock: ManualClock
) -> None:
    record = record_of(served, clock)
    assert (record.compared, record.mismatches) == (2 * SLATES * PLACES, 0), skewed_features(record)
    assert record.compared >= 10_000
    assert len(read_history(served.paths)) == 2
    assert record.not_comparable == {}
    assert {each["compared"] for each in record.features} == {record.compared}
    assert max(asked_before(served)) > 5, "sessions went on while the service counted them"
    report_skew(served)
    assert "every bit was the same" in (served.paths.site / PAGE).read_text()


def test_a_column_of_counts_that_is_damaged_on_its_way_into_the_snapshot_is_named_and_stops_promotion(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(END + timedelta(days=2))
    honest = snapshot_export.write_entity

    def export_too_many_clicks(folder: Path, entity: str, keys: Any, counts: Any) -> None:
        if entity == "item":
            counts = counts + (np.array(COUNT_NAMES * len(WINDOWS)) == "clicked")
        honest(folder, entity, keys, counts)

    monkeypatch.setattr(snapshot_export, "write_entity", export_too_many_clicks)
    publish_features(own, clock=clock)
    monkeypatch.undo()
    ask_for_slates(own, clock, slates=20)

    record = record_of(own, clock)
    assert record.mismatches > 0
    assert "item_click_rate" in skewed_features(record)
    assert "item_choose_rate" not in skewed_features(record)
    with pytest.raises(GateFailedError, match="item_click_rate"):
        report_skew(own)
    verdict = Verdict(promoted=True, reason="better", numbers={})
    against = "image_enhancement/1"
    write_verdict(own.paths, RECOMMENDER, 2, champion=against, verdict=verdict, clock=clock)
    with pytest.raises(ModelRefusedError, match="vectors differ when they are computed again"):
        release_challenger(own, RECOMMENDER, 2, clock=clock)
    assert published(own.paths)[RECOMMENDER].version == 1


def test_a_service_that_fills_features_in_another_way_is_found(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(END + timedelta(days=2))
    honest = request_features

    def fill_missing(*given: Any) -> Any:
        features = honest(*given)
        features[:, -3:] = 0.0
        return features

    monkeypatch.setattr("letterpress.serving.slate.request_features", fill_missing)
    ask_for_slates(own, clock, slates=20)

    record = record_of(own, clock)
    assert skewed_features(record) <= set(feature_names(PICTURES)[-3:])
    assert record.mismatches > 0

    clock.advance(timedelta(hours=25))
    monkeypatch.undo()
    ask_for_slates(own, clock, slates=20, seed=3)
    mended = record_of(own, clock)
    assert (mended.compared, mended.mismatches) == (20 * PLACES, 0), "what is mended is forgiven after a day"
    report_skew(own)


def test_slates_whose_past_has_changed_cannot_be_compared_and_are_no_skew(
    own: Settings, clock: ManualClock
) -> None:
    line = {
        "type": "outcome",
        "event_id": "late",
        "tenant": "fern",
        "recommender": RECOMMENDER,
        "occurred_at": END.isoformat(),
        "received_at": (END - HOUR).isoformat(),
        "slate_id": "s",
        "item_id": "i",
        "kind": "clicked",
    }
    (own.paths.landing / "late.jsonl").write_text(json.dumps(line) + "\n")
    ingest_landing(own, clock)

    record = record_of(own, clock)
    assert (record.compared, record.mismatches) == (0, 0)
    assert record.not_comparable == {PAST_CHANGED: 2 * SLATES * PLACES}
    page = (own.paths.site / PAGE).read_text()
    assert f"unknown: none of {2 * SLATES * PLACES:,} sampled vectors could be compared" in page


def test_denying_for_a_tenant_of_whom_nothing_arrived_says_who_may_be_meant(own: Settings) -> None:
    tenant = sorted(Snapshot.open(own.paths).items(RECOMMENDER).spans)[0]

    found = deny_features(own, [f"{tenant}x=warmth", f"{tenant}=warmth"], [])

    assert found["remarks"] == [f"nothing of a tenant {tenant}x has arrived by now; did you mean {tenant}"]
    assert set(found["denied"]) == {tenant, f"{tenant}x"}


def test_what_a_tenant_denied_is_missing_where_it_is_served_and_where_it_is_trained_on(own: Settings) -> None:
    clock = ManualClock(END + timedelta(days=2))
    before = Snapshot.open(own.paths)
    tenant = sorted(before.items(RECOMMENDER).spans)[0]
    deny_features(own, [f"{tenant}=label:shared", f"{tenant}=warmth"], [])
    assert Snapshot.open(own.paths).denied == {}, "a snapshot never changes"
    publish_features(own, clock=clock)
    snapshot = Snapshot.open(own.paths)
    assert snapshot.denied == {tenant: ("label:shared", "warmth")}
    columns, defaults = denied_columns(PICTURES, snapshot.denied[tenant])

    ask_for_slates(own, clock, slates=24, seed=8)
    slates = [find_slate(own.paths, slate_id) for slate_id in slate_ids(own, count=24)]
    assert {each.snapshot for each in slates} == {snapshot.snapshot_id}
    for slate in slates:
        features = logged_features(slate.items)
        assert features is not None
        is_missing = np.array_equal(
            features[:, columns], np.tile(defaults, (len(features), 1)), equal_nan=True
        )
        assert is_missing == (slate.tenant == tenant)
    assert record_of(own, clock).mismatches == 0
    replayed = next(each.slate_id for each in slates if each.tenant == tenant)
    assert parts_of(own, replayed) == all_parts_equal(own, replayed)

    trained = read_training_set(snapshot, PICTURES)
    of_tenant = np.repeat(
        [each.startswith(f"{tenant}{SEPARATOR}") for each in trained.slate_ids], trained.group_sizes
    )
    assert np.array_equal(
        trained.features[of_tenant][:, columns], np.tile(defaults, (of_tenant.sum(), 1)), equal_nan=True
    )
    honest = read_training_set(before, PICTURES).features
    assert len(honest) == len(trained.features)
    assert trained.features[~of_tenant].tobytes() == honest[~of_tenant].tobytes()
    kept = np.delete(np.arange(honest.shape[1]), columns)
    assert np.array_equal(trained.features[:, kept], honest[:, kept], equal_nan=True)


def slate_ids(settings: Settings, *, count: int, explored: bool = False) -> list[str]:
    """The newest slates that the service logged, or those of them that were shuffled."""
    raw = str(settings.paths.raw / "recommender=image_enhancement" / "hour=*" / "slate.parquet")
    bound = PICTURES.exploration * 2**SEED_BITS if explored else 2.0**SEED_BITS
    found = duckdb.execute(
        "select slate_id from read_parquet(?, union_by_name = true) where described is not null "
        "and seed < ? order by occurred_at desc limit ?",
        [raw, bound, count],
    ).fetchall()
    return [slate_id for (slate_id,) in found]


def parts_of(settings: Settings, slate_id: str) -> dict[str, bool | None]:
    return {part["name"]: part["equal"] for part in replay_slate(settings, slate_id)["parts"]}


ALL_EQUAL: dict[str, bool | None] = {"features": True, "scores": True, "choice": True}
ALL_BUT_LIVE = ALL_EQUAL | {"features": None}
"""What lay on the snapshot is not in it; the audit counts it again from raw."""


def all_parts_equal(settings: Settings, slate_id: str) -> dict[str, bool | None]:
    """What an honest slate replays as. The first ones of a service come before its live counts."""
    has_live_counts = find_slate(settings.paths, slate_id).live_until is not None
    return ALL_BUT_LIVE if has_live_counts else ALL_EQUAL


def test_slates_of_every_kind_of_model_replay_with_features_scores_order_and_propensities(
    own: Settings,
) -> None:
    for slate_id in (*slate_ids(own, count=3), *slate_ids(own, count=3, explored=True)):
        assert parts_of(own, slate_id) == all_parts_equal(own, slate_id)  # of popularity
    clock = ManualClock(END + timedelta(days=2))
    trees = model_version(own.paths, RECOMMENDER, 2)
    assert trees.open_bundle().manifest.kind == "xgboost"
    publish(own.paths, recommender=RECOMMENDER, version=2, bento=None, bundle=trees.bundle, clock=clock)
    ask_for_slates(own, clock, slates=6, seed=5, live=False)
    replayed = [replay_slate(own, slate_id) for slate_id in slate_ids(own, count=6)]
    assert {each["model"] for each in replayed} == {"image_enhancement/2"}
    assert all(part["equal"] for each in replayed for part in each["parts"])


def test_a_slate_that_was_shown_otherwise_than_its_model_says_is_told_part_by_part(
    own: Settings,
) -> None:
    clock = ManualClock(END + timedelta(days=2))
    ask_for_slates(own, clock, slates=1, seed=6, live=False)
    (honest,) = slate_ids(own, count=1)
    assert parts_of(own, honest) == ALL_EQUAL
    slate = find_slate(own.paths, honest)
    slate.slate_id, slate.event_id, slate.seed = "forged", "forged", seed_of("forged")
    slate.items[0].score, slate.items[1].propensity = 9.0, 0.5
    (own.paths.landing / "forged.jsonl").write_bytes(encode(slate) + b"\n")
    ingest_landing(own, clock)

    result = replay_slate(own, "forged")
    assert not result["equal"]
    parts = {part["name"]: part for part in result["parts"]}
    (score,) = parts["scores"]["differences"]
    assert (score["position"], score["logged"]) == (1, 9.0)
    assert 0.5 in [each["logged"]["propensity"] for each in parts["choice"]["differences"]]
    assert parts["features"]["equal"]


def test_what_is_gone_is_said_and_the_rest_is_replayed(own: Settings, clock: ManualClock) -> None:
    (slate_id,) = slate_ids(own, count=1)
    slate = find_slate(own.paths, slate_id)
    shutil.rmtree(own.paths.snapshots / (slate.snapshot or ""))
    result = replay_slate(own, slate_id)
    assert result["equal"]
    assert [part["equal"] for part in result["parts"]] == [None, True, True]
    assert "is gone" in result["parts"][0]["detail"]

    slate.slate_id, slate.event_id, slate.model = "other", "other", "image_enhancement/99"
    (own.paths.landing / "other.jsonl").write_bytes(encode(slate) + b"\n")
    ingest_landing(own, clock)
    with pytest.raises(NotYetThereError, match="image_enhancement/99 in the registry, found versions: 1, 2"):
        replay_slate(own, "other")
    with pytest.raises(NotYetThereError, match="run `letterpress ingest` first"):
        replay_slate(own, "f" * 32)
