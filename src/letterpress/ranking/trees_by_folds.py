"""How many trees to grow where slates are too few to hold any out: told by folds of campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.grow_trees import Watched, ndcg_after_each_tree

FEWEST_TO_STOP = 60
"""Held-out slates. The mean NDCG of fewer is off by more than trees differ: its best place is luck."""
FOLDS = 5
WINDOW_TREES = 21
"""The best place of a curve is that of its mean over so many trees: a single peak is luck too."""


def is_too_few(train: TrainingSet, valid: TrainingSet) -> bool:
    """Whether `valid` cannot tell when to stop, and folds of campaigns can."""
    campaigns = np.union1d(train.campaign_codes, valid.campaign_codes)
    return len(valid) < FEWEST_TO_STOP and len(campaigns) >= 2 * FOLDS


def count_trees(
    whole: TrainingSet, parameters: Mapping[str, Any], k: int, *, rounds: int, threads: int
) -> tuple[int, float]:
    """The number of trees, at most `rounds`, at which slates of the other folds are ordered best; their NDCG.

    Each fold holds every fifth campaign, in an order that the seed of `parameters` draws.
    """
    fold_of = _folds(whole, int(parameters["seed"]))
    curves, weights = [], []
    for fold in range(FOLDS):
        held = whole.take(fold_of == fold)
        if len(held) and (held.gains > 0).any():
            others, watched = whole.take(fold_of != fold), Watched(held, k)
            curves.append(ndcg_after_each_tree(others, parameters, rounds, watched, threads=threads))
            weights.append(len(held))
    curve = np.average(curves, axis=0, weights=weights)
    width = min(WINDOW_TREES, rounds)
    smooth = np.convolve(curve, np.full(width, 1 / width), mode="valid")
    best = int(np.argmax(smooth))
    return best + width // 2 + 1, float(smooth[best])


def _folds(whole: TrainingSet, seed: int) -> NDArray[np.int64]:
    """The fold of each slate `(g,)`; a campaign is in one."""
    campaigns, places = np.unique(whole.campaign_codes, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(len(campaigns)) % FOLDS
    return np.asarray(drawn[places], np.int64)
