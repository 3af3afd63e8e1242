"""Rates of slates whose true rates are known, because they are drawn here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.repeated_rows import PROBIT_SCALE
from letterpress.features import feature_plan
from letterpress.ranking.calibration import Calibration, declared_calibration
from letterpress.ranking.fit_calibration import (
    fit_calibration,
    mean_rates,
    relative_scores,
    shared_inputs,
)
from letterpress.ranking.predicted_rates import HIGH, LOW, RATE, RatePredictor
from letterpress.recommenders import get_recommender

Floats = NDArray[np.float64]

RECOMMENDER = get_recommender("image_enhancement")
PLAN = feature_plan(RECOMMENDER)
SINGLES = replace(RECOMMENDER, targets=(RECOMMENDER.targets[0], RECOMMENDER.targets[-1]))
"""Targets that happen, or are told, once."""
ITEMS = 8


def draw(slates: int, seed: int = 1, *, pull: float = 1.0) -> tuple[TrainingSet, Floats, Floats]:
    """Slates, a score that knows half of the log odds, and true click rates; builders choose by the truth."""
    part, known, truth = draw_with_truth(slates, seed, pull=pull)
    return part, known, truth["clicked"]


def draw_with_truth(
    slates: int, seed: int, *, pull: float = 1.0, n_items: int = 0
) -> tuple[TrainingSet, Floats, dict[str, Floats]]:
    """The same with the true chances and expected scores, too.

    What the score does not know is drawn anew for every row, or belongs to one of `n_items` in a segment.
    Then builders look at fewer places further down; else places weigh on the odds.
    """
    random = np.random.default_rng(seed)
    rows = slates * ITEMS
    features = np.tile(np.array([each.default for each in PLAN.features], np.float32), (rows, 1))
    segments = np.repeat(random.integers(0, 5, slates), ITEMS)
    features[:, PLAN.names.index("segment_code")] = segments
    features[:, PLAN.names.index("enhancement_code")] = np.tile(np.arange(ITEMS), slates)
    known, unknown = random.normal(size=(2, rows))
    items = np.tile(np.arange(ITEMS), slates)
    if n_items:
        items = random.integers(0, n_items, rows)
        unknown = np.random.default_rng(99).normal(size=(n_items, 5))[items, segments]
    log_rates = -4.0 + 0.2 * known + 0.2 * unknown + 0.15 * (segments - 2)
    position = np.tile(np.arange(1, ITEMS + 1), slates)
    appeal = -0.5 + 1.0 * known + pull * unknown - (0.0 if n_items else 1.0) * np.log(position)
    chances = position ** (-0.5 if n_items else 0.0) / (1 + np.exp(-appeal))
    chosen = random.random(rows) < chances
    sent = chosen | (random.random(rows) < 0.1)
    delivered = np.where(sent, random.integers(500, 3000, rows), 0)
    true_rates = 1 / (1 + np.exp(-log_rates))
    clicked = random.binomial(delivered, true_rates)
    converted, unsubscribed = random.binomial(clicked, 0.06), random.binomial(delivered, 0.001)
    noise = random.normal(scale=0.6, size=rows)
    score = 100 / (1 + np.exp(-2 * (log_rates + 4) - noise))
    usual = 100 / (1 + np.exp(-2 * (log_rates + 4) / np.sqrt(1 + PROBIT_SCALE * 0.36)))
    part = TrainingSet(
        feature_names=PLAN.names,
        features=features,
        gains=chosen.astype(np.float32),
        clicks=clicked,
        position=position.astype(np.int32),
        propensity=np.full(rows, 1 / ITEMS),
        item_codes=items.astype(np.int32),
        item_ids=np.arange(max(ITEMS, n_items)).astype(object),
        group_offsets=np.arange(0, rows + 1, ITEMS),
        slate_ids=np.arange(slates).astype(object),
        campaign_codes=(np.arange(slates) // 2).astype(np.int32),
        shown_at=np.arange(slates) * 1_000_000,
        trials=delivered,
        outcomes={
            "chosen": chosen.astype(np.int64),
            "delivered": delivered,
            "clicked": clicked,
            "converted": converted,
            "unsubscribed": unsubscribed,
            "email_score": np.where(delivered > 0, score, np.nan),
        },
    )
    return part, known, {"clicked": true_rates, "chosen": chances, "email_score": usual / 100}


def predict(calibration: Calibration, part: TrainingSet, scores: Floats, target: str) -> Floats:
    predictor = RatePredictor(calibration, PLAN.names)
    rates = predictor.predict(
        scores, relative_scores(scores, part), part.features, part.position.astype(np.float64)
    )
    return rates[:, predictor.targets.index(target)]


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    part, scores, _ = draw(4000)
    return fit_calibration(scores, part, RECOMMENDER)


def test_intervals_hold_the_true_rates_of_other_slates(fitted: Calibration) -> None:
    part, scores, truth = draw(2000, seed=2)
    rates = predict(fitted, part, scores, "clicked")
    assert ((rates[:, LOW] <= truth) & (truth <= rates[:, HIGH])).mean() == pytest.approx(0.95, abs=0.015)
    assert (rates[:, LOW] < rates[:, RATE]).all()
    assert (rates[:, RATE] < rates[:, HIGH]).all()


def test_what_builders_choose_is_better_than_its_features_say_and_does_not_raise_the_rates_of_all(
    fitted: Calibration,
) -> None:
    part, scores, truth = draw(2000, seed=3)
    chosen = part.outcomes["chosen"] > 0
    assert truth[chosen].mean() > 1.08 * truth.mean()
    assert predict(fitted, part, scores, "clicked")[:, RATE].mean() == pytest.approx(truth.mean(), rel=0.02)
    assert fitted.targets[1].selection > 0.1


def test_where_builders_choose_blindly_nothing_is_taken_off() -> None:
    part, scores, _ = draw(4000, seed=4, pull=0.0)
    assert abs(fit_calibration(scores, part, RECOMMENDER).targets[1].selection) < 0.03


def test_a_kind_of_campaign_that_is_clicked_more_has_higher_rates_though_no_score_says_so(
    fitted: Calibration,
) -> None:
    part, scores, truth = draw(2000, seed=5)
    rates = predict(fitted, part, scores, "clicked")[:, RATE]
    segments = part.column("segment_code")
    for segment in range(5):
        mine = segments == segment
        assert rates[mine].mean() == pytest.approx(truth[mine].mean(), rel=0.04)


def test_choices_are_told_by_place_and_by_what_is_shown_beside(fitted: Calibration) -> None:
    part, scores, _ = draw(2000, seed=6)
    rates = predict(fitted, part, scores, "chosen")[:, RATE]
    for position in (1, 4, 8):
        mine = part.position == position
        observed = part.outcomes["chosen"][mine].mean()
        assert rates[mine].mean() == pytest.approx(observed, rel=0.12)
    np.testing.assert_allclose(predict(fitted, part, scores + 7.0, "chosen")[:, RATE], rates)


def test_what_should_not_happen_is_told_as_the_share_of_those_who_did_not(fitted: Calibration) -> None:
    part, scores, _ = draw(2000, seed=8)
    rates = predict(fitted, part, scores, "not_unsubscribed")
    assert rates[:, RATE].mean() == pytest.approx(0.999, abs=1e-4)
    assert ((rates[:, LOW] <= 0.999) & (rates[:, HIGH] >= 0.999)).mean() > 0.9
    assert (rates[:, HIGH] < 1).all()


def test_a_score_is_told_as_a_share_of_its_scale_and_rises_with_what_it_is_made_of(
    fitted: Calibration,
) -> None:
    part, scores, truth = draw(2000, seed=9)
    told = predict(fitted, part, scores, "email_score")
    sent = part.outcomes["delivered"] > 0
    seen = part.outcomes["email_score"][sent] / 100
    assert np.corrcoef(told[sent, RATE], seen)[0, 1] > 0.3
    assert np.corrcoef(told[:, RATE], truth)[0, 1] > 0.6
    chosen_more = 1 / (1 + np.exp(-2 * (np.log(truth / (1 - truth)) + 4)))
    assert told[:, RATE].mean() == pytest.approx(chosen_more.mean(), abs=0.015)


@pytest.mark.parametrize("target", ["chosen", "email_score"])
def test_what_happens_once_a_slate_has_intervals_that_hold_the_truth_where_items_come_again(
    target: str,
) -> None:
    part, scores, _ = draw_with_truth(2500, 11, n_items=200)
    calibration = fit_calibration(scores, part, SINGLES)
    later, scores, truth = draw_with_truth(1000, 12, n_items=200)
    told = predict(calibration, later, scores, target)
    held = (told[:, LOW] <= truth[target]) & (truth[target] <= told[:, HIGH])
    assert 0.91 < held.mean() < 0.99


def test_a_choice_is_never_likelier_than_that_somebody_looks() -> None:
    part, scores, _ = draw_with_truth(2500, 10, n_items=200)
    calibration = fit_calibration(scores, part, SINGLES)
    looking = calibration.targets[0].looking
    assert looking is not None
    assert looking == pytest.approx(0.5, abs=0.15)
    told = predict(calibration, part, scores + 50.0 * (np.arange(len(scores)) % 3 == 0), "chosen")
    assert (told[:, HIGH] <= part.position**-looking).all()


def test_intervals_of_choices_are_wide_while_nothing_comes_again() -> None:
    part, scores, _ = draw(400, seed=13)
    alone = replace(part, item_codes=np.arange(part.rows, dtype=np.int32))
    told = predict(fit_calibration(scores, alone, SINGLES), part, scores, "chosen")
    assert (told[:, HIGH] - told[:, LOW]).mean() > 0.3
    declared = predict(declared_calibration(RECOMMENDER), part, scores, "chosen")
    assert (declared[:, HIGH] - declared[:, LOW]).mean() > 0.6


def test_what_serves_and_what_was_fitted_predict_alike(fitted: Calibration) -> None:
    part, scores, _ = draw(200, seed=7)
    part.features[::7, PLAN.names.index("item_click_rate")] = np.nan
    part.features[::5, PLAN.names.index("segment_code")] = np.nan
    shared = shared_inputs(fitted, part)
    for rates in fitted.targets:
        expected = mean_rates(rates, scores, part, shared)
        np.testing.assert_allclose(predict(fitted, part, scores, rates.target)[:, RATE], expected, rtol=1e-9)


def test_the_same_slates_give_the_same_bytes(fitted: Calibration) -> None:
    part, scores, _ = draw(4000)
    again = fit_calibration(scores, part, RECOMMENDER)
    assert again.encode() == fitted.encode()
    assert Calibration.decode(again.encode()) == fitted


def test_too_little_is_told_as_declared_and_not_fitted() -> None:
    part, scores, _ = draw(30)
    assert (
        fit_calibration(scores, part, RECOMMENDER).targets[1] == declared_calibration(RECOMMENDER).targets[1]
    )
    silent = replace(part, outcomes={**part.outcomes, "clicked": np.zeros(part.rows, np.int64)})
    assert not fit_calibration(scores, silent, RECOMMENDER).targets[1].facts


def test_a_declared_rate_is_the_counted_one_with_an_interval_as_wide_as_its_prior() -> None:
    features = np.array([each.default for each in PLAN.features], np.float32)[None]
    features[0, PLAN.names.index("item_click_rate")] = 0.03
    predictor = RatePredictor(declared_calibration(RECOMMENDER), PLAN.names)
    told = predictor.predict(np.zeros(1), np.zeros(1), features, np.ones(1))[0]
    chosen, clicked, _, stays, score = told
    assert stays[RATE] == pytest.approx(0.999)
    assert score[RATE] == pytest.approx(0.5)
    assert clicked[RATE] == pytest.approx(0.03)
    assert clicked[LOW] < 0.02
    assert clicked[HIGH] > 0.045
    assert chosen[RATE] == pytest.approx(0.3)
