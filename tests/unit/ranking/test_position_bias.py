"""Gains that a policy's order has bent are freed of it before trees see them; those of chance stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.ranking.pet_slates import PETS

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.ranking.position_bias import (
    MOST_WEIGHT,
    examination_of,
    free_of_position,
    is_by_choice,
    position_bias_of,
)
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.train_ranker import FitPlan, TrainedRanker, train_ranker
from letterpress.recommenders import get_recommender

MakeSlates = Callable[..., TrainingSet]
PLACES = 8
EXPLORED = 0.05
TRUTH = np.arange(1.0, PLACES + 1) ** -0.5


def ordered_pets(count: int, *, seed: int, explored: float = EXPLORED) -> TrainingSet:
    """Slates that all but the `explored` lie in the order of `habit`, which says nothing of any pet.

    Every place is looked at on its own, and of what was looked at a pet is chosen by its `appeal`.
    """
    generator = np.random.default_rng(seed)
    shape = count, PLACES
    appeal, habit = generator.normal(size=(2, *shape))
    wanted = np.argsort(-habit, axis=1).argsort(axis=1) + 1
    position = np.argsort(generator.random(shape), axis=1).argsort(axis=1) + 1
    ordered = generator.random(count) >= explored
    position[ordered] = wanted[ordered]
    likes = 0.15 + 0.7 / (1 + np.exp(-2 * appeal))
    chosen = (generator.random(shape) < TRUTH[position - 1]) & (generator.random(shape) < likes)
    rows = count * PLACES
    return TrainingSet(
        feature_names=("appeal", "habit", "noise"),
        features=np.column_stack([appeal.ravel(), habit.ravel(), generator.normal(size=rows)]).astype(
            np.float32
        ),
        gains=chosen.ravel().astype(np.float32),
        clicks=chosen.ravel().astype(np.int64),
        position=position.ravel().astype(np.int32),
        propensity=((1 - explored) * (position == wanted) + explored / PLACES).ravel(),
        item_codes=np.tile(np.arange(PLACES), count).astype(np.int32),
        item_ids=np.arange(PLACES).astype(object),
        group_offsets=np.arange(0, rows + 1, PLACES),
        slate_ids=np.arange(count).astype(object),
        campaign_codes=(np.arange(count) // 2).astype(np.int32),
        shown_at=np.arange(count) * 1_000_000,
        outcomes={"chosen": chosen.ravel().astype(np.int64)},
    )


def split_of(train: TrainingSet, valid: TrainingSet) -> Split:
    return Split(train, valid, valid)


@pytest.fixture(scope="module")
def ordered() -> Split:
    return split_of(ordered_pets(6000, seed=1), ordered_pets(1500, seed=2))


def trained_on(split: Split) -> TrainedRanker:
    declared = replace(PETS, objective="pointwise")
    plan = FitPlan(rounds=60, patience=20)
    return train_ranker(split.train, split.valid, declared, seed=1, threads=1, plan=plan)


def true_ndcg(trained: TrainedRanker) -> float:
    """How well it orders fresh slates by what pets are worth wherever they stand."""
    fresh = ordered_pets(1000, seed=9)
    scores = BoosterScorer(trained.booster, threads=1).score(fresh.features)
    worth = 0.15 + 0.7 / (1 + np.exp(-2 * fresh.column("appeal").astype(np.float64)))
    return float(ndcg_per_group(scores, worth, fresh.group_offsets, 4).mean())


def test_trees_do_not_learn_the_order_that_a_log_was_shown_in(ordered: Split) -> None:
    raw, freed = trained_on(ordered), trained_on(free_of_position(ordered, PETS))
    assert raw.importance["habit"] > 0.2
    assert freed.importance.get("habit", 0.0) < 0.05
    assert true_ndcg(freed) > true_ndcg(raw) + 0.03


def test_freed_gains_stay_between_nothing_and_one_and_are_of_train_and_valid_alone(ordered: Split) -> None:
    freed = free_of_position(ordered, PETS)
    for part, before in zip(freed[:2], ordered[:2], strict=True):
        assert 0.0 < part.gains.max() <= 1.0
        assert ((part.gains > 0) == (before.gains > 0)).all()
        assert part.outcomes is before.outcomes
    assert freed.test.gains is ordered.test.gains
    by_place = [freed.train.gains[ordered.train.position == place].max() for place in range(1, PLACES + 1)]
    assert by_place == pytest.approx(TRUTH[-1] / TRUTH, rel=0.2)


def test_what_was_estimated_is_kept_with_the_set_and_owes_nothing_to_the_test(ordered: Split) -> None:
    facts = free_of_position(ordered, PETS).train.position_bias
    assert facts["freed"] is True
    assert facts["seen"][-1] == pytest.approx(TRUTH[-1], rel=0.25)
    assert facts["low"][-1] < TRUTH[-1] < facts["high"][-1]
    assert facts["slates"] == pytest.approx(6000 * EXPLORED, rel=0.2)
    other = ordered._replace(valid=ordered.train, test=ordered_pets(500, seed=5, explored=1.0))
    assert free_of_position(other, PETS).train.position_bias == facts


def test_slates_in_random_order_stay_as_they_are_bit_for_bit(make_slates: MakeSlates) -> None:
    split = split_of(make_slates(200, seed=1), make_slates(100, seed=2))
    assert free_of_position(split, PETS) is split
    assert not split.train.position_bias


def test_an_order_that_cannot_be_told_from_worth_is_written_down_and_left(ordered: Split) -> None:
    unexplored = replace(ordered.train, propensity=np.ones(ordered.train.rows))
    found = free_of_position(ordered._replace(train=unexplored), PETS)
    assert found.train.gains is unexplored.gains
    assert found.train.position_bias["freed"] is False
    assert "let more of the traffic explore" in found.train.position_bias["reason"]


def test_no_gain_counts_more_than_ten_times_however_seldom_its_place_is_looked_at(ordered: Split) -> None:
    kept = (ordered.train.position < PLACES) | (np.random.default_rng(3).random(ordered.train.rows) < 0.02)
    chosen = np.where(kept, ordered.train.outcomes["chosen"], 0)
    rare = replace(ordered.train, gains=chosen.astype(np.float32), outcomes={"chosen": chosen})
    facts = free_of_position(ordered._replace(train=rare, valid=rare), PETS).train
    assert facts.position_bias["largest_weight"] == MOST_WEIGHT
    assert facts.gains.max() == pytest.approx(1.0)


def test_logs_of_single_slots_and_tables_of_tests_are_left_to_their_own_judges(ordered: Split) -> None:
    for name in ("open_bandit", "subject_line"):
        assert free_of_position(ordered, get_recommender(name)) is ordered


def test_what_was_sent_without_being_chosen_owes_its_place_nothing(ordered: Split) -> None:
    bias = position_bias_of(ordered, PETS)
    assert bias is not None
    sent_along = np.flatnonzero((ordered.test.gains == 0) & (ordered.test.position == PLACES))[:5]
    gains = ordered.test.gains.copy()
    gains[sent_along] = 0.5
    freed = bias.freed(replace(ordered.test, gains=gains))
    assert freed[sent_along].tolist() == [0.5] * 5
    chosen = (ordered.test.gains > 0) & (ordered.test.position == PLACES)
    assert freed[chosen] == pytest.approx(np.full(chosen.sum(), 1 / bias.examination.seen[-1]))


def test_where_choices_are_not_logged_all_that_gained_counts_as_chosen(ordered: Split) -> None:
    silent = replace(ordered.train, outcomes={})
    assert is_by_choice(silent, PETS).tolist() == (ordered.train.gains > 0).tolist()


def test_a_log_in_random_order_needs_no_correction(make_slates: MakeSlates) -> None:
    assert examination_of([make_slates(50, seed=1)] * 3, PETS) is None


def test_an_ordered_log_without_usable_propensities_is_refused(ordered: Split) -> None:
    few = replace(ordered.train, campaign_codes=np.zeros(len(ordered.train), dtype=np.int32))
    with pytest.raises(NotEnoughDataError, match="more of the traffic explore"):
        examination_of([few, few, few], PETS)


@pytest.mark.parametrize("chance", [np.nan, 0.0])
def test_a_log_that_hides_who_ordered_it_is_refused(make_slates: MakeSlates, chance: float) -> None:
    part = make_slates(50, seed=1)
    hidden = replace(part, propensity=np.full(part.rows, chance))
    with pytest.raises(NotEnoughDataError, match=r"found none in 100% of them.*`letterpress ingest`"):
        examination_of([hidden, hidden, hidden], PETS)


def test_a_few_slates_without_propensities_do_not_stop_a_verdict(make_slates: MakeSlates) -> None:
    part, few = make_slates(200, seed=1), make_slates(1, seed=2)
    assert examination_of([part, part, replace(few, propensity=np.full(few.rows, np.nan))], PETS) is None


def test_an_ordered_log_gives_its_examination() -> None:
    parts = [ordered_pets(count, seed=count, explored=0.3) for count in (1500, 500, 500)]
    found = examination_of(parts, PETS)
    assert found is not None
    assert found.seen == pytest.approx(TRUTH, rel=0.15)
    assert found.low[-1] < TRUTH[-1] < found.high[-1]
