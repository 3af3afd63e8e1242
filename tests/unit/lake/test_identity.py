from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from letterpress.lake.identity import (
    Identity,
    Keys,
    Run,
    RunFile,
    identify,
    is_whole,
    merge_runs,
    open_run,
    sort_keys,
    without_keys,
    write_run,
)

few = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=40)


def keys(pairs: list[tuple[int, int]]) -> Keys:
    return np.array(pairs, np.uint64).reshape(-1, 2)


@given(few, few)
def test_a_run_contains_exactly_its_keys_also_when_their_halves_are_equal(
    known: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    found = sort_keys(keys(known)).contains(keys(asked))
    assert found.tolist() == [pair in known for pair in asked]


@given(st.lists(few, max_size=14))
def test_the_first_of_every_key_is_admitted_once(batches: list[list[tuple[int, int]]]) -> None:
    identity = Identity(Path("unused"), [])
    seen: set[tuple[int, int]] = set()
    for batch in batches:
        expected = []
        for pair in batch:
            expected.append(pair not in seen)
            seen.add(pair)
        assert identity.admit(keys(batch)).tolist() == expected


def test_runs_of_one_size_are_merged_and_keep_their_keys(tmp_path: Path) -> None:
    files: list[RunFile] = []
    for number in range(10):
        identity = Identity(tmp_path, files)
        assert identity.admit(keys([(number, 0), (number, 1)])).all()
        change = identity.stage()
        files = [*(file for file in files if file.name not in change.dropped), *change.added]
    assert len(files) == 1
    assert is_whole(tmp_path, files[0])
    merged = open_run(tmp_path, files[0])
    assert len(merged) == 20
    assert merged.contains(keys([(9, 1), (0, 0), (10, 0)])).tolist() == [True, True, False]


@given(few, few)
def test_keys_that_go_leave_the_others_in_their_order(
    known: list[tuple[int, int]], gone: list[tuple[int, int]]
) -> None:
    left = without_keys(sort_keys(keys(known)), sort_keys(keys(gone)))
    kept = sort_keys(keys([pair for pair in known if pair not in gone]))
    assert (left.high.tolist(), left.low.tolist()) == (kept.high.tolist(), kept.low.tolist())


def test_equal_keys_give_an_equal_file(tmp_path: Path) -> None:
    parts = [sort_keys(keys([(3, 1), (1, 1)])), sort_keys(keys([(2, 2)]))]
    assert write_run(tmp_path, merge_runs(parts)) == write_run(
        tmp_path, sort_keys(keys([(1, 1), (2, 2), (3, 1)]))
    )


def test_an_empty_run_contains_nothing() -> None:
    nothing = np.zeros(0, np.uint64)
    assert not Run(nothing, nothing).contains(keys([(1, 1)])).any()


def test_every_part_of_an_identity_counts_and_parts_do_not_run_into_each_other() -> None:
    def key(recommender: str, tenant: str, event: str, event_id: str) -> tuple[int, ...]:
        rows = pa.table({"tenant": [tenant], "event_id": [event_id]})
        return tuple(identify(event, rows, pa.array([recommender]))[0].tolist())

    parts = [
        ("a", "b", "slate", "c"),
        ("ab", "", "slate", "c"),
        ("a", "bc", "slate", ""),
        ("a", "b", "item", "c"),
    ]
    assert len({key(*part) for part in parts}) == len(parts)
    assert key(*parts[0]) == key(*parts[0])
