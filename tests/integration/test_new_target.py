"""A target that the log did not know from its beginning, in the steps of docs/targets.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.unit.serving.test_asgi import call

from letterpress.clock import ManualClock
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.build_features import run_dbt, start_build
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.judge_challenger import judge_challenger
from letterpress.orchestration.model_cards import make_model_card
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.ranking.popularity import popularity_bundle
from letterpress.recommenders import RECOMMENDERS, Recommender, get_recommender
from letterpress.registry.publication import publish
from letterpress.registry.store import make_champion, model_version, register
from letterpress.registry.verdicts import read_verdict
from letterpress.serving.service import RankingService
from letterpress.settings import Settings
from letterpress.simulation.simulate import Plan, simulate
from letterpress.simulation.truth import TRUTH, Truth

NAME, TARGET = "image_enhancement", "converted"
BEGIN, DAYS, SLATES, DRIFT_DAY = datetime(2026, 1, 5, tzinfo=UTC), 6, 2_000, 1
SINCE = BEGIN + timedelta(days=DRIFT_DAY)
CLOCK = ManualClock(BEGIN + timedelta(days=DAYS))
PICTURES = get_recommender(NAME)
BEFORE = replace(PICTURES, targets=tuple(each for each in PICTURES.targets if each.name != TARGET))
AFTER = replace(PICTURES, targets=(*BEFORE.targets, replace(PICTURES.target(TARGET), since=SINCE)))
REQUESTS = 60


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home whose log begins to tell of conversions on its second day; its truth lies beside it."""
    settings = Settings(home=tmp_path_factory.mktemp("new-target") / "var")
    landing = settings.paths.landing
    simulate(Plan(DAYS, SLATES, settings.seed, "new-target", BEGIN, DRIFT_DAY), landing)
    (landing / TRUTH).rename(settings.paths.root / TRUTH)
    ingest_landing(settings, CLOCK)
    start_build(settings, None)
    run_dbt(settings, ["run"], None)
    publish_features(settings, clock=CLOCK)
    return settings


@pytest.fixture(scope="module")
def declare() -> Iterator[Any]:
    """Puts a declaration in the place of the one of pictures."""
    with pytest.MonkeyPatch.context() as patch:
        yield lambda declared: patch.setitem(RECOMMENDERS, NAME, declared)


@pytest.fixture(scope="module")
def answers(settings: Settings, declare: Any) -> dict[str, list[dict[str, Any]]]:
    """Items of answers, by what had been done when they were asked for, and the true rates beside them."""
    found = {}
    declare(BEFORE)
    register_popularity(settings, BEFORE)
    found["before"] = ask(settings)
    declare(AFTER)
    found["declared"] = ask(settings)
    version = train_challenger(settings, NAME)["version"]
    judge_challenger(settings, NAME, version, clock=CLOCK)
    bundle = model_version(settings.paths, NAME, version).bundle
    publish(settings.paths, recommender=NAME, version=version, bento=None, bundle=bundle, clock=CLOCK)
    found["trained"] = ask(settings)
    return found


def register_popularity(settings: Settings, declared: Recommender) -> None:
    """Make popularity the first champion, without packing it."""
    home = settings.paths
    bundle = popularity_bundle(declared, Snapshot.open(home).snapshot_id)
    path = bundle.save(home.registry / "bundles" / NAME)
    version = register(home, NAME, path, {}, {})
    make_champion(home, NAME, version, instead_of="none")
    publish(home, recommender=NAME, version=version, bento=None, bundle=path, clock=CLOCK)


def ask(settings: Settings) -> list[dict[str, Any]]:
    """The items of answers to requests like the newest of the log, with their true conversion rates."""
    service = RankingService(settings, CLOCK)
    service.start()
    found = []
    slates = sorted(Truth.open(settings.paths.root).slates().to_pylist(), key=lambda each: each["at"])
    for slate in slates[-REQUESTS:]:
        answer = call(service, "/v1/rank", json.dumps(request_of(slate)).encode()).json
        rates = true_rates(settings.paths.root, slate)
        found += [each | {"truth": rates[each["item_id"]]} for each in answer["items"]]
    service.stop()
    return found


def request_of(slate: dict[str, Any]) -> dict[str, Any]:
    labels = {name: slate[name] for name in ("segment", "industry", "campaign_type")}
    return {
        "recommender": NAME,
        "tenant": slate["best_items"][0].split("-")[0],
        "slot": "hero",
        "campaign": {"campaign_id": "c", **labels, "send_at": slate["at"].isoformat()},
        "items": [{"item_id": each} for each in slate["best_items"]],
    }


def true_rates(root: Path, slate: dict[str, Any]) -> dict[str, float]:
    """Conversions of what is delivered, by item."""
    truth = Truth.open(root)
    items = truth.items().select(["item_id", f"conversion:{slate['campaign_type']}"]).to_pydict()
    effects = dict(zip(*items.values(), strict=True))
    base = truth.facts["base_conversion_rate"] * slate["click_factor"]
    return {
        item: rate * base * float(np.exp(effects[item]))
        for item, rate in zip(slate["best_items"], slate["best_rates"], strict=True)
    }


def test_the_mart_has_a_column_of_the_target_that_counts_from_when_it_was_logged(settings: Settings) -> None:
    examples = pq.read_table(Snapshot.open(settings.paths).training_path(NAME), columns=["shown_at", TARGET])
    is_late = np.array([each >= SINCE for each in examples["shown_at"].to_pylist()])
    counted = examples[TARGET].to_numpy()
    assert counted[is_late].sum() > 500
    assert counted[~is_late].sum() < 100


def test_a_model_older_than_the_declaration_tells_what_is_believed_of_the_target(
    answers: dict[str, list[dict[str, Any]]],
) -> None:
    assert all(TARGET not in each["predicted"] for each in answers["before"])
    told = [each["predicted"][TARGET] for each in answers["declared"]]
    assert all(each["high"] > 3 * each["low"] for each in told)


def test_after_training_the_answer_holds_calibrated_rates_of_the_target(
    answers: dict[str, list[dict[str, Any]]],
) -> None:
    def tell(step: str) -> np.ndarray[Any, Any]:
        return np.array([list(each["predicted"][TARGET].values()) for each in answers[step]])

    truth = np.array([each["truth"] for each in answers["trained"]])
    rates, low, high = tell("trained").T
    held = (low <= truth) & (truth <= high)
    assert held.mean() >= 0.88
    assert rates.mean() == pytest.approx(truth.mean(), rel=0.15)
    _, believed_low, believed_high = tell("declared").T
    assert np.median(high / low) < 0.5 * np.median(believed_high / believed_low)


def test_the_card_lists_the_target_with_its_weight_and_how_well_its_rates_fit(
    settings: Settings, answers: dict[str, list[dict[str, Any]]]
) -> None:
    assert answers["trained"]
    record = read_verdict(settings.paths, NAME, 2)
    assert record is not None
    card = make_model_card(AFTER, model_version(settings.paths, NAME, 2).open_bundle(), record)
    assert [each.weight for each in card.targets if each.name == TARGET] == [AFTER.target(TARGET).weight]
    assert record.numbers["calibration"][TARGET]["low"] < 0.25
