from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from letterpress.datasets.training_arrays import FeatureSchema, training_set_from
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.recommenders import Recommender, Target

from .conftest import START, examples


def test_slates_become_groups_in_the_order_of_time_whatever_the_order_of_rows(
    pets: Recommender, schema: FeatureSchema
) -> None:
    table = examples([3, 1, 2, 90])
    backwards = table.take(list(range(table.num_rows))[::-1])
    forwards = training_set_from([table], pets, schema)
    reverse = training_set_from([backwards.slice(0, 3), backwards.slice(3)], pets, schema)
    assert forwards.slate_ids.tolist() == ["acme\x1fs1", "acme\x1fs2", "acme\x1fs3"]
    assert forwards.group_offsets.tolist() == [0, 2, 4, 6]
    np.testing.assert_array_equal(forwards.features, reverse.features)
    np.testing.assert_array_equal(forwards.campaign_codes, reverse.campaign_codes)
    np.testing.assert_array_equal(forwards.position, reverse.position)


def test_the_order_of_rows_within_a_slate_does_not_tell_the_logged_position(
    pets: Recommender, schema: FeatureSchema
) -> None:
    whole = training_set_from([examples([*range(400), 900])], pets, schema)
    first_is_top = whole.position[whole.group_offsets[:-1]] == 1
    assert 0.4 < first_is_top.mean() < 0.6


def test_slates_whose_outcomes_may_still_come_are_left_out_and_counted(
    pets: Recommender, schema: FeatureSchema
) -> None:
    whole = training_set_from([examples([0, 10, 24, 30, 48])], pets, schema)
    assert len(whole) == 3
    assert whole.unripe_slates == 2


def test_a_slate_whose_campaign_is_sent_later_is_ripe_a_window_after_it_is_sent(
    pets: Recommender, schema: FeatureSchema
) -> None:
    table = examples([0, 10, 20, 90])
    hours = [
        0,
        70,
        60,
        0,
    ]  # 70 and 24 are after the end, and what is sent before it is shown counts from then
    table = table.append_column(
        "send_at", pa.array([START + timedelta(hours=hour) for hour in hours for _ in "ab"])
    )
    whole = training_set_from([table], pets, schema)
    assert [name.split("\x1f")[1] for name in whole.slate_ids] == ["s0", "s20"]
    assert whole.unripe_slates == 2
    chosen_only = replace(pets, targets=pets.targets[:1])  # builders have answered long before the send
    assert len(training_set_from([table], chosen_only, schema)) == 3


def test_targets_of_which_no_window_has_closed_are_refused_with_the_next_step(
    pets: Recommender, schema: FeatureSchema
) -> None:
    with pytest.raises(NotEnoughDataError, match=r"only 2 younger ones; wait for their outcomes"):
        training_set_from([examples([0, 1])], pets, schema)


def test_the_newest_event_and_not_the_newest_slate_closes_the_window(
    pets: Recommender, schema: FeatureSchema
) -> None:
    later = START + timedelta(hours=48)
    assert len(training_set_from([examples([0, 24])], pets, schema, known_until=later)) == 2


def test_logged_features_are_used_only_under_the_current_schema(
    pets: Recommender, schema: FeatureSchema
) -> None:
    logged = examples([0], logged_hash="now", logged=[7.5, None])
    old = examples([1], logged_hash="before", logged=[7.5, None])
    whole = training_set_from([logged, old, examples([90])], pets, schema)
    np.testing.assert_array_equal(whole.features[:2], [[7.5, np.nan]] * 2)
    np.testing.assert_array_equal(sorted(whole.features[2:4].tolist()), [[1.0, -1.0], [2.0, -1.0]])
    assert whole.recomputed_rows == 4


def test_logged_features_of_the_wrong_length_are_computed_again(
    pets: Recommender, schema: FeatureSchema
) -> None:
    whole = training_set_from([examples([0], logged_hash="now", logged=[7.5]), examples([90])], pets, schema)
    np.testing.assert_array_equal(sorted(whole.features.tolist()), [[1.0, -1.0], [2.0, -1.0]])


def test_the_gain_blends_the_choice_with_the_shrunken_click_rate(
    pets: Recommender, schema: FeatureSchema
) -> None:
    whole = training_set_from([examples([0, 90])], pets, schema)
    rate = (5 + 50 * 0.1) / (100 + 50)
    assert sorted(whole.gains.tolist(), reverse=True) == pytest.approx([0.25 + 0.75 * rate / 0.2, 0.0])


