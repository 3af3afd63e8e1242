from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost

from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.train_ranker import TrainedRanker, train_ranker
from letterpress.recommenders import Gates, Recommender, Target

PETS = Recommender(
    name="pets",
    description="Ranks pets.",
    item_kind="pet",
    slate_size=4,
    targets=(Target("chosen", "chosen", weight=1.0, window_hours=1),),
    feature_views=(),
    judge="ndcg",
    gates=Gates(min_training_slates=50, min_test_slates=20, min_relative_gain=0.01),
)
ITEMS = 6


def world(slates: int, seed: int) -> TrainingSet:
    """Slates of six items; the best by the first two features is chosen, most of the time."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(slates * ITEMS, 4)).astype(np.float32)
    appeal = features[:, 0] * features[:, 1] + features[:, 0] + generator.normal(size=len(features)) * 0.3
    gains = np.zeros((slates, ITEMS), dtype=np.float32)
    gains[np.arange(slates), appeal.reshape(slates, ITEMS).argmax(axis=1)] = 1.0
    features[generator.random(features.shape) < 0.02] = np.nan
    return TrainingSet(
        feature_names=("a", "b", "c", "d"),
        features=features,
        gains=gains.ravel(),
        clicks=gains.ravel().astype(np.int64),
        position=np.tile(np.arange(1, ITEMS + 1), slates).astype(np.int32),
        propensity=np.full(slates * ITEMS, 1 / ITEMS),
        item_codes=np.tile(np.arange(ITEMS), slates).astype(np.int32),
        item_ids=np.arange(ITEMS).astype(object),
        group_offsets=np.arange(0, slates * ITEMS + 1, ITEMS),
        slate_ids=np.arange(slates).astype(object),
        campaign_codes=(np.arange(slates) // 2).astype(np.int32),
        shown_at=np.arange(slates),
    )


def train(part: TrainingSet, *, recommender: Recommender = PETS, seed: int = 7) -> TrainedRanker:
    return train_ranker(part, world(150, 2), recommender, seed=seed, threads=1)


def test_the_ranker_learns_what_is_chosen_and_names_what_it_used() -> None:
    trained, fresh = train(world(600, 1)), world(300, 3)
    ranked = ndcg_per_group(
        BoosterScorer(trained.booster).score(fresh.features), fresh.gains, fresh.group_offsets, 4
    )
    single = ndcg_per_group(np.nan_to_num(fresh.column("a")), fresh.gains, fresh.group_offsets, 4)
    assert ranked.mean() > single.mean() + 0.05
    assert set(list(trained.importance)[:2]) == {"a", "b"}
    assert sum(trained.importance.values()) == pytest.approx(1.0, abs=1e-4)


def test_the_same_data_and_seed_give_the_same_bytes() -> None:
    assert train(world(300, 1)).booster == train(world(300, 1)).booster
    assert train(world(300, 1)).booster != train(world(300, 1), seed=8).booster


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
