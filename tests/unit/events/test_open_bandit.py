"""Open Bandit CSVs as native events."""

from __future__ import annotations

import gzip
import shutil
from collections import Counter
from pathlib import Path

import pytest

from letterpress.errors import UsageError
from letterpress.events.codec import BadLine, decode_line, encode
from letterpress.events.open_bandit import convert, find_bandit_logs
from letterpress.events.types import Item, Outcome, Slate


@pytest.fixture
def folder(golden: Path, tmp_path: Path) -> Path:
    return shutil.copytree(golden / "bandit", tmp_path / "bandit")


def _log_path(folder: Path) -> Path:
    return folder / "random" / "all" / "all.csv"


def test_a_row_becomes_a_slate_of_one_item_and_its_outcomes(folder: Path) -> None:
    (log,) = find_bandit_logs(folder)
    events = [event for event in convert(log) if not isinstance(event, BadLine)]
    items = [event for event in events if isinstance(event, Item)]
    slates = [event for event in events if isinstance(event, Slate)]
    outcomes = Counter(event.kind for event in events if isinstance(event, Outcome))
    assert [item.item_id for item in items] == ["all-0", "all-1", "all-2"]
    assert items[0].attributes == {"item_feature_0": -0.5}
    assert len(slates) == 5
    assert outcomes == {"delivered": 5, "clicked": 1}
    first = slates[0]
    assert (first.policy, first.campaign.campaign_id) == ("random", "random-all")
    assert first.campaign.labels == {"user_feature_0": "aa", "user_feature_1": "bb"}
    (shown,) = first.items
    assert (shown.item_id, shown.position, shown.propensity) == ("all-2", 3, 0.0125)


def test_every_converted_event_passes_the_codec(folder: Path) -> None:
    (log,) = find_bandit_logs(folder)
    for event in convert(log):
        assert not isinstance(event, BadLine)
        assert decode_line(encode(event)) == event


def test_features_that_are_hashed_by_policy_are_left_out(folder: Path) -> None:
    (log,) = find_bandit_logs(folder)
    assert all(
        set(event.attributes) == {"item_feature_0"} and not event.labels
        for event in convert(log)
        if isinstance(event, Item)
    )


@pytest.mark.parametrize("missing", ["timestamp", "item_id", "position", "click", "propensity_score"])
def test_a_missing_column_is_named(folder: Path, missing: str) -> None:
    path = _log_path(folder)
    path.write_text(path.read_text().replace(missing, "other", 1))
    (log,) = find_bandit_logs(folder)
    with pytest.raises(UsageError, match=f"found no {missing}"):
        list(convert(log))


def test_a_missing_item_file_is_named(folder: Path) -> None:
    (folder / "random" / "all" / "item_context.csv").unlink()
    (log,) = find_bandit_logs(folder)
    with pytest.raises(UsageError, match=r"item_context\.csv"):
        list(convert(log))


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("9,2019-11-24 00:05:00+00:00,1,1,2,0.1,aa,bb", "click"),
        ("9,2019-11-24 00:05:00+00:00,1,1,0,0,aa,bb", "propensity_score"),
        ("9,2019-11-24 00:05:00+00:00,1,1,0,nan,aa,bb", "propensity_score"),
        ("9,2019-11-24 00:05:00+00:00,1,0,0,0.1,aa,bb", "position"),
        ("9,2019-11-24 00:05:00+00:00,x,1,0,0.1,aa,bb", "item_id"),
        ("9,2019-11-24 00:05:00,1,1,0,0.1,aa,bb", "timestamp"),
        ("9,soon,1,1,0,0.1,aa,bb", "timestamp"),
        ("9,2019", None),
    ],
)
def test_a_bad_row_is_kept_with_its_field(folder: Path, row: str, field: str | None) -> None:
    path = _log_path(folder)
    path.write_text(path.read_text() + row + "\n")
    (log,) = find_bandit_logs(folder)
    (bad,) = [event for event in convert(log) if isinstance(event, BadLine)]
    assert (bad.raw, bad.line, bad.code, bad.field) == (row, 6, "bad_row", field)


def test_a_truncated_gzip_keeps_the_rows_before_the_damage(folder: Path) -> None:
    path = _log_path(folder)
    header, *rows = path.read_text().splitlines()
    text = "\n".join([header, *rows * 4000]) + "\n"
    path.with_name("all.csv.gz").write_bytes(gzip.compress(text.encode())[:-3000])
    path.unlink()
    (log,) = find_bandit_logs(folder)
    events = list(convert(log))
    assert sum(isinstance(event, Slate) for event in events) > 1000
    bad = [event for event in events if isinstance(event, BadLine)]
    assert bad[-1].code == "truncated_file"


def test_a_folder_without_logs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        find_bandit_logs(tmp_path)


@pytest.mark.reference_data
def test_the_real_log_has_the_published_clicks(reference_data: Path) -> None:
    (log,) = find_bandit_logs(reference_data / "open_bandit" / "random" / "all")
    events = list(convert(log))
    assert log.name == "random-all"
    assert not any(isinstance(event, BadLine) for event in events)
    assert sum(isinstance(event, Slate) for event in events) == 10_000
    assert sum(isinstance(event, Outcome) and event.kind == "clicked" for event in events) == 38
