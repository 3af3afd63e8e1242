from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.ranking.pet_slates import ITEMS, PETS, world

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.train_ranker import FitPlan, train_ranker
from letterpress.ranking.tree_parameters import tree_parameters
from letterpress.ranking.trees_by_folds import FEWEST_TO_STOP, count_trees, is_too_few
from letterpress.recommenders.declaration import Objective

FEW = FEWEST_TO_STOP - 20
PLAN = FitPlan(rounds=80)


def parameters(seed: int = 7) -> dict[str, object]:
    return tree_parameters(PETS, ("a", "b", "c", "d"), {"eta": 0.2, "min_child_weight": 2.0}, seed=seed)


def test_folds_take_over_only_where_held_out_slates_are_few_and_campaigns_are_not() -> None:
    assert is_too_few(world(100, 1), world(FEW, 2))
    assert not is_too_few(world(100, 1), world(FEWEST_TO_STOP, 2))
    lone = [replace(part, campaign_codes=part.campaign_codes % 9) for part in (world(100, 1), world(FEW, 2))]
    assert not is_too_few(*lone)


@pytest.mark.parametrize("objective", ["pairwise", "softmax"])
def test_a_ranker_of_few_slates_learns_from_all_of_them_and_repeats_to_the_bit(objective: Objective) -> None:
    pets = replace(PETS, objective=objective)
    train, valid = world(60, 1), world(FEW, 2)
    valid = replace(valid, campaign_codes=valid.campaign_codes + 100)
    first, again = (train_ranker(train, valid, pets, seed=7, threads=1, plan=PLAN) for _ in range(2))
    assert first.booster == again.booster
    assert not first.held_out
    spoilt = replace(valid, gains=np.ascontiguousarray(1 - valid.gains))
    assert train_ranker(train, spoilt, pets, seed=7, threads=1, plan=PLAN).booster != first.booster
    fresh = world(200, 5)
    scores = BoosterScorer(first.booster).score(fresh.features)
    assert ndcg_per_group(scores, fresh.gains, fresh.group_offsets, 4).mean() > 0.7


def test_folds_tell_what_can_be_learned_from_noise() -> None:
    taught = world(150, 1)
    shuffled = np.random.default_rng(3).permuted(taught.gains.reshape(-1, ITEMS), axis=1).ravel()
    noise = replace(taught, gains=shuffled)
    many, good = count_trees(taught, parameters(), 4, rounds=80, threads=1)
    _, bad = count_trees(noise, parameters(), 4, rounds=80, threads=1)
    assert many > 20
    assert good > bad + 0.2


def test_the_number_of_trees_is_told_by_campaigns_that_were_not_learned_from() -> None:
    part = world(120, 1)
    copies = TrainingSet.joined([part, part])  # each slate twice, in the same campaign
    _, told = count_trees(copies, parameters(), 4, rounds=40, threads=1)
    _, once = count_trees(part, parameters(), 4, rounds=40, threads=1)
    assert told == pytest.approx(once, abs=0.06)  # a copy in another fold would be known by heart
