from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.datasets import feature_rows
from letterpress.datasets.feature_rows import FeatureRows, Room, folder_of_map, joined_rows, taken_rows
from letterpress.datasets.training_arrays import FeatureSchema, training_set_from
from letterpress.recommenders import Recommender

from .conftest import examples

PARTS = [np.random.default_rng(seed).random((40 + seed, 3), np.float32) for seed in range(5)]
WHOLE = np.concatenate(PARTS)
ORDER = np.random.default_rng(9).permutation(len(WHOLE))


@pytest.mark.parametrize("memory_bytes", [0, 1_000, 10**9])
def test_rows_come_in_the_order_that_is_asked_for_wherever_they_are_held(
    memory_bytes: int, tmp_path: Path
) -> None:
    rows = FeatureRows(Room(memory_bytes, tmp_path / "scratch"))
    for part in PARTS:
        rows.append(part)
    found = rows.in_order(ORDER)
    np.testing.assert_array_equal(found, WHOLE[ORDER])
    is_mapped = memory_bytes < WHOLE.nbytes
    assert folder_of_map(found) == (tmp_path / "scratch" if is_mapped else None)
    assert list(tmp_path.rglob("*.f32")) == []  # files have no name, so none can be left behind


def in_a_map(folder: Path) -> NDArray[np.float32]:
    rows = FeatureRows(Room(0, folder))
    rows.append(WHOLE)
    return rows.in_order(np.arange(len(WHOLE)))


def test_a_part_of_a_map_is_a_map_unless_it_is_a_copy_of_less_than_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_rows, "BLOCK_ROWS", 3)
    mapped = in_a_map(tmp_path)
    adjoining, few, many = np.zeros((3, len(WHOLE)), bool)
    adjoining[10:30], few[[3, 9, 11]], many[[3, 9, 11, 12, 80]] = True, True, True
    for chosen, folder in ((adjoining, tmp_path), (few, None), (many, tmp_path)):
        taken = taken_rows(mapped, chosen)
        np.testing.assert_array_equal(taken, WHOLE[chosen])
        assert folder_of_map(taken) == folder
    assert len(taken_rows(mapped, np.zeros(len(WHOLE), bool))) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_joined_of_maps_and_memory_is_a_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_rows, "BLOCK_ROWS", 3)
    mapped = in_a_map(tmp_path)
    joined = joined_rows([WHOLE[:7], mapped, mapped[2:4]])
    np.testing.assert_array_equal(joined, np.concatenate([WHOLE[:7], WHOLE, WHOLE[2:4]]))
    assert folder_of_map(joined) == tmp_path
    assert folder_of_map(joined_rows([WHOLE, WHOLE])) is None
    assert folder_of_map(joined_rows([mapped[:1], mapped[4:6]])) is None


def test_a_training_set_is_the_same_when_its_features_do_not_fit(
    pets: Recommender, schema: FeatureSchema, tmp_path: Path
) -> None:
    tables = [examples([3, 1, 2]), examples([9, 7, 90])]
    held = training_set_from(tables, pets, schema)
    mapped = training_set_from(tables, pets, schema, room=Room(8, tmp_path))
    assert folder_of_map(mapped.features) == tmp_path
    np.testing.assert_array_equal(held.features, mapped.features)
    assert held.slate_ids.tolist() == mapped.slate_ids.tolist()
