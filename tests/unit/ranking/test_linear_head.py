"""A world where questions are clicked more: what a linear head learns of it, and what it does not know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from letterpress.errors import ModelRefusedError, NotEnoughDataError
from letterpress.ranking.bundle import HEAD_NAME, ModelBundle
from letterpress.ranking.linear_head import LinearHead, LinearScorer
from letterpress.ranking.near_duplicates import grouped_folds, near_duplicate_groups
from letterpress.ranking.text_arms import shares_of_variance
from letterpress.ranking.train_linear_head import Arms, fit_linear_head

NAMES = ("text_questions", "text_noise", "sentence_000", "sentence_001")
ARMS = 4


def make_arms(tests: int, *, seed: int = 1, trials: int = 4000) -> Arms:
    """Log rates rise by 0.3 with a question and by 0.4 along a sentence's first direction."""
    generator = np.random.default_rng(seed)
    rows = tests * ARMS
    features = generator.normal(size=(rows, 4)).astype(np.float32)
    features[:, 0] = generator.integers(0, 2, rows)
    story = np.repeat(generator.normal(scale=0.5, size=tests), ARMS)
    rates = 0.015 * np.exp(0.3 * features[:, 0] + 0.4 * features[:, 2] + story)
    return Arms(
        NAMES,
        features,
        generator.binomial(trials, np.minimum(rates, 1.0)).astype(np.int64),
        np.full(rows, trials),
        np.repeat(np.arange(tests), ARMS),
    )


def without_sentences(arms: Arms) -> Arms:
    features = arms.features.copy()
    features[:, 2:] = np.nan
    return replace(arms, features=features)


def slope(head: LinearHead, name: str) -> float:
    return head.whole.weights[head.whole.features.index(name)]


def test_effects_are_recovered_whatever_the_story_of_a_test_is_worth() -> None:
    head = fit_linear_head(make_arms(300), seed=1).head
    assert slope(head, "text_questions") == pytest.approx(0.3, abs=0.05)
    assert slope(head, "sentence_000") == pytest.approx(0.4, abs=0.04)
    assert abs(slope(head, "text_noise")) < 0.03


def test_arms_of_new_tests_are_ordered_as_their_true_rates() -> None:
    arms = make_arms(300)
    scores = LinearScorer(fit_linear_head(arms, seed=1).head, NAMES).score(make_arms(50, seed=9).features)
    truth = make_arms(50, seed=9).features @ np.array([0.3, 0.0, 0.4, 0.0])
    assert np.corrcoef(scores, truth)[0, 1] > 0.98


def test_the_same_arms_give_the_same_bytes() -> None:
    assert (
        fit_linear_head(make_arms(40), seed=3).head.encode()
        == fit_linear_head(make_arms(40), seed=3).head.encode()
    )


def test_rows_without_a_sentence_are_scored_by_counts_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    arms = make_arms(200)
    scorer = LinearScorer(fit_linear_head(arms, seed=1).head, NAMES)
    with caplog.at_level("WARNING", logger="letterpress"):
        scores = scorer.score(without_sentences(arms).features)
    assert np.isfinite(scores).all()
    assert np.corrcoef(scores, arms.features[:, 0])[0, 1] > 0.9
    assert "extra `text`" in caplog.text


def test_a_row_without_any_text_expects_the_mean() -> None:
    head = fit_linear_head(make_arms(60), seed=1).head
    assert LinearScorer(head, NAMES).score(np.full((1, 4), np.nan, np.float32)).tolist() == [
        head.whole.log_rate
    ]


def test_without_the_sentence_model_counts_alone_are_learned() -> None:
    fitted = fit_linear_head(without_sentences(make_arms(200)), seed=1)
    assert fitted.facts["sentences"] is False
    assert set(fitted.head.whole.features) == {"text_questions", "text_noise"}


def test_a_row_has_the_same_score_alone_and_among_others() -> None:
    arms = make_arms(60)
    scorer = LinearScorer(fit_linear_head(arms, seed=1).head, NAMES)
    alone = np.concatenate([scorer.score(row[None]) for row in arms.features])
    assert alone.tobytes() == scorer.score(arms.features).tobytes()


