"""From a table of A/B tests to scored subject lines of tests not seen, by commands and by what they call."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
from numpy.typing import NDArray

from letterpress.clock import ManualClock
from letterpress.datasets.score_table import features_of_table
from letterpress.datasets.skew_audit import NOT_ASKED
from letterpress.errors import GateFailedError
from letterpress.evaluation.ab_test import ArmCounts, lift_of_pick, ordered_right, significant_pairs
from letterpress.features import feature_names, sentence_model
from letterpress.features.text_counts import count_text
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.audit_skew import audit_skew, report_skew
from letterpress.orchestration.feature_coverage import SLOW_VIEWS
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.judge_challenger import judge_challenger
from letterpress.orchestration.score_file import score_file
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.ranking.linear_head import LinearScorer
from letterpress.ranking.popularity import popularity_bundle
from letterpress.ranking.train_linear_head import Arms, fit_linear_head
from letterpress.recommenders import get_recommender
from letterpress.registry.audits import AuditRecord, read_audit
from letterpress.registry.publication import publish
from letterpress.serving.service import RankingService
from letterpress.settings import ServiceSettings, Settings

CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))
SUBJECT_LINE = get_recommender("subject_line")
TESTS, ARMS = 165, 3


ODD = ["🎉🎉 Nur heute 🎉", "新年快乐!", "Скидки до вечера", 'Sagt "ja"; oder nein', "x" * 900]
WORDS = ["sale", "garden", "summer", "boots", "letter", "coffee", "early", "paper", "window", "market"]
COLUMNS = ("--column", "test=versuch", "--column", "text=betreff")
HEADER = ["versuch", "betreff", "sent", "clicks", "week", "trusted"]
ODD_ROWS = """\
lonely;Only one?;5000;150;201401;1
unsent;Sent?;5000;150;201401;1
unsent;Never sent.;0;0;201401;1
twice;The same?;5000;150;201401;1
twice;The same?;5000;140;201401;1
empty;;5000;100;201401;1
more;More clicks than readers;10;11;201401;1
"""
"""One arm alone, one that was never sent, one that came twice, and two rows that are no arms."""


def write_tests(path: Path, *, tests: int, seed: int) -> None:
    """Tests in which a question is clicked half more often, as a spreadsheet writes them: semicolons, a mark.

    Every eighth is distrusted.
    """
    generator = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(HEADER)
        for test in range(tests):
            for arm in range(ARMS):
                asks = bool(generator.integers(2))
                odd = ODD[test // 4 % len(ODD)] if arm == test % 4 else None
                text = odd or " ".join(generator.choice(WORDS, 4))
                clicks = generator.binomial(5000, 0.03 if asks else 0.02)
                row = [test, f"{text} {arm}{'?' if asks else '.'}", 5000, clicks]
                rows.writerow([*row, 201401 + test // 8, "0" if test % 8 == 0 else "1"])


def letterpress(home: Path, *arguments: str) -> dict[str, Any]:
    """What a command prints, as a process of its own; it must exit 0."""
    command = [sys.executable, "-m", "letterpress.cli", *arguments, "--json"]
    environment = os.environ | {"LETTERPRESS_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "versuche.csv"
    write_tests(path, tests=TESTS, seed=1)
    with path.open("a", encoding="utf-8") as file:
        file.write(ODD_ROWS)
    return path


@pytest.fixture(scope="module")
def built_home(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose snapshot holds the tests of `table`, by commands: copy it before anything changes it."""
    home = tmp_path_factory.mktemp("subject_line") / "home"
    imported = letterpress(home, "import", "--format", "ab-test", *COLUMNS, str(table))
    assert imported["reasons"] == {"bad_row": 2}
    again = letterpress(home, "import", "--format", "ab-test", *COLUMNS, str(table))
    assert (again["raw"], again["duplicate"]) == (0, imported["read"])
    letterpress(home, "features")
    return home


