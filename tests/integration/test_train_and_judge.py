from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from msgspec import structs
from playwright.sync_api import Page, expect

from letterpress.clock import ManualClock
from letterpress.datasets.temporal_split import Split
from letterpress.errors import ModelRefusedError, NotEnoughDataError, NotYetThereError, UsageError
from letterpress.evaluation.verdict import Verdict
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.bootstrap_champion import bootstrap_champion_for
from letterpress.orchestration.build_site import build_site
from letterpress.orchestration.feature_catalogue import list_catalogue
from letterpress.orchestration.judge_challenger import judge_challenger
from letterpress.orchestration.release_challenger import release_challenger, roll_back
from letterpress.orchestration.release_status import release_status
from letterpress.orchestration.score_file import score_file
from letterpress.orchestration.train_challenger import TrainingWishes, split_snapshot, train_challenger
from letterpress.orchestration.warm_start import Start, find_start
from letterpress.ranking.train_bundle import STOPPED_BY_FOLDS
from letterpress.ranking.train_ranker import FitPlan, train_ranker
from letterpress.recommenders import RECOMMENDERS, get_recommender
from letterpress.registry.lineage import learned_tenants
from letterpress.registry.packaging import bento_store
from letterpress.registry.publication import published
from letterpress.registry.store import make_champion, model_version, register, restore_previous, versions
from letterpress.registry.verdicts import read_verdict, write_verdict
from letterpress.settings import Home, Settings

PICTURES = "image_enhancement"
CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))


@pytest.fixture
def settings(trained_home: Path, tmp_path: Path) -> Settings:
    """A copy of what was built, which a test may change."""
    shutil.copytree(trained_home, tmp_path / "var", ignore=shutil.ignore_patterns("raw", "*.duckdb"))
    return Settings(home=tmp_path / "var")


def bless(settings: Settings, version: int, *, champion: str) -> None:
    verdict = Verdict(promoted=True, reason="it is better", numbers={})
    write_verdict(settings.paths, PICTURES, version, champion=champion, verdict=verdict, clock=CLOCK)


def test_training_again_on_the_same_snapshot_gives_the_same_version(settings: Settings) -> None:
    again = train_challenger(settings, PICTURES)
    assert again["version"] == 2
    assert again["train"]["last"] < again["valid"]["first"] < again["test"]["first"]
    assert len(versions(settings.paths, PICTURES)) == 2


def test_another_seed_is_another_version(settings: Settings) -> None:
    reseeded = settings.model_copy(update={"seed": 8})
    assert train_challenger(reseeded, PICTURES)["version"] == 3
    standing = bootstrap_champion_for(reseeded, PICTURES, 3, clock=CLOCK)
    assert (standing["model"], standing["is_new"]) == ("image_enhancement/1", False)


def test_the_ranker_beats_popularity_where_context_matters_and_on_new_items_too(settings: Settings) -> None:
    verdict = judge_challenger(settings, PICTURES, 2, clock=CLOCK)
    numbers = verdict["numbers"]
    assert numbers["champion"] == numbers["popularity"]
    assert numbers["gain"]["low"] > 0, verdict["reason"]
    assert numbers["look"] == 1
    shown = {name: each["mean"] for name, each in numbers["baselines"].items()}
    assert shown["random"] < numbers["popularity"]["mean"] < numbers["challenger"]["mean"]
    assert shown["random"] + 0.05 < shown["logistic"]
    assert {each["kind"] for each in numbers["slices"]} >= {"tenant", "industry", "segment", "device"}
    targets = [each for each in get_recommender(PICTURES).targets if not each.warm_up_hours]
    fitted = {each.numerator if each.is_avoided else each.name for each in targets}
    assert set(numbers["calibration"]) == fitted  # nine days are too few for a score that warms up for five
    assert all(each["low"] <= each["relative_error"] < 0.25 for each in numbers["calibration"].values())
    assert len(numbers["conditions"]) == 6
    assert all(each["value"] <= each["limit"] for each in numbers["conditions"])
    assert verdict["promoted"] or any(each["is_harmed"] for each in numbers["slices"])
    record = read_verdict(settings.paths, PICTURES, 2)
    assert record is not None
    assert record.reason == verdict["reason"]
    (new,) = (each for each in verdict["numbers"]["slices"] if each["label"] == "some new")
    assert new["kind"] == "items"
    assert new["pooled"] - 2 * new["pooled_error"] > 0


