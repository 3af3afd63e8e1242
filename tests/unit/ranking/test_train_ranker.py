from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray
from tests.unit.ranking.pet_slates import ITEMS, PETS, world

from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.train_ranker import USUAL_PLAN, FitPlan, TrainedRanker, refit_ranker, train_ranker
from letterpress.ranking.tree_parameters import tree_parameters
from letterpress.ranking.tree_scorer import TreeScorer, load_tree_scorer
from letterpress.recommenders import Recommender, get_recommender
from letterpress.recommenders.declaration import Objective

SHARES = replace(PETS, objective="softmax")


def train(
    part: TrainingSet, *, recommender: Recommender = PETS, seed: int = 7, plan: FitPlan = USUAL_PLAN
) -> TrainedRanker:
    return train_ranker(part, world(150, 2), recommender, seed=seed, threads=1, plan=plan)


def test_the_ranker_learns_what_is_chosen_and_names_what_it_used() -> None:
    trained, fresh = train(world(600, 1)), world(300, 3)
    ranked = ndcg_per_group(
        BoosterScorer(trained.booster).score(fresh.features), fresh.gains, fresh.group_offsets, 4
    )
    single = ndcg_per_group(np.nan_to_num(fresh.column("a")), fresh.gains, fresh.group_offsets, 4)
    assert ranked.mean() > single.mean() + 0.05
    assert set(list(trained.importance)[:2]) == {"a", "b"}
    assert sum(trained.importance.values()) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("objective", "name"), [("pointwise", "binary:logitraw"), ("softmax", "slate:softmax")]
)
def test_trees_of_gains_and_of_shares_order_slates_too_and_are_served_to_the_bit(
    objective: Objective, name: str, tmp_path: Path
) -> None:
    trained = train(world(600, 1), recommender=replace(PETS, objective=objective))
    fresh = world(300, 3)
    assert trained.parameters["objective"] == name
    told = scores(trained, fresh.features)
    single = ndcg_per_group(np.nan_to_num(fresh.column("a")), fresh.gains, fresh.group_offsets, 4)
    ranked = ndcg_per_group(told, fresh.gains, fresh.group_offsets, 4)
    assert ranked.mean() > single.mean() + 0.05
    served = load_tree_scorer(trained.booster, 4, tmp_path)
    assert isinstance(served, TreeScorer)
    np.testing.assert_array_equal(served.score(fresh.features), told)


def test_the_same_data_and_seed_give_the_same_bytes() -> None:
    assert train(world(300, 1)).booster == train(world(300, 1)).booster
    assert train(world(300, 1)).booster != train(world(300, 1), seed=8).booster


@pytest.mark.parametrize("objective", ["pairwise", "pointwise", "softmax"])
def test_growing_the_same_slates_again_gives_the_same_trees(objective: Objective) -> None:
    part = world(300, 1)
    trained = train(part, recommender=replace(PETS, objective=objective))
    assert trained.held_out
    assert refit_ranker(part, trained, threads=1) == trained.booster


def scores(trained: TrainedRanker, features: NDArray[np.float32]) -> NDArray[np.float64]:
    return BoosterScorer(trained.booster).score(features)


def test_a_feature_that_must_raise_scores_never_lowers_one_and_the_bytes_repeat() -> None:
    falling = turned(world(400, 1))  # more of `a` is worse here
    rising = FitPlan(parameters={"monotone_constraints": "(1,0,0,0)"})
    line = np.zeros((50, 4), np.float32)
    line[:, 0] = np.linspace(-3, 3, 50)
    assert (np.diff(scores(train(falling), line)) < 0).any()
    constrained = train(falling, plan=rising)
    assert (np.diff(scores(constrained, line)) >= 0).all()
    assert constrained.booster == train(falling, plan=rising).booster


def test_declared_directions_reach_the_trees_by_name_whatever_the_order_of_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directions = {"b": 1, "d": -1, "absent": 1}
    monkeypatch.setattr("letterpress.ranking.tree_parameters.monotone_directions", lambda _: directions)
    assert tree_parameters(PETS, ("d", "a", "b"), {}, seed=1)["monotone_constraints"] == "(-1,0,1)"
    assert "monotone_constraints" not in tree_parameters(PETS, ("a", "c"), {}, seed=1)


def test_what_is_chosen_lies_over_the_usual_parameters_and_the_seed_stays() -> None:
    pictures = get_recommender("image_enhancement")
    found = tree_parameters(pictures, ("a",), {"max_depth": 3}, seed=5)
    assert (found["max_depth"], found["eta"], found["seed"]) == (3, 0.04, 5)
    assert tree_parameters(PETS, ("a",), {}, seed=5)["lambdarank_num_pair_per_sample"] == PETS.slate_size


