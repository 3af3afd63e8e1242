"""Rows of live counts: one step adds to all that an item counts for, and moves with what is left."""

from __future__ import annotations

import numpy as np

from letterpress.lake.snapshot_layout import COUNT_NAMES
from letterpress.serving.live_table import Gains, Group, LiveTables

RECOMMENDER = "image_enhancement"
CLICKED = COUNT_NAMES.index("clicked")


def gains(*items: tuple[Group, int]) -> Gains:
    return Gains(
        np.array([group for group, _ in items], np.int32),
        np.full(len(items), CLICKED, np.int8),
        np.array([amount for _, amount in items], np.int64),
    )


def clicks(tables: LiveTables, entity: str, *keys: str) -> list[int]:
    found: list[int] = tables.find(RECOMMENDER, {entity: keys})[entity][:, CLICKED].tolist()
    return found


def test_items_that_share_a_key_add_up_there_and_keys_of_other_entities_stay_apart() -> None:
    tables = LiveTables()
    one = tables.group_of(RECOMMENDER, (("item", "a"), ("tenant", "x")))
    other = tables.group_of(RECOMMENDER, (("item", "b"), ("tenant", "x"), ("enhancement", "a")))
    tables.add(gains((one, 3), (other, 4), (one, 10)))
    assert clicks(tables, "item", "a", "b", "never seen") == [13, 4, 0]
    assert clicks(tables, "tenant", "x") == [17]
    assert clicks(tables, "enhancement", "a", "x") == [4, 0]
    assert clicks(tables, "send_hour", "x") == [0]
    assert tables.find("subject_line", {"item": ["a"]})["item"].tolist() == [[0] * len(COUNT_NAMES)]


def test_tables_that_move_hold_what_is_left_and_forget_the_other_keys() -> None:
    tables = LiveTables()
    old = tables.group_of(RECOMMENDER, (("item", "old"), ("tenant", "x")))
    new = tables.group_of(RECOMMENDER, (("item", "new"), ("tenant", "x")))
    tables.add(gains((old, 3)))
    left = gains((new, 4), (new, 1))
    tables.add(left)
    moved, held = tables.moved([left])
    assert {place: list(keys) for place, keys in moved.items().items()} == {
        (RECOMMENDER, "item"): ["new"],
        (RECOMMENDER, "tenant"): ["x"],
    }
    assert (clicks(moved, "item", "new", "old"), clicks(moved, "tenant", "x")) == ([5, 0], [5])
    moved.add(held[0])
    assert (clicks(moved, "item", "new"), clicks(moved, "tenant", "x")) == ([10], [10])
    assert clicks(tables, "tenant", "x") == [8]


def test_what_counts_for_the_same_is_one_group_however_many_there_are() -> None:
    tables = LiveTables()
    named = [(("item", f"i{number}"), ("tenant", f"t{number % 3}")) for number in range(200)]
    groups = [tables.group_of(RECOMMENDER, keys) for keys in named]
    assert [tables.group_of(RECOMMENDER, keys) for keys in named] == groups
    assert len(set(groups)) == 200
    tables.add(gains(*((group, 1) for group in groups), (groups[130], 5)))
    assert clicks(tables, "tenant", "t0", "t1", "t2") == [67, 72, 66]
    assert clicks(tables, "item", "i129", "i130", "i199") == [1, 6, 1]
    moved, held = tables.moved([gains((groups[7], 2)), gains((groups[7], 3), (groups[150], 4))])
    assert (clicks(moved, "item", "i7", "i150", "i8"), clicks(moved, "tenant", "t1")) == ([5, 4, 0], [5])
    assert len({*held[0].groups, *held[1].groups}) == 2
