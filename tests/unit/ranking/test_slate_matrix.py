from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.ranking.pet_slates import PETS, world

from letterpress.datasets.feature_rows import FeatureRows, Room
from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking import slate_matrix as module
from letterpress.ranking.slate_matrix import slate_matrix
from letterpress.ranking.train_ranker import train_ranker
from letterpress.recommenders.declaration import Judge, Objective


def in_a_file(part: TrainingSet, folder: Path) -> TrainingSet:
    rows = FeatureRows(Room(0, folder))
    rows.append(part.features)
    return replace(part, features=rows.in_order(np.arange(part.rows)))


@pytest.mark.parametrize(
    ("judge", "objective"), [("ndcg", "pairwise"), ("ndcg", "softmax"), ("snips", "pairwise")]
)
def test_trees_grown_from_the_disk_are_the_same_to_the_bit(
    judge: Judge, objective: Objective, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 250)  # so that slates lie across blocks
    part = replace(world(300, 1), weights=np.linspace(0.5, 1.5, 300))
    declared = replace(PETS, judge=judge, objective=objective)
    held = train_ranker(part, world(100, 2), declared, seed=7, threads=1)
    watched = in_a_file(world(100, 2), tmp_path)
    paged = train_ranker(in_a_file(part, tmp_path), watched, declared, seed=7, threads=1)
    assert paged.booster == held.booster
    assert paged.valid_metric == held.valid_metric


def test_pages_lie_on_the_disk_while_the_matrix_lives_and_no_longer(tmp_path: Path) -> None:
    matrix = slate_matrix(in_a_file(world(100, 1), tmp_path), is_pairwise=True)
    assert [each.suffix for each in tmp_path.rglob("page-*")] == [".page"]
    assert matrix.num_row() == 600
    del matrix
    gc.collect()
    assert list(tmp_path.iterdir()) == []
