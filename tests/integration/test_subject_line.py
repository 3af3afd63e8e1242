"""From a table of A/B tests to scored subject lines of tests not seen, by what the commands call."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from letterpress.clock import ManualClock
from letterpress.datasets.score_table import features_of_table
from letterpress.evaluation.ab_test import ArmCounts, lift_of_pick, ordered_right, significant_pairs
from letterpress.features import feature_names, sentence_model
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.import_logs import import_logs
from letterpress.orchestration.judge_challenger import judge_challenger
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.score_file import score_file
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.ranking.linear_head import LinearScorer
from letterpress.ranking.train_linear_head import Arms, fit_linear_head
from letterpress.recommenders import get_recommender
from letterpress.settings import Settings

CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))
SUBJECT_LINE = get_recommender("subject_line")
TESTS, ARMS = 400, 3


@pytest.fixture(autouse=True)
def _counts_of_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence model costs 10 ms a text; what is tested here does not depend on it."""
    monkeypatch.setattr(sentence_model, "find_weights", lambda: None)


def write_tests(path: Path, *, tests: int, seed: int) -> None:
    """Tests in which a question is clicked half more often, and nothing else matters."""
    generator = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["test_id", "headline", "impressions", "clicks", "test_week", "trusted"])
        for test in range(tests):
            for arm in range(ARMS):
                asks = bool(generator.integers(2))
                words = " ".join(f"word{number}" for number in generator.integers(0, 500, 6))
                clicks = generator.binomial(5000, 0.03 if asks else 0.02)
                ending = "?" if asks else "."
                rows.writerow(
                    [f"{seed}-{test}", f"{words} {arm}{ending}", 5000, clicks, 201401 + test // 8, True]
                )


def test_a_table_of_tests_trains_a_ranker_that_wins_on_tests_it_has_not_seen(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    known, unseen, scored = (tmp_path / name for name in ("known.csv", "unseen.csv", "scored.csv.gz"))
    write_tests(known, tests=TESTS, seed=1)
    write_tests(unseen, tests=60, seed=2)
    imported = import_logs(settings, "ab-test", [str(known)], clock=CLOCK)
    assert sum(file["quarantined"] for file in imported["files"]) == 0
    again = import_logs(settings, "ab-test", [str(known)], clock=CLOCK)
    assert sum(file["raw"] for file in again["files"]) == 0
    build_features(settings)
    publish_features(settings, clock=CLOCK)

    trained = train_challenger(settings, "subject_line")
    assert trained["parameters"]["sentences"] is False
    assert trained["train"]["last"] < trained["test"]["first"]
    verdict = judge_challenger(settings, "subject_line", trained["version"], clock=CLOCK)
    assert verdict["promoted"], verdict["reason"]
    assert verdict["numbers"]["popularity"]["mean"] == pytest.approx(0.0, abs=1e-9)

    result = score_file(settings, "subject_line", unseen, scored)
    assert (result["model"], result["rows"]) == ("subject_line/1", 60 * ARMS)
    table = pyarrow.csv.read_csv(scored)
    scores = table["score"].to_numpy()
    asks = np.array([text.endswith("?") for text in table["headline"].to_pylist()])
    assert scores[asks].min() > scores[~asks].max()


@pytest.mark.reference_data
def test_on_real_headlines_counts_of_words_beat_length(reference_data: Path) -> None:
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    table = pyarrow.csv.read_csv(reference_data / "upworthy" / "upworthy_dev.csv.gz", parse_options=lines)
    features = features_of_table(table, SUBJECT_LINE)
    _, tests = np.unique(table["clickability_test_id"].to_pylist(), return_inverse=True)
    order = np.argsort(tests, kind="stable")
    whole = Arms(
        feature_names(SUBJECT_LINE),
        features[order],
        table["clicks"].to_numpy()[order],
        table["impressions"].to_numpy()[order],
        tests[order].astype(np.int64),
    )
    is_seen = whole.tests % 2 == 0
    seen, unseen = whole.take(is_seen), whole.take(~is_seen)
    scorer = LinearScorer(fit_linear_head(seen, seed=1).head, seen.feature_names)
    offsets = np.append(np.flatnonzero(np.diff(unseen.tests, prepend=-1)), len(unseen)).astype(np.int64)
    arms = ArmCounts(unseen.clicks, unseen.trials, offsets)
    scores, length = scorer.score(unseen.features), unseen.features[:, 0].astype(np.float64)
    pairs = significant_pairs(arms)
    assert ordered_right(scores, pairs).mean() > ordered_right(length, pairs).mean() + 0.02
    assert np.nanmean(lift_of_pick(scores, arms)) > np.nanmean(lift_of_pick(length, arms)) + 0.01
