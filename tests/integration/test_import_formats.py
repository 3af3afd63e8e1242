"""Foreign formats and Parquet through the whole import: every row is accounted for, twice adds nothing."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from letterpress.errors import UsageError
from letterpress.events.codec import encode
from letterpress.events.examples import example_events
from letterpress.lake.quarantine import raw_of, read_quarantine
from letterpress.lake.subject import Subject
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.orchestration.forget import forget
from letterpress.orchestration.import_logs import ImportOptions, import_logs
from letterpress.settings import Home, Settings

COUNTS = ("read", "raw", "duplicate", "quarantined")


@pytest.fixture
def platform(home: Home) -> Settings:
    return Settings(home=home.root)


def counts(result: dict[str, Any]) -> tuple[int, ...]:
    assert result["read"] == result["raw"] + result["duplicate"] + result["quarantined"]
    for file in result["files"]:
        assert set(COUNTS) | {"path"} <= set(file)
    return tuple(result[name] for name in COUNTS)


def rows_of(settings: Settings, event: str) -> list[dict[str, Any]]:
    paths = sorted(settings.paths.raw.glob(f"recommender=*/hour=*/{event}.parquet"))
    return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]


@pytest.mark.reference_data
@pytest.mark.parametrize(
    ("name", "lines"), [("doc_events.jsonl", 27), ("obd_random_all.events.jsonl.gz", 10_118)]
)
def test_every_line_of_metaranks_logs_is_an_event(
    platform: Settings, reference_data: Path, name: str, lines: int
) -> None:
    path = str(reference_data / "metarank" / name)
    assert counts(import_logs(platform, "metarank", [path])) == (lines, lines, 0, 0)
    assert import_logs(platform, "metarank", [path])["raw"] == 0


@pytest.mark.reference_data
def test_every_arm_of_the_archive_of_headline_tests_is_an_item(
    platform: Settings, reference_data: Path
) -> None:
    path = str(reference_data / "upworthy" / "upworthy_dev.csv.gz")
    result = import_logs(platform, "ab-test", [path])
    assert counts(result)[2:] == (0, 0)
    assert len(rows_of(platform, "item")) == 11_417
    slates = [dict(row["campaign"]["labels"]) for row in rows_of(platform, "slate")]
    assert len(slates) == 2_471
    assert sum(labels["trusted"] == "true" for labels in slates) == 1_896
    assert import_logs(platform, "ab-test", [path])["raw"] == 0


METARANK = (
    b'{"event":"item","id":"m","item":"boots","timestamp":1655896899000,'
    b'"fields":[{"name":"price","value":69}]}'
)


def test_what_metaranks_log_holds_beside_events_goes_to_quarantine(
    platform: Settings, tmp_path: Path
) -> None:
    lines = [
        METARANK,
        b"not json",
        METARANK.replace(b"item", b"visit", 1),
        b"\xff\xfe",
        b"x" * (5 << 20),
        METARANK,
    ]
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(lines))
    options = ImportOptions(recommender="boots", tenant="fern")
    result = import_logs(platform, "metarank", [str(tmp_path / "log.jsonl")], options=options)
    assert counts(result) == (6, 1, 1, 4)
    assert [(row["tenant"], row["item_id"]) for row in rows_of(platform, "item")] == [("fern", "boots")]
    assert (platform.paths.raw / "recommender=boots").is_dir()
    assert sorted(line.code for line in read_quarantine(platform.paths)) == [
        "bad_row",
        "not_json",
        "not_utf8",
        "too_large",
    ]


def test_foreign_lines_that_are_no_events_are_forgotten_with_the_tenant_they_came_under(
    platform: Settings, tmp_path: Path
) -> None:
    lines = [METARANK, b"not json", METARANK.replace(b'"event"', b'"tenant":"alder","kind"', 1)]
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(lines))
    log = [str(tmp_path / "log.jsonl")]
    assert counts(import_logs(platform, "metarank", log, options=ImportOptions(tenant="fern"))) == (
        3,
        1,
        0,
        2,
    )
    (tmp_path / "arms.csv").write_text("test,text,sent,clicks\na,Sale,ten,1\na,Sale now,10,1\n")
    arms = [str(tmp_path / "arms.csv")]
    assert counts(import_logs(platform, "ab-test", arms, options=ImportOptions(tenant="fern")))[3] == 1
    done = forget(platform, Subject("fern"))
    assert done["quarantine_removed"] == 2
    keys = TenantKeys(platform.paths.keys)
    assert [raw_of(line, keys) for line in read_quarantine(platform.paths)] == [lines[2]]


def test_a_table_that_was_read_by_the_wrong_column_is_read_again_after_its_tenant_was_forgotten(
    platform: Settings, tmp_path: Path
) -> None:
    (tmp_path / "arms.csv").write_text("test,text,sent,opens,clicks\na,Sale,10,5,1\na,Sale now,10,6,2\n")
    arms = [str(tmp_path / "arms.csv")]
    wrong = ImportOptions(tenant="fern", columns={"clicks": "opens"})
    assert import_logs(platform, "ab-test", arms, options=wrong)["raw"] == 7
    right = ImportOptions(tenant="fern")
    assert counts(import_logs(platform, "ab-test", arms, options=right)) == (7, 0, 7, 0), "they are known"
    forget(platform, Subject("fern"))
    assert counts(import_logs(platform, "ab-test", arms, options=right))[1] == 7
    clicked = [row["count"] for row in rows_of(platform, "outcome") if row["kind"] == "clicked"]
    assert sorted(clicked) == [1, 2]


def test_a_truncated_metarank_log_keeps_what_was_readable(platform: Settings, tmp_path: Path) -> None:
    lines = [METARANK.replace(b'"boots"', b'"boots-%d"' % number) for number in range(2000)]
    whole = gzip.compress(b"\n".join(lines) + b"\n")
    (tmp_path / "log.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    result = import_logs(platform, "metarank", [str(tmp_path / "log.jsonl.gz")])
    assert 0 < result["raw"] < 2000
    assert [line.code for line in read_quarantine(platform.paths)] == ["truncated_file"]
    assert counts(result)


def test_raw_files_of_one_lake_are_read_into_another_without_a_difference(
    platform: Settings, golden: Path, tmp_path: Path
) -> None:
    import_logs(platform, "letterpress", [str(golden / "native_log.jsonl"), str(golden / "v1_log.jsonl")])
    other = Settings(home=tmp_path / "other")
    result = import_logs(other, "letterpress", [str(platform.paths.raw)])
    assert counts(result) == (371, 371, 0, 0)
    for event in ("item", "campaign", "slate", "interaction", "outcome"):
        assert rows_of(other, event) == rows_of(platform, event)
    assert import_logs(other, "letterpress", [str(platform.paths.raw)])["raw"] == 0


def test_a_folder_is_read_without_what_lies_in_folders_of_it(
    platform: Settings, golden: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "simulated"
    (folder / "truth").mkdir(parents=True)
    shutil.copy(golden / "native_log.jsonl", folder)
    (folder / "truth" / "items.parquet").write_bytes(b"never read")
    result = import_logs(platform, "letterpress", [str(folder)])
    assert [Path(file["path"]).name for file in result["files"]] == ["native_log.jsonl"]


def test_unknown_fields_and_older_versions_reach_raw(
    platform: Settings, golden: Path, tmp_path: Path
) -> None:
    line = json.loads((golden / "v1_log.jsonl").read_bytes().splitlines()[2])
    (tmp_path / "log.jsonl").write_text(json.dumps({**line, "theme": {"b": 1, "a": "x"}}))
    assert counts(import_logs(platform, "letterpress", [str(tmp_path / "log.jsonl")])) == (1, 1, 0, 0)
    (row,) = rows_of(platform, "slate")
    assert (row["version"], row["schema_hash"], row["extra"]) == (2, "0a1b2c3d", '{"theme":{"a":"x","b":1}}')


@pytest.mark.parametrize("options", [{"recommender": "Not A Name"}, {"recommender": "../x"}, {"tenant": ""}])
def test_names_that_no_event_could_carry_are_wrong_usage(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--(recommender|tenant)"):
        ImportOptions(**options)


@pytest.mark.parametrize("log_format", ["letterpress", "metarank", "open-bandit"])
def test_a_path_without_a_log_is_wrong_usage_and_an_empty_log_is_empty(
    platform: Settings, tmp_path: Path, log_format: str
) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    for path in (tmp_path / "missing.jsonl", tmp_path / "folder.jsonl"):
        with pytest.raises(UsageError):
            import_logs(platform, log_format, [str(path)])
    if log_format != "open-bandit":
        (tmp_path / "empty.jsonl").touch()
        assert counts(import_logs(platform, log_format, [str(tmp_path / "empty.jsonl")])) == (0, 0, 0, 0)


def test_no_text_of_an_event_becomes_a_path(platform: Settings, tmp_path: Path) -> None:
    document = json.loads(encode(example_events()["outcome"]))
    hostile = ("../../../out", "/out", "a\\..\\b", "'; drop table x; --", "%2e%2e/", "hour=1970-01-01T00")
    lines = []
    for text in hostile:
        lines += [{**document, "event_id": text, "tenant": text, "slate_id": text, "item_id": text}]
        lines += [{**document, "event_id": text, "recommender": text}]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    result = import_logs(platform, "letterpress", [str(tmp_path / "log.jsonl")])
    assert counts(result) == (12, 6, 0, 6)
    assert {line.code for line in read_quarantine(platform.paths)} == {"not_allowed"}
    folders = {path.parent.parent.name for path in platform.paths.raw.rglob("outcome.parquet")}
    assert folders == {"recommender=image_enhancement", "recommender=_"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "log.jsonl"]