@pytest.mark.parametrize("recommender", [PETS, SHARES])
def test_a_start_keeps_its_trees_and_new_ones_correct_it_the_same_way_each_time(
    recommender: Recommender,
) -> None:
    first = train(world(100, 1), recommender=recommender)
    plan = FitPlan(start=first.booster)
    warm = train(world(300, 4), recommender=recommender, plan=plan)
    assert warm.trees > first.trees
    kept = xgboost.Booster(model_file=bytearray(warm.booster))[: first.trees]
    probe = world(50, 9).features
    assert (kept.inplace_predict(probe, predict_type="margin") == scores(first, probe)).all()
    assert warm.booster == train(world(300, 4), recommender=recommender, plan=plan).booster
    assert warm.valid_metric > first.valid_metric


def test_the_booster_holds_no_tree_after_the_best_one() -> None:
    trained = train(world(300, 1))
    loaded = xgboost.Booster(model_file=bytearray(trained.booster))
    assert loaded.num_boosted_rounds() == trained.trees
    assert loaded.attributes() == {}


def test_single_slots_are_learned_pointwise_when_the_judge_is_off_policy() -> None:
    single = replace(world(200, 1), group_offsets=np.arange(200 * ITEMS + 1))
    single = replace(
        single,
        slate_ids=np.arange(200 * ITEMS).astype(object),
        shown_at=np.arange(200 * ITEMS),
        campaign_codes=np.zeros(200 * ITEMS, dtype=np.int32),
    )
    trained = train_ranker(single, single, replace(PETS, judge="snips"), seed=7, threads=1)
    assert trained.parameters["objective"] == "reg:squarederror"


def test_missing_and_constant_features_do_not_stop_training() -> None:
    part = world(300, 1)
    part.features[:, 2] = np.nan
    part.features[:, 3] = 5.0
    assert set(train(part).importance) <= {"a", "b"}


def with_single_items() -> TrainingSet:
    whole = world(100, 1)
    return replace(
        whole, group_offsets=np.arange(101), features=whole.features[:100], gains=whole.gains[:100]
    )


def with_features(value: float) -> TrainingSet:
    whole = world(100, 1)
    return replace(whole, features=np.full_like(whole.features, value))


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (world(20, 1), "expected at least 50 slates to train pets on, found 20"),
        (replace(world(100, 1), clicks=np.zeros(600, dtype=np.int64)), "expected clicks"),
        (replace(world(100, 1), gains=np.full(600, 0.5, dtype=np.float32)), "found 0.5 in all 600 rows"),
        (replace(world(100, 1), campaign_codes=np.zeros(100, dtype=np.int32)), "several campaigns, found 1"),
        (with_single_items(), "one item in each of 100"),
        (with_features(5.0), "found every one of 4 constant or missing"),
        (with_features(np.nan), "found every one of 4 constant or missing"),
    ],
)
def test_data_that_cannot_teach_is_refused_in_a_sentence(part: TrainingSet, sentence: str) -> None:
    with pytest.raises(NotEnoughDataError, match=sentence):
        train(part)


def turned(part: TrainingSet) -> TrainingSet:
    """The same slates, where the worst is chosen."""
    gains = 1.0 - part.gains
    return replace(part, gains=gains.astype(np.float32), clicks=gains.astype(np.int64))


def test_slates_that_weigh_next_to_nothing_teach_next_to_nothing() -> None:
    both = TrainingSet.joined([turned(world(600, 4)), world(300, 1)])
    weights = np.repeat([1e-4, 3.0], [600, 300])
    fresh = world(300, 3)
    found = []
    for part in (both, replace(both, weights=weights / weights.mean())):
        scores = BoosterScorer(train(part).booster).score(fresh.features)
        found.append(ndcg_per_group(scores, fresh.gains, fresh.group_offsets, 4).mean())
    assert found[1] > found[0] + 0.1


def test_weights_of_one_are_the_same_as_none_for_slates_and_for_single_slots() -> None:
    part = world(300, 1)
    for recommender in (PETS, replace(PETS, judge="snips")):
        alike = replace(part, weights=np.ones(len(part)))
        assert train(alike, recommender=recommender).booster == train(part, recommender=recommender).booster


def test_a_single_slot_weighs_what_its_slate_weighs() -> None:
    both = TrainingSet.joined([turned(world(600, 4)), world(300, 1)])
    weights = np.repeat([1e-4, 3.0], [600, 300])
    snips, fresh = replace(PETS, judge="snips"), world(300, 3)
    scores = BoosterScorer(train(replace(both, weights=weights), recommender=snips).booster)
    ndcg = ndcg_per_group(scores.score(fresh.features), fresh.gains, fresh.group_offsets, 4)
    assert ndcg.mean() > 0.7


def test_progress_is_told_every_so_many_trees_with_what_the_watched_slates_say(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", logger="letterpress"):
        train(world(200, 1))
    lines = [each.getMessage() for each in caplog.records if each.getMessage().startswith("fit ")]
    assert lines[0].startswith("fit recommender=pets trees=50 of=400 valid.ndcg=0.")
    assert lines[1].startswith("fit recommender=pets trees=100 ")