def test_the_card_of_a_candidate_says_how_it_was_judged_what_it_learned_from_and_its_limits(
    settings: Settings, open_page: Callable[..., Page]
) -> None:
    verdict = judge_challenger(settings, PICTURES, 2, clock=CLOCK)
    build_site(settings, CLOCK)
    page = open_page(settings.paths.site, "index.html", width=390)
    page.get_by_role("link", name="image_enhancement/2").click()

    assert page.get_by_role("heading", level=1).inner_text() == "image_enhancement/2"
    assert page.get_by_text(verdict["reason"]).is_visible()
    assert page.locator("#verdict svg.chart").count() == 3
    assert page.locator("#rates svg.calibration").count() == 4
    assert page.locator("#rates tbody tr").count() == len(verdict["numbers"]["conditions"])
    slices = page.locator("section", has_text="by how little evidence").locator("tbody tr")
    assert slices.count() == len(verdict["numbers"]["slices"])
    assert page.locator("li", has_text="not rates").is_visible()
    learned = page.locator("tr", has_text="learned from").locator("td").first.inner_text()
    card = json.loads((settings.paths.site / "models" / "image_enhancement-2.json").read_text())
    assert learned == f"{card['parts']['train']['slates']:,}"
    assert sum(card["features"].values()) == pytest.approx(1.0)
    assert card["verdict"] == verdict
    moved = page.locator("#shap tbody tr")
    assert moved.count() == min(15, len(card["shap"]))
    assert f"{max(card['shap'].values()):.1%}" in moved.first.inner_text()
    assert sum(card["shap"].values()) == pytest.approx(1.0, abs=1e-4)
    aged = page.locator("#resiliency")
    assert aged.locator("svg.worth rect.logged").count() == len(card["resiliency"]["partitions"])
    assert aged.get_by_text("why we still train on them").is_visible()
    cohorts = aged.locator("table", has_text="why still").locator("tbody tr")
    assert cohorts.count() == len(card["resiliency"]["cohorts"]) > 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name=next(iter(card["features"])), exact=True).first.click()
    expect(page.locator("tr[data-words]:visible")).to_have_count(1)


def test_a_search_and_what_it_started_from_are_told_in_manifest_card_and_registry(
    settings: Settings,
) -> None:
    wishes = TrainingWishes(tuning_trials=2, warm_start=True)
    trained = train_challenger(settings, PICTURES, wishes=wishes)
    assert trained["warm_start"] == {
        "from": None,
        "reason": "image_enhancement/1 is of kind popularity and has no trees",
    }
    assert len(trained["tuning"]["trials"]) == 2
    assert trained["tuning"]["trials"][0]["parameters"]["max_depth"] == 4
    verdict = judge_challenger(settings, PICTURES, 3, clock=CLOCK)
    card = json.loads((settings.paths.site / "models" / "image_enhancement-3.json").read_text())
    assert (card["tuning"], card["lineage"]["trees begun with"]) == (trained["tuning"], "none")
    assert verdict["version"] == 3
    page = (settings.paths.site / "models" / "image_enhancement-3.html").read_text()
    assert page.count('class="trial"') == 2


def test_training_goes_on_from_a_champion_that_learned_from_what_came_before_and_from_no_other(
    settings: Settings,
) -> None:
    make_champion(settings.paths, PICTURES, 2)
    declared, snapshot = get_recommender(PICTURES), Snapshot.open(settings.paths)
    split = split_snapshot(snapshot, declared)
    known = learned_tenants(settings.paths, PICTURES, 2) or set()

    def start(split: Split = split, snapshot: str = "later", tenants: set[str] = known) -> Start:
        return find_start(settings.paths, declared, split, snapshot=snapshot, tenants=tenants)

    champion = versions(settings.paths, PICTURES)[1]
    assert start().booster == champion.open_bundle().booster
    assert start().facts["from"] == champion.name
    early = split._replace(valid=split.train)
    assert "slates that are to stop this training" in start(split=early).facts["reason"]
    assert "tenants that are not in the training set" in start(tenants=set()).facts["reason"]
    again = start(snapshot=snapshot.snapshot_id)  # it began with nothing, and would again
    assert (again.booster, again.facts["reason"]) == (
        None,
        "the champion of this snapshot began with nothing",
    )
    other = replace(declared, objective="pairwise")
    unlike = find_start(settings.paths, other, split, snapshot="later", tenants=known)
    assert "learned another objective" in unlike.facts["reason"]

    plan = FitPlan(start=start().booster)
    grown = train_ranker(split.train, split.valid, declared, seed=1, threads=1, plan=plan)
    assert grown.trees > champion.open_bundle().manifest.training["trees"]


