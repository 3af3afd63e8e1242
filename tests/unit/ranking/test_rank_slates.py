from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.examination import Examination
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.position_bias import PositionBias
from letterpress.ranking.rank_slates import ndcg_of, rank_slates, tells_orders_apart
from letterpress.recommenders import get_recommender

MakeSlates = Callable[..., TrainingSet]


def ranks_by(feature: str) -> ModelBundle:
    return ModelBundle.popularity(
        recommender="pets",
        features=("appeal", "noise"),
        schema_hash="abc",
        snapshot="s1",
        score_feature=feature,
    )


def test_the_feature_that_decides_orders_every_slate_perfectly(make_slates: MakeSlates) -> None:
    test = make_slates(200, seed=1)
    assert ndcg_of(ranks_by("appeal"), test, 4, threads=1).tolist() == [1.0] * 200
    assert ndcg_of(ranks_by("noise"), test, 4, threads=1).mean() == pytest.approx(0.64, abs=0.05)


def test_rankers_meet_on_the_same_slates_and_those_without_gain_count_for_nobody(
    make_slates: MakeSlates,
) -> None:
    test = make_slates(10, seed=1)
    test.gains[:4] = 0.0
    rankers = rank_slates(
        test,
        4,
        popularity=ranks_by("noise"),
        champion=ranks_by("noise"),
        challenger=ranks_by("appeal"),
        threads=1,
    )
    assert np.array_equal(rankers.popularity, rankers.champion, equal_nan=True)
    assert np.isnan([rankers.popularity[0], rankers.champion[0], rankers.challenger[0]]).all()
    assert (rankers.challenger[1:] >= rankers.champion[1:]).all()
    assert rankers.campaigns is test.campaign_codes


def test_slates_of_one_item_or_of_equal_gains_tell_nothing(make_slates: MakeSlates) -> None:
    test = make_slates(10, seed=1)
    test.gains[:4] = 0.5
    single = replace(test, group_offsets=np.arange(test.rows + 1))
    assert tells_orders_apart(test).tolist() == [False] + [True] * 9
    assert np.isnan(ndcg_of(ranks_by("appeal"), test, 4, threads=1)).tolist() == [True] + [False] * 9
    assert not tells_orders_apart(single).any()


def test_gains_of_an_ordered_log_are_divided_by_examination_at_its_bounds(make_slates: MakeSlates) -> None:
    test = make_slates(10, seed=1)
    rankers = rank_slates(
        test,
        4,
        popularity=ranks_by("noise"),
        champion=ranks_by("noise"),
        challenger=ranks_by("appeal"),
        threads=1,
        bias=PositionBias(Examination.by_power(0.5, 0.0, 1.0, 4), get_recommender("subject_line")),
    )
    best, doubled, unchanged = (each.challenger for each in rankers.gained)
    place = test.gains.reshape(10, 4).argmax(axis=1) + 1.0
    assert unchanged.tolist() == [1.0] * 10
    assert best == pytest.approx(place**0.5)
    assert doubled == pytest.approx(place)
    assert rankers.examination is not None
    assert rankers.examination["seen"] == [1.0, 0.7071, 0.5774, 0.5]
