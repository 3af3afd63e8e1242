from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterpress.errors import StorageError
from letterpress.lake.key_table import KeySearch, KeyTable, slots_file, write_key_table
from letterpress.lake.text_column import TextColumn

TEXTS = st.lists(st.text(max_size=12), unique=True, max_size=60)


def open_table(folder: Path, keys: list[str]) -> KeyTable:
    write_key_table(folder, "item", pa.chunked_array([keys], pa.string()))
    return KeyTable.open(folder, "item")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(keys=TEXTS, others=TEXTS)
def test_it_answers_as_a_dictionary_does(tmp_path: Path, keys: list[str], others: list[str]) -> None:
    table = open_table(tmp_path, keys)
    rows = {key: row for row, key in enumerate(keys)}
    wanted = [*others, *reversed(keys)]
    assert table.find(wanted).tolist() == [rows.get(key, len(keys)) for key in wanted]
    assert [table.keys[row] for row in range(len(table))] == keys


def test_keys_that_are_parts_of_each_other_are_told_apart(tmp_path: Path) -> None:
    table = open_table(tmp_path, ["a\x1fb", "a", "\x1fb", "ab", ""])
    assert table.find(["", "ab", "a", "b", "a\x1fb", "\x1fb", "a\x1f"]).tolist() == [4, 3, 1, 5, 0, 2, 5]


def test_keys_of_several_tables_are_found_each_in_its_own(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one = open_table(tmp_path / "one", ["a", "é", "ab"])
    other = open_table(tmp_path / "other", ["b", "a"])
    search = KeySearch([(table, None) for table in (one, other, other, one)])
    found = search.find([["ab", "é", "b"], ["a"], [], ["a", "\ud800"]])
    assert [rows.tolist() for rows in found] == [[2, 1, 3], [1], [], [0, 3]]


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_counts_of_several_tables_are_those_of_their_rows(tmp_path: Path, kind: type[np.integer]) -> None:
    table = open_table(tmp_path, [f"key-{number}" for number in range(500)])
    most = np.iinfo(kind).max
    mine = (most - np.arange(501 * 3).reshape(501, 3)).astype(kind)
    plain = np.arange(501 * 3).reshape(501, 3)
    numbers = np.random.default_rng(3).integers(0, 501, 300).tolist()  # 500 is a key that is not known
    mine_found, plain_found = KeySearch([(table, mine), (table, plain)]).counts(
        [[f"key-{number}" for number in numbers], ["key-7"]], 3
    )
    assert mine_found.dtype == np.int64
    assert mine_found.tolist() == mine[numbers].tolist()
    assert plain_found.tolist() == plain[[7]].tolist()


def test_nothing_is_found_of_no_table_and_of_no_key(tmp_path: Path) -> None:
    assert KeySearch([]).counts([], 3) == []
    assert open_table(tmp_path, ["a"]).find([]).tolist() == []


def test_arrays_of_another_kind_are_refused_before_they_are_misread(tmp_path: Path) -> None:
    table = open_table(tmp_path, ["a"])
    with pytest.raises(StorageError, match="expected int64 in a row"):
        KeySearch([(table, np.zeros((2, 3), np.int16))])
    np.save(tmp_path / slots_file("item"), np.zeros(8, np.uint64))
    with pytest.raises(StorageError, match="expected uint32 in a row"):
        KeyTable.open(tmp_path, "item")


def test_a_request_may_hold_half_a_character(tmp_path: Path) -> None:
    assert open_table(tmp_path, ["a"]).find(["\ud800", "a"]).tolist() == [1, 0]


def test_all_texts_of_a_column_are_found_at_once(tmp_path: Path) -> None:
    table = open_table(tmp_path, ["x", "y", "z"])
    other = TextColumn(np.frombuffer(b"zqx", np.uint8), np.array([0, 1, 2, 3]))
    assert table.find_all(other).tolist() == [2, 3, 0]


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="item once, found 1"):
        open_table(tmp_path, ["a", "b", "a"])


def test_a_table_of_other_keys_is_refused(tmp_path: Path) -> None:
    open_table(tmp_path, [str(number) for number in range(100)])
    np.save(tmp_path / slots_file("item"), np.zeros(16, np.uint32))
    with pytest.raises(StorageError, match="100 keys"):
        KeyTable.open(tmp_path, "item")