def test_a_champion_that_learned_from_the_slates_that_stopped_it_too_is_asked_for_the_newest_of_those(
    settings: Settings,
) -> None:
    declared, snapshot = get_recommender(PICTURES), Snapshot.open(settings.paths)
    split = split_snapshot(snapshot, declared)
    known = learned_tenants(settings.paths, PICTURES, 2) or set()
    manifest = model_version(settings.paths, PICTURES, 2).open_bundle().manifest
    folded = replace(
        model_version(settings.paths, PICTURES, 2).open_bundle(),
        manifest=structs.replace(manifest, training=manifest.training | {"stopped_by": STOPPED_BY_FOLDS}),
    )
    path = folded.save(settings.paths.registry / "bundles" / PICTURES)
    version = register(settings.paths, PICTURES, path, {}, {})
    make_champion(settings.paths, PICTURES, version)
    started = find_start(settings.paths, declared, split, snapshot="later", tenants=known)
    assert "slates that are to stop this training" in started.facts["reason"]


def test_a_gain_does_not_make_up_for_a_condition_that_does_not_hold(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = get_recommender(PICTURES)
    strict = replace(pictures, gates=replace(pictures.gates, max_drift=0.0))
    monkeypatch.setitem(RECOMMENDERS, PICTURES, strict)
    verdict = judge_challenger(settings, PICTURES, 2, clock=CLOCK)
    assert not verdict["promoted"]
    drift = next(each for each in verdict["numbers"]["conditions"] if each["name"] == "drift of campaigns")
    assert drift["value"] > 0
    if not any(each["is_harmed"] for each in verdict["numbers"]["slices"]):
        assert "drift of campaigns" in verdict["reason"]
    again = judge_challenger(settings, PICTURES, 2, clock=CLOCK)
    assert again == verdict  # what a busy machine measures the second time changes no record


def test_a_winner_is_released_once_however_often_the_step_runs(settings: Settings) -> None:
    bless(settings, 2, champion="image_enhancement/1")
    first = release_challenger(settings, PICTURES, 2, clock=CLOCK)
    CLOCK_LATER = ManualClock(datetime(2026, 1, 21, tzinfo=UTC))  # noqa: N806
    assert release_challenger(settings, PICTURES, 2, clock=CLOCK_LATER) == first
    assert judge_challenger(settings, PICTURES, 2, clock=CLOCK_LATER)["promoted"]
    pointer = published(settings.paths)[PICTURES]
    assert (pointer.model, pointer.bento) == ("image_enhancement/2", "ranking:image-enhancement-2")
    assert pointer.open_bundle(settings.paths).manifest.kind == "xgboost"
    bentos = bento_store(settings.paths) / "bentos" / "ranking"
    assert sorted(each.name for each in bentos.iterdir() if each.is_dir()) == [
        "image-enhancement-1",
        "image-enhancement-2",
    ]


def test_a_rolled_back_model_is_not_released_by_a_rerun(settings: Settings) -> None:
    bless(settings, 2, champion="image_enhancement/1")
    release_challenger(settings, PICTURES, 2, clock=CLOCK)
    assert roll_back(settings, PICTURES, clock=CLOCK)["model"] == "image_enhancement/1"
    assert published(settings.paths)[PICTURES].model == "image_enhancement/1"
    with pytest.raises(ModelRefusedError, match="rolled back"):
        release_challenger(settings, PICTURES, 2, clock=CLOCK)
    verdict = judge_challenger(settings, PICTURES, 2, clock=CLOCK)
    assert not verdict["promoted"]
    assert "rolled back" in verdict["reason"]


def test_a_rollback_while_a_release_is_under_way_is_not_undone_by_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bless(settings, 2, champion="image_enhancement/1")

    def make_champion_and_lose_it(home: Home, *arguments: Any, **options: Any) -> None:
        make_champion(home, *arguments, **options)
        restore_previous(home, PICTURES)

    monkeypatch.setattr(
        "letterpress.orchestration.release_challenger.make_champion", make_champion_and_lose_it
    )
    with pytest.raises(ModelRefusedError, match="found image_enhancement/1; its pointer was left alone"):
        release_challenger(settings, PICTURES, 2, clock=CLOCK)
    assert published(settings.paths)[PICTURES].model == "image_enhancement/1"


def test_nothing_is_released_without_a_verdict_or_with_one_against_another_champion(
    settings: Settings,
) -> None:
    with pytest.raises(ModelRefusedError, match="expected a verdict"):
        release_challenger(settings, PICTURES, 2, clock=CLOCK)
    bless(settings, 2, champion="image_enhancement/9")
    with pytest.raises(ModelRefusedError, match="was judged against image_enhancement/9"):
        release_challenger(settings, PICTURES, 2, clock=CLOCK)
    assert published(settings.paths)[PICTURES].model == "image_enhancement/1"


def test_a_refused_challenger_is_not_released_and_the_reason_is_given(settings: Settings) -> None:
    verdict = Verdict(promoted=False, reason="it is worse by 0.02", numbers={})
    write_verdict(settings.paths, PICTURES, 2, champion="image_enhancement/1", verdict=verdict, clock=CLOCK)
    with pytest.raises(ModelRefusedError, match=r"it is worse by 0\.02"):
        release_challenger(settings, PICTURES, 2, clock=CLOCK)


def test_popularity_never_beats_itself(settings: Settings) -> None:
    verdict = judge_challenger(settings, PICTURES, 1, clock=CLOCK)
    assert not verdict["promoted"]


def test_the_status_names_what_is_served_and_how_it_was_judged(settings: Settings) -> None:
    judge_challenger(settings, PICTURES, 2, clock=CLOCK)
    status = release_status(settings)["recommenders"]
    assert status[PICTURES]["served"]["model"] == "image_enhancement/1"
    assert [each["aliases"] for each in status[PICTURES]["versions"]] == [["champion"], ["challenger"]]
    assert "NDCG@8" in status[PICTURES]["versions"][1]["reason"]
    assert status["open_bandit"] == {"served": None, "versions": []}


def test_the_catalogue_says_how_full_features_are_and_what_the_served_model_rests_on(
    settings: Settings,
) -> None:
    features = {each["name"]: each for each in list_catalogue(settings)["features"]}
    brightness, rate = features["brightness"], features["item_choose_rate"]
    assert brightness["measured"][PICTURES]["coverage"] == 1.0
    assert 0 < brightness["measured"][PICTURES]["low"] < brightness["measured"][PICTURES]["high"] <= 1
    (use,) = rate["uses"]
    assert (use["model"], use["share"], use["drift"]) == ("image_enhancement/1", 1.0, None)
    assert use["since_model"] == "image_enhancement/1"
    assert brightness["uses"][0]["since"] is None  # popularity never looks at it
    assert features["sentence_000"]["uses"] == []

    bless(settings, 2, champion="image_enhancement/1")
    release_challenger(settings, PICTURES, 2, clock=CLOCK)
    build_site(settings, CLOCK)
    assert build_site(settings, CLOCK)["page"]  # the second time it is read from the first
    found = list_catalogue(settings, ["item's", "BRIGHTNESS"])["features"]
    assert [each["name"] for each in found] == ["brightness"]
    (use,) = found[0]["uses"]
    assert (use["model"], 0 < use["share"] < 1) == ("image_enhancement/2", True)
    assert use["since_model"] == "image_enhancement/2"
    assert use["baseline_coverage"] == 1.0
    assert 0 <= use["drift"] < 1
    page = (settings.paths.site / "features.html").read_text()
    assert "image_enhancement/1</small>" in page


def test_a_damaged_model_leaves_the_last_catalogue_and_the_index_still_comes(
    settings: Settings,
) -> None:
    build_site(settings, CLOCK)
    before = (settings.paths.site / "features.html").read_bytes()
    bless(settings, 2, champion="image_enhancement/1")
    release_challenger(settings, PICTURES, 2, clock=CLOCK)
    pointer = published(settings.paths)[PICTURES]
    (settings.paths.root / pointer.bundle / "booster.ubj").write_bytes(b"damaged")
    (settings.paths.site / "index.html").unlink()

    build_site(settings, CLOCK)

    assert (settings.paths.site / "features.html").read_bytes() == before
    assert "image_enhancement/2" in (settings.paths.site / "index.html").read_text()


def test_a_recommender_without_a_log_is_refused(settings: Settings) -> None:
    with pytest.raises(NotEnoughDataError, match="open_bandit: expected slates to train on, found none"):
        train_challenger(settings, "open_bandit")


def test_an_unknown_snapshot_is_refused(settings: Settings) -> None:
    with pytest.raises(NotYetThereError, match="found '0000000000000000'"):
        train_challenger(settings, PICTURES, "0000000000000000")


def test_scoring_a_training_file_gives_the_scores_of_the_bundle(settings: Settings, tmp_path: Path) -> None:
    source = Snapshot.open(settings.paths).training_path(PICTURES)
    result = score_file(settings, PICTURES, source, tmp_path / "scored.parquet", version=2)
    scored = pq.read_table(tmp_path / "scored.parquet")
    assert result["rows"] == scored.num_rows == pq.read_metadata(source).num_rows
    assert len(set(scored["score"].to_pylist())) > 1000


def test_scoring_a_csv_of_plain_columns_works_and_one_without_any_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("item,industry,enhancement,brightness\na,fashion,none,0.4\nb,fashion,vivid,0.9\n")
    score_file(settings, PICTURES, source, tmp_path / "scored.csv", version=2)
    header, *rows = (tmp_path / "scored.csv").read_text().splitlines()
    assert header.endswith('"score"')
    assert len(rows) == 2
    source.write_text("item,price\na,3\n")
    with pytest.raises(UsageError, match="found only item, price"):
        score_file(settings, PICTURES, source, tmp_path / "scored.csv", version=2)
