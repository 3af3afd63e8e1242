"""`letterpress import` and `ingest` as a user runs them."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from letterpress.cli import main
from letterpress.errors import BrokenError, UsageError
from letterpress.events.ab_test import convert_ab_tests
from letterpress.events.codec import BadLine, encode
from letterpress.events.open_bandit_wheel import fetch_open_bandit
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.landing import list_landing
from letterpress.lake.quarantine import raw_of, read_quarantine
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.orchestration.import_logs import ImportOptions, import_logs
from letterpress.settings import Home, Settings


@pytest.fixture
def platform(home: Home) -> Settings:
    return Settings(home=home.root)


def cli(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, Any]:
    monkeypatch.setenv("LETTERPRESS_HOME", str(home.root))
    monkeypatch.setattr("sys.argv", ["letterpress", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    assert isinstance(code, int)
    text = capsys.readouterr().out
    return code, json.loads(text) if text else None


def test_a_native_log_is_reported_under_the_name_that_was_given(
    home: Home, golden: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = str(golden / "native_log.jsonl")
    code, result = cli(home, monkeypatch, capsys, "import", "--format", "letterpress", log, "--json")
    assert code == 0
    (file,) = result["files"]
    assert file["path"] == log
    assert file["read"] == file["raw"] == 365
    assert len(result["ranges"]) > 0
    code, result = cli(home, monkeypatch, capsys, "ingest", "--json")
    assert (code, result["files"]) == (0, [])


def test_land_only_leaves_the_log_for_the_next_ingest(platform: Settings, golden: Path) -> None:
    landed = import_logs(platform, "letterpress", [str(golden / "native_log.jsonl")], land_only=True)[
        "landed"
    ]
    assert [Path(path).exists() for path in landed] == [True]
    assert not platform.paths.raw.exists()


def test_two_logs_of_one_name_do_not_overwrite_each_other(
    platform: Settings, golden: Path, tmp_path: Path
) -> None:
    lines = (golden / "native_log.jsonl").read_bytes().splitlines(keepends=True)
    paths = []
    for name, part in (("a", lines[:100]), ("b", lines[100:])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.jsonl").write_bytes(b"".join(part))
        paths.append(str(tmp_path / name / "log.jsonl"))
    result = import_logs(platform, "letterpress", paths)
    assert (result["raw"], result["duplicate"]) == (len(lines), 0)
    assert sorted(file["path"] for file in result["files"]) == paths


def test_bad_rows_of_a_csv_go_to_quarantine_as_they_were(
    platform: Settings, golden: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(golden / "bandit", tmp_path / "bandit")
    path = folder / "random" / "all" / "all.csv"
    path.write_text(path.read_text() + "9,2019-11-26 00:00:00+00:00,1,1,7,0.1,aa,bb\n")
    result = import_logs(platform, "open-bandit", [str(folder)])
    assert (result["read"], result["raw"], result["quarantined"]) == (15, 14, 1)
    (line,) = read_quarantine(platform.paths)
    assert (line.code, line.field) == ("bad_row", "click")
    assert raw_of(line, TenantKeys(platform.paths.keys)) == b"9,2019-11-26 00:00:00+00:00,1,1,7,0.1,aa,bb"


def test_a_log_without_any_event_is_wrong_usage_and_says_why(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.jsonl").write_text('{"event": "item"}\n' * 2 + "no json\n")
    arguments = ("import", "--format", "letterpress", str(tmp_path / "log.jsonl"))
    code, result = cli(home, monkeypatch, capsys, *arguments, "--json")
    assert (code, result["quarantined"]) == (2, 3)
    assert result["reasons"] == result["files"][0]["reasons"] == {"missing_field": 2, "not_json": 1}
    monkeypatch.setattr("sys.argv", ["letterpress", *arguments])
    with pytest.raises(SystemExit):
        main()
    captured = capsys.readouterr()
    assert f"3 to quarantine (2 missing_field, 1 not_json; kept in {home.quarantine})" in captured.out
    assert "expected events in the format letterpress, found none in 3 lines" in captured.err
    assert "again with the --format" in captured.err
    assert "hours to build" not in captured.out


def test_imports_at_the_same_time_report_their_own_files_only(
    platform: Settings, golden: Path, tmp_path: Path
) -> None:
    lines = (golden / "native_log.jsonl").read_bytes().splitlines(keepends=True)
    paths = [tmp_path / f"{number}.jsonl" for number in range(2)]
    for path, part in zip(paths, (lines[:100], [*lines[100:], b"no event\n"]), strict=True):
        path.write_bytes(b"".join(part))
    with ThreadPoolExecutor() as pool:
        with hold_ingest_lock(platform.paths, 0):
            waiting = [pool.submit(import_logs, platform, "letterpress", [str(path)]) for path in paths]
            deadline = time.monotonic() + 20
            while len(list_landing(platform.paths)) < len(paths) and time.monotonic() < deadline:
                time.sleep(0.01)
        results = [each.result() for each in waiting]
    assert [[file["path"] for file in each["files"]] for each in results] == [[str(path)] for path in paths]
    assert [(each["read"], each["raw"]) for each in results] == [(100, 100), (266, 265)]
    assert [each["reasons"] for each in results] == [{}, {"not_json": 1}]
    assert sum(len(each["others"]) for each in results) == 1


def test_an_empty_path_and_columns_of_another_format_are_wrong_usage(
    platform: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.jsonl").touch()
    with pytest.raises(UsageError, match="found an empty one"):
        import_logs(platform, "letterpress", [""])
    options = ImportOptions(columns={"test": "split"})
    with pytest.raises(UsageError, match="--column with --format ab-test only, found it with letterpress"):
        import_logs(platform, "letterpress", [str(tmp_path / "log.jsonl")], options=options)
    (tmp_path / "log.txt").touch()
    with pytest.raises(UsageError, match=r"\.jsonl\.zst or \.parquet, found log\.txt"):
        import_logs(platform, "letterpress", [str(tmp_path / "log.txt")])
    assert not platform.paths.landing.exists()


def test_a_csv_with_missing_columns_is_wrong_usage_and_lands_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log.csv").write_text("timestamp,item_id,click\n")
    code, result = cli(
        home, monkeypatch, capsys, "import", "--format", "open-bandit", str(tmp_path / "log.csv"), "--json"
    )
    assert code == 2
    assert "position, propensity_score" in result["detail"]
    assert not home.landing.exists()


def test_a_format_that_is_not_read_is_refused_with_those_that_are(platform: Settings) -> None:
    with pytest.raises(UsageError, match="ab-test, letterpress, metarank, open-bandit"):
        import_logs(platform, "xml", ["somewhere"])


def test_an_unknown_scenario_is_wrong_usage(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("simulate", "--out", str(tmp_path / "sim"), "--scenario", "storm", "--json")
    code, result = cli(home, monkeypatch, capsys, *arguments)
    assert code == 2
    assert "steady, covariate-drift" in result["detail"]


def test_without_a_registry_the_download_ends_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(BrokenError, match="name a folder"):
        fetch_open_bandit(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.reference_data
def test_the_real_open_bandit_logs_import_to_the_last_row(platform: Settings, reference_data: Path) -> None:
    folder = str(reference_data / "open_bandit" / "bts" / "men")
    import_logs(platform, "open-bandit", [str(reference_data / "open_bandit" / "random" / "men")])
    result = import_logs(platform, "open-bandit", [folder])
    assert result["read"] == result["raw"] + result["duplicate"]
    assert result["duplicate"] == 34, "the items, which the other policy shows too"
    again = import_logs(platform, "open-bandit", [folder])
    assert again["raw"] == 0


def write_table(path: Path, texts: str) -> Path:
    arms = "".join(f"{test},{texts} {test} {arm},100,{arm}\n" for test in range(3) for arm in (1, 2))
    path.write_text("test,text,sent,clicks\n" + arms)
    return path


def test_a_second_table_that_numbers_its_tests_alike_is_read_and_the_first_again_is_not(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (write_table(tmp_path / f"{name}.csv", name) for name in ("spring", "autumn"))
    raw = {}
    for name, table in {"first": first, "second": second, "first again": first}.items():
        code, result = cli(home, monkeypatch, capsys, "import", "--format", "ab-test", str(table), "--json")
        raw[name] = (code, result["raw"], result["duplicate"])
    assert raw == {"first": (0, 21, 0), "second": (0, 21, 0), "first again": (0, 0, 21)}
    monkeypatch.setattr("sys.argv", ["letterpress", "import", "--format", "ab-test", str(second)])
    with pytest.raises(SystemExit):
        main()
    assert f"nothing new in {second}: all 21 events are known" in capsys.readouterr().out


def test_tests_that_a_home_knows_by_their_bare_names_stay_known(platform: Settings, tmp_path: Path) -> None:
    table = write_table(tmp_path / "spring.csv", "spring")
    before = {name: {f"spring {name} 1"} for name in "012"}
    log = tmp_path / "old.jsonl"
    events = [each for each in convert_ab_tests(table, bare=before) if not isinstance(each, BadLine)]
    log.write_bytes(b"".join(encode(each) + b"\n" for each in events))
    assert import_logs(platform, "letterpress", [str(log)])["raw"] == 21
    assert import_logs(platform, "ab-test", [str(table)])["duplicate"] == 21
    other = write_table(tmp_path / "other.csv", "autumn")
    assert import_logs(platform, "ab-test", [str(other)])["raw"] == 21