def scores_by_question(scored: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of lines that ask, and of the others."""
    table = pyarrow.csv.read_csv(scored)
    assert table.column_names == [*HEADER, "score"]
    asks = np.array([text.endswith("?") for text in table["betreff"].to_pylist()])
    scores = table["score"].to_numpy()
    return scores[asks], scores[~asks]


def test_commands_alone_rank_the_lines_of_a_spreadsheet_that_it_has_not_seen(
    built_home: Path, tmp_path: Path
) -> None:
    home, unseen, scored = tmp_path / "home", tmp_path / "neu.csv", tmp_path / "out" / "scored.csv"
    shutil.copytree(built_home, home)
    write_tests(unseen, tests=20, seed=2)
    trained = letterpress(home, "train", "--recommender", "subject_line")
    assert trained["parameters"]["sentences"] is (sentence_model.find_weights() is not None)
    verdict = letterpress(home, "evaluate", "--recommender", "subject_line")
    assert verdict["promoted"], verdict["reason"]
    assert 50 <= verdict["numbers"]["test_slates"] < 60
    assert verdict["numbers"]["distrusted_slates"] > 0

    files = ("--input", str(unseen), "--output", str(scored))
    result = letterpress(home, "score", "--recommender", "subject_line", *COLUMNS, *files)
    assert (result["model"], result["rows"]) == ("subject_line/1", 20 * ARMS)
    asking, others = scores_by_question(scored)
    assert asking.min() > others.max()


def test_counts_of_words_alone_win_on_tests_that_are_later_than_all_that_was_learnt_from(
    built_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_model, "find_weights", lambda: None)
    settings = Settings(home=tmp_path / "home")
    shutil.copytree(built_home, settings.paths.root)
    unseen, scored = tmp_path / "unseen.csv", tmp_path / "scored.csv.gz"
    write_tests(unseen, tests=60, seed=3)
    trained = train_challenger(settings, "subject_line")
    assert trained["parameters"]["sentences"] is False
    assert trained["split_by"] == "time"
    assert sum(trained["shap"].values()) == pytest.approx(1.0, abs=1e-4)
    assert trained["train"]["last"] < trained["test"]["first"]
    verdict = judge_challenger(settings, "subject_line", trained["version"], clock=CLOCK)
    assert verdict["promoted"], verdict["reason"]
    assert verdict["numbers"]["popularity"]["mean"] == pytest.approx(0.0, abs=1e-9)

    score_file(settings, "subject_line", unseen, scored, columns={"test": "versuch", "text": "betreff"})
    asking, others = scores_by_question(scored)
    assert asking.min() > others.max()


LINES_AT_ONCE = 8
COUNTING = "letterpress.features.text_view.count_text"


def ask_for_lines(settings: Settings, clock: ManualClock, *, slates: int, seed: int) -> None:
    """Slates of lines in any script, some of them known, through the service into raw."""
    generator, known = np.random.default_rng(seed), Snapshot.open(settings.paths).items("subject_line")
    service = RankingService(settings, clock)
    service.start()

    async def ask() -> None:
        for _ in range(slates):
            clock.advance(timedelta(seconds=4))
            lines = [*ODD, *(" ".join(generator.choice(WORDS, 4)) for _ in range(3))]
            items = [{"item_id": str(generator.random()), "labels": {"text": line}} for line in lines]
            items[-1] = {"item_id": known.item_id(int(generator.integers(len(known))))}
            document = {"recommender": "subject_line", "tenant": "ab_test", "slot": "subject"}
            campaign = {"campaign_id": str(generator.random())}
            await service.rank_document(
                {**document, "campaign": campaign, "items": items, "k": LINES_AT_ONCE}
            )

    try:
        asyncio.run(ask())
    finally:
        service.stop()
    clock.advance(timedelta(hours=1))
    ingest_landing(settings, clock)


def audited(settings: Settings, clock: ManualClock) -> AuditRecord:
    audit_skew(settings, clock=clock)
    record = read_audit(settings.paths, "subject_line")
    assert record is not None
    return record


def test_an_audit_of_lines_that_were_served_finds_nothing_but_what_was_planted(
    built_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_model, "find_weights", lambda: None)
    home, clock = tmp_path / "home", ManualClock(CLOCK.now())
    settings = Settings(home=home, service=ServiceSettings(audit_share=1.0, log_flush_seconds=0.02))
    shutil.copytree(built_home, home)
    bundle = popularity_bundle(SUBJECT_LINE, Snapshot.open(settings.paths).snapshot_id)
    path = bundle.save(settings.paths.registry / "bundles" / "subject_line")
    publish(settings.paths, recommender="subject_line", version=1, bento=None, bundle=path, clock=clock)

    ask_for_lines(settings, clock, slates=50, seed=4)
    record = audited(settings, clock)
    assert (record.compared, record.mismatches) == (SLOW_VIEWS["sentence"], 0)
    assert record.not_comparable == {NOT_ASKED: 50 * LINES_AT_ONCE - SLOW_VIEWS["sentence"]}

    monkeypatch.setattr(COUNTING, lambda text: count_text(text.replace("🎉", "")))
    ask_for_lines(settings, clock, slates=25, seed=5)
    monkeypatch.setattr(COUNTING, count_text)
    record = audited(settings, clock)
    skewed = {each["name"] for each in record.features if each["mismatches"]}
    assert {"text_emoji", "text_characters"} <= skewed
    assert "text_questions" not in skewed
    assert record.mismatches >= 20
    with pytest.raises(GateFailedError, match="text_emoji"):
        report_skew(settings)


@pytest.mark.reference_data
def test_on_real_headlines_counts_of_words_beat_length(
    reference_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentence_model, "find_weights", lambda: None)  # it costs 10 ms a text
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