def test_a_score_that_is_not_known_yet_leaves_its_weight_to_the_other_targets(
    pets: Recommender, schema: FeatureSchema
) -> None:
    score = Target("score", "score", weight=1.0, window_hours=48, denominator="delivered", scale=100.0)
    scored = replace(pets, targets=(*pets.targets, score))
    table = examples([0, 1, 90]).append_column("score", pa.array([60.0, None, None, None, None, None]))
    whole = training_set_from([table], scored, schema)
    others = 0.25 + 0.75 * (5 + 50 * 0.1) / (100 + 50) / 0.2
    assert sorted(whole.gains[:2].tolist()) == pytest.approx([0.0, others + 0.6])
    assert sorted(whole.gains[2:].tolist()) == pytest.approx([0.0, 2 * others])
    assert np.isnan(whole.outcomes["score"]).sum() == 3


def test_scores_of_the_first_hours_of_a_log_are_not_believed(
    pets: Recommender, schema: FeatureSchema
) -> None:
    score = Target("score", "score", weight=1.0, window_hours=48, scale=100.0, warm_up_hours=2)
    table = examples([0, 1, 2, 90]).append_column("score", pa.array([80.0] * 8))
    whole = training_set_from(
        [table.slice(4), table.slice(0, 4)], replace(pets, targets=(*pets.targets, score)), schema
    )
    assert np.isnan(whole.outcomes["score"]).tolist() == [True] * 4 + [False] * 2


def test_slates_do_not_wait_for_scores(pets: Recommender, schema: FeatureSchema) -> None:
    score = Target("score", "score", weight=1.0, window_hours=480, scale=100.0)
    table = examples([0, 90]).append_column("score", pa.nulls(4, pa.float64()))
    whole = training_set_from([table], replace(pets, targets=(*pets.targets, score)), schema)
    assert len(whole) == 1


def test_what_should_not_happen_gains_by_its_absence(pets: Recommender, schema: FeatureSchema) -> None:
    clicked = replace(pets.targets[1], is_avoided=True)
    whole = training_set_from([examples([0, 90])], replace(pets, targets=(clicked,)), schema)
    rate = (5 + 50 * 0.1) / (100 + 50)
    assert sorted(whole.gains.tolist()) == pytest.approx([0.0, 0.75 * (1 - rate / 0.2)])


def test_a_missing_propensity_is_nan(pets: Recommender, schema: FeatureSchema) -> None:
    whole = training_set_from([examples([0, 90])], pets, schema)
    assert sorted(np.isnan(whole.propensity).tolist()) == [False, True]


def test_an_empty_log_is_refused(pets: Recommender, schema: FeatureSchema) -> None:
    with pytest.raises(NotEnoughDataError, match="found none"):
        training_set_from([examples([])], pets, schema)


def test_a_log_that_is_too_young_is_refused_with_the_window(pets: Recommender, schema: FeatureSchema) -> None:
    with pytest.raises(NotEnoughDataError, match="older than the 24 h"):
        training_set_from([examples([0, 5])], pets, schema)


def test_tests_that_are_distrusted_or_hold_an_arm_twice_teach_and_do_not_judge(
    pets: Recommender, schema: FeatureSchema
) -> None:
    labels = [{"trusted": "true"}, {"trusted": "False"}, {"duplicate_arms": "true"}, {}, {}]
    table = examples([0, 1, 2, 3, 90])
    rows = [list(each.items()) for each in labels for _ in range(2)]
    table = table.drop_columns([name for name in ("context_labels",) if name in table.column_names])
    table = table.append_column("context_labels", pa.array(rows, pa.map_(pa.string(), pa.string())))
    whole = training_set_from([table], replace(pets, judge="ab_test"), schema)
    assert whole.is_judged.tolist() == [True, False, False, True]
    assert whole.judged().slate_ids.tolist() == ["acme\x1fs0", "acme\x1fs3"]
    newer = whole.take(np.array([False, True, True, True]))
    assert TrainingSet.joined([newer, whole]).is_judged.tolist() == [False, False, True, *whole.is_judged]
    assert training_set_from([table], pets, schema).is_judged.all()
