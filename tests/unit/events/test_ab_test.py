"""Tables of A/B tests become items, slates and counts; what is no arm is a bad line."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from letterpress.errors import UsageError
from letterpress.events.ab_test import COLUMNS, MARK, NO_WEEK, convert_ab_tests, find_ab_tables
from letterpress.events.codec import BadLine, encode
from letterpress.events.types import Item, Outcome, Slate

HEADER = "clickability_test_id,headline,impressions,clicks,test_week,trusted\n"


def write(folder: Path, rows: str, header: str = HEADER) -> Path:
    path = folder / "tests.csv"
    path.write_text(header + rows)
    return path


def test_a_test_becomes_its_items_one_slate_and_counts(tmp_path: Path) -> None:
    path = write(tmp_path, 't1,"One, ""quoted""\nline",3000,30,201446,True\nt1,Two,2900,0,201446,True\n')
    events = list(convert_ab_tests(path))
    items = [each for each in events if isinstance(each, Item)]
    assert [item.labels["text"] for item in items] == ['One, "quoted" line', "Two"]
    (slate,) = (each for each in events if isinstance(each, Slate))
    assert [shown.propensity for shown in slate.items] == [0.5, 0.5]
    assert slate.occurred_at == datetime(2014, 11, 10, tzinfo=UTC)
    assert {each.received_at for each in events if isinstance(each, Outcome)} == {
        datetime(2014, 11, 17, tzinfo=UTC)
    }
    assert slate.campaign.labels == {"trusted": "true"}
    counts = {(each.item_id, each.kind): each.count for each in events if isinstance(each, Outcome)}
    test = slate.slate_id
    assert counts == {
        (f"{test}-1", "delivered"): 3000,
        (f"{test}-1", "clicked"): 30,
        (f"{test}-2", "delivered"): 2900,
    }


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, "t1,One,3000,30,201446,True\nt2,Two,10,1,201447,False\n")
    first, second = (
        [encode(each) for each in convert_ab_tests(path) if not isinstance(each, BadLine)] for _ in "ab"
    )
    assert first == second


def ids_of(path: Path, bare: dict[str, set[str]] | None = None) -> set[str]:
    return {each.event_id for each in convert_ab_tests(path, bare=bare) if not isinstance(each, BadLine)}


def test_a_second_table_that_numbers_its_tests_alike_is_another(tmp_path: Path) -> None:
    first = ids_of(write(tmp_path, "1,One,3000,30,201446,True\n1,Two,3000,40,201446,True\n"))
    second = ids_of(write(tmp_path, "1,Three,3000,30,201446,True\n1,Two,3000,40,201446,True\n"))
    assert len(first) == len(second) == 7
    assert not first & second


def test_a_test_is_the_same_in_another_order_and_with_later_counts(tmp_path: Path) -> None:
    first = ids_of(write(tmp_path, "1,One,3000,30,201446,True\n1,Two,3000,40,201446,True\n"))
    assert ids_of(write(tmp_path, "1,Two,3500,60,201446,True\n1,One,3500,31,201446,True\n")) == first


def test_a_test_that_is_known_by_its_bare_name_keeps_it(tmp_path: Path) -> None:
    path = write(tmp_path, "1,One,3000,0,201446,True\n2,Two,3000,0,201446,True\n")
    found = ids_of(path, {"1": {"One"}, "2": {"Of another table"}})
    assert {"1-slate", "1-1-item", "1-1-delivered"} == {each for each in found if MARK not in each}
    assert len(found) == 6


def test_arms_that_do_not_differ_are_labelled(tmp_path: Path) -> None:
    path = write(tmp_path, "t1,One,3000,30,201446,True\nt1,One,3000,40,201446,True\n")
    (slate,) = (each for each in convert_ab_tests(path) if isinstance(each, Slate))
    assert slate.campaign.labels["duplicate_arms"] == "true"


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",One,10,1,201446,True", "clickability_test_id"),
        ("t1,,10,1,201446,True", "headline"),
        ("t1,One,-5,1,201446,True", "impressions"),
        ("t1,One,10,11,201446,True", "clicks"),
        ("t1,One,many,1,201446,True", "impressions"),
        ("t1,One,10,1.5,201446,True", "clicks"),
        ("t1,One,10,NaN,201446,True", "clicks"),
        ("t1,One,10,1,201446,True,more", None),
        ("t1,One", None),
    ],
)
def test_a_row_that_is_no_arm_is_a_bad_line_with_its_field(
    row: str, field: str | None, tmp_path: Path
) -> None:
    events = list(convert_ab_tests(write(tmp_path, row + "\nt2,Two,10,1,201446,True\n")))
    (bad,) = (each for each in events if isinstance(each, BadLine))
    assert (bad.code, bad.field, bad.line) == ("bad_row", field, 1)
    assert sum(isinstance(each, Slate) for each in events) == 1


def test_parquet_with_other_names_and_without_a_week_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tests.parquet"
    table = {"test_id": [7, 7], "subject_line": ["A", "B"], "delivered": [100, 100], "clicked": [1, 2]}
    pyarrow.parquet.write_table(pa.table(table), path)
    (slate,) = (each for each in convert_ab_tests(path) if isinstance(each, Slate))
    assert (slate.slate_id.partition(MARK)[0], slate.occurred_at) == ("7", NO_WEEK)


def test_missing_columns_are_named_with_the_names_that_would_do(tmp_path: Path) -> None:
    path = write(tmp_path, "t1,One\n", header="test_id,headline\n")
    with pytest.raises(UsageError, match=r"impressions: impressions or delivered.*found test_id, headline"):
        list(convert_ab_tests(path))


def test_a_path_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        find_ab_tables(tmp_path)


def test_the_slate_is_an_experiment_that_its_counts_name(tmp_path: Path) -> None:
    events = list(convert_ab_tests(write(tmp_path, "t1,One,10,1,201446,True\nt1,Two,10,2,201446,True\n")))
    (slate,) = (each for each in events if isinstance(each, Slate))
    assert slate.experiment is not None
    assert (slate.experiment.experiment_id, slate.experiment.original_arm) == (slate.slate_id, None)
    assert {each.experiment_id for each in events if isinstance(each, Outcome)} == {slate.slate_id}


def test_columns_and_names_can_be_given(tmp_path: Path) -> None:
    path = write(tmp_path, "t1,One,10,1\nt1,Two,10,2\n", header="split,headline,impressions,clicks\n")
    events = convert_ab_tests(path, recommender="pets", tenant="fern", columns={"test": "split"})
    (slate,) = (each for each in events if isinstance(each, Slate))
    assert (slate.slate_id[:3], slate.recommender, slate.tenant) == ("t1~", "pets", "fern")
    for wrong in ({"colour": "split"}, {"test": "nothing"}):
        with pytest.raises(UsageError, match="--column"):
            list(convert_ab_tests(path, columns=wrong))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_semicolons_and_tabs_part_columns_too_behind_a_byte_order_mark(
    delimiter: str, tmp_path: Path
) -> None:
    rows = "test,betreff,sent,clicks\nt1,Grüße!,10,1\nt1,Zwölf,10,2\n".replace(",", delimiter)
    path = write(tmp_path, rows, header="\ufeff")
    events = list(convert_ab_tests(path, columns={"text": "betreff"}))
    assert [each.labels["text"] for each in events if isinstance(each, Item)] == ["Grüße!", "Zwölf"]


def test_a_table_that_breaks_off_keeps_what_was_readable(tmp_path: Path) -> None:
    rows = "".join(f"t{number},{number * 7919 % 4001},10,1,201446,True\n" for number in range(3000))
    whole = gzip.compress((HEADER + rows).encode())
    path = tmp_path / "tests.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    events = list(convert_ab_tests(path))
    assert [each.code for each in events if isinstance(each, BadLine)] == ["truncated_file"]
    assert 100 < sum(isinstance(each, Slate) for each in events) < 3000


def test_bytes_that_are_not_utf8_are_kept_as_escapes(tmp_path: Path) -> None:
    path = tmp_path / "tests.csv"
    path.write_bytes(HEADER.encode() + b"t1,caf\xe9,10,1,201446,True\n")
    (item,) = (each for each in convert_ab_tests(path) if isinstance(each, Item))
    assert item.labels["text"] == "caf\\xe9"


def test_the_page_about_importing_names_every_column_and_how_it_is_found() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "events" / "importing.md").read_text()
    for column, names in COLUMNS.items():
        (row,) = (
            line for line in page.splitlines() if line.startswith(f"| `{column}`") and "found" not in line
        )
        assert ", ".join(f"`{name}`" for name in names) in row


@pytest.mark.parametrize(("said", "kept"), [("False", "false"), ("0", "false"), ("no", "false"), ("1", "1")])
def test_what_a_table_distrusts_is_labelled_alike_however_it_says_so(
    said: str, kept: str, tmp_path: Path
) -> None:
    path = write(tmp_path, f"t1,One,10,1,201446,{said}\n")
    (slate,) = (each for each in convert_ab_tests(path) if isinstance(each, Slate))
    assert slate.campaign.labels == {"trusted": kept}