def test_own_counts_take_over_as_they_grow() -> None:
    head = msgspec.structs.replace(
        fit_linear_head(make_arms(60), seed=1).head,
        rate_feature="rate",
        trials_feature="trials",
        prior_rate=0.015,
        prior_weight=2000.0,
    )
    names = (*NAMES, "rate", "trials")
    unseen = np.array([1, 0, 1, 0, 0.015, 0], np.float32)
    clicks, trials = 30, 1_000_000
    seen = np.array([1, 0, 1, 0, (clicks + 30) / (trials + 2000), trials], np.float32)
    scores = LinearScorer(head, names).score(np.stack([unseen, seen]))
    text_alone = LinearScorer(fit_linear_head(make_arms(60), seed=1).head, NAMES).score(unseen[None, :4])
    assert scores[0] == pytest.approx(text_alone[0], abs=1e-6)
    assert np.exp(scores[1]) < 0.0002


def test_a_linear_bundle_is_saved_loaded_and_checked(tmp_path: Path) -> None:
    arms = make_arms(40)
    fitted = fit_linear_head(arms, seed=1)
    bundle = ModelBundle.linear(
        fitted.head, recommender="lines", features=NAMES, schema_hash="a", snapshot="s", training=fitted.facts
    )
    path = bundle.save(tmp_path)
    loaded = ModelBundle.load(path)
    assert loaded == bundle
    assert loaded.scorer().score(arms.features).tobytes() == bundle.scorer().score(arms.features).tobytes()
    (path / HEAD_NAME).write_text("{}")
    with pytest.raises(ModelRefusedError, match="sha256"):
        ModelBundle.load(path)


def test_a_head_of_other_features_is_refused() -> None:
    with pytest.raises(ModelRefusedError, match="sentence_000"):
        LinearScorer(fit_linear_head(make_arms(40), seed=1).head, ("height",))
    with pytest.raises(ModelRefusedError, match="train again"):
        LinearHead.decode(b"{}")


def test_too_few_tests_and_no_clicks_are_refused_with_what_to_do() -> None:
    with pytest.raises(NotEnoughDataError, match=r"at least 10 A/B tests .* found 4; import more"):
        fit_linear_head(make_arms(4), seed=1)
    silent = replace(make_arms(40), clicks=np.zeros(40 * ARMS, np.int64))
    with pytest.raises(NotEnoughDataError, match="found none in 40"):
        fit_linear_head(silent, seed=1)


def test_arms_that_were_never_delivered_teach_nothing() -> None:
    arms = make_arms(40)
    undelivered = replace(arms, trials=np.where(np.arange(len(arms)) % ARMS, arms.trials, 0))
    assert fit_linear_head(undelivered, seed=1).facts["arms"] == 40 * (ARMS - 1)


def test_constant_features_are_worth_nothing() -> None:
    arms = make_arms(40)
    features = arms.features.copy()
    features[:, 1] = 7.0
    head = fit_linear_head(replace(arms, features=features), seed=1).head
    assert slope(head, "text_noise") == 0.0
    assert np.isfinite(LinearScorer(head, NAMES).score(arms.features)).all()


def test_tests_that_weigh_next_to_nothing_teach_next_to_nothing() -> None:
    both = make_arms(450)
    is_old = both.tests < 300
    both = replace(both, features=np.where(is_old[:, None], -both.features, both.features))
    ages = np.where(is_old, 1e-4, 1.0)
    assert slope(fit_linear_head(both, seed=1).head, "sentence_000") < 0.0
    weighted = fit_linear_head(replace(both, weights=ages), seed=1).head
    assert slope(weighted, "sentence_000") == pytest.approx(0.4, abs=0.06)


def test_weights_of_one_give_the_same_head_as_none() -> None:
    arms = make_arms(40)
    alike = replace(arms, weights=np.ones(len(arms)))
    assert fit_linear_head(alike, seed=1).head.encode() == fit_linear_head(arms, seed=1).head.encode()


def test_shares_of_variance_name_what_the_score_is_made_of() -> None:
    arms = make_arms(200)
    shares = shares_of_variance(fit_linear_head(arms, seed=1).head.whole, arms)
    assert list(shares)[:2] == ["sentence", "text_questions"]
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4)


def test_folds_keep_near_duplicates_together() -> None:
    generator = np.random.default_rng(5)
    vectors = generator.normal(size=(200, 30))
    tests = np.arange(200) // 2
    vectors[100] = vectors[0] * 3 + 0.01
    groups = near_duplicate_groups(vectors, tests)
    assert groups[100] == groups[0] == groups[1] == groups[101]
    assert len(np.unique(groups)) == 99
    folds = grouped_folds(groups, 5, seed=2)
    assert folds[100] == folds[0] == folds[101]
    assert np.bincount(folds).tolist() == [40] * 5
