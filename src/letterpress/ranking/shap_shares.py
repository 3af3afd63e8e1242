"""How far each feature moves scores: SHAP values of trees and of linear heads, on a sample of slates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.linear_head import Weights
from letterpress.ranking.text_arms import SENTENCE
from letterpress.ranking.train_linear_head import SENTENCE_PREFIX
from letterpress.settings import let_idle_threads_sleep

MOST_ROWS = 2_000


def shap_shares(booster: bytes, part: TrainingSet, *, seed: int, threads: int) -> dict[str, float]:
    """Share of every feature in what moves the scores of `part`, largest first; features without are absent.

    The SHAP value of a feature in a row is what its value adds to the score of that row. Values are taken
    absolute and averaged over at most 2,000 rows, drawn by `seed`. Gain asks what features were worth in
    training; this asks what they do to scores, so a feature with many levels gains no ground by them.
    """
    let_idle_threads_sleep()
    import xgboost

    rows = _sample(part, seed)
    model = xgboost.Booster({"nthread": threads}, model_file=bytearray(booster))
    sample = xgboost.DMatrix(part.features[rows], nthread=threads)
    moved = np.abs(model.predict(sample, pred_contribs=True)[:, :-1], dtype=np.float64).mean(axis=0)
    return _shares(dict(zip(part.feature_names, moved.tolist(), strict=True)))


def linear_shap_shares(weights: Weights, part: TrainingSet, *, seed: int) -> dict[str, float]:
    """The same of a linear head: a feature adds its weight times its value less its mean to a score.

    That is exact, for features that are taken as independent of each other. The directions of a sentence have
    no names and are one entry. Rows of which a feature is missing are left out.
    """
    columns = [part.feature_names.index(name) for name in weights.features]
    values = part.features[_sample(part, seed)][:, columns].astype(np.float64)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return {}
    added = (values - np.array(weights.means)) * np.array(weights.weights)
    is_sentence = np.array([name.startswith(SENTENCE_PREFIX) for name in weights.features])
    moved = {
        name: float(np.abs(added[:, at]).mean())
        for at, name in enumerate(weights.features)
        if not is_sentence[at]
    }
    if is_sentence.any():
        moved[SENTENCE] = float(np.abs(added[:, is_sentence].sum(axis=1)).mean())
    return _shares(moved)


def _sample(part: TrainingSet, seed: int) -> NDArray[np.intp]:
    """Numbers of at most 2,000 rows, in their order."""
    rows = np.arange(part.rows)
    if part.rows > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(part.rows, MOST_ROWS, replace=False))
    return rows


def _shares(moved: dict[str, float]) -> dict[str, float]:
    """Parts of the whole, the largest first, without those of nothing."""
    total = sum(moved.values()) or 1.0
    shares = {name: round(each / total, 6) for name, each in moved.items()}
    return {name: share for name, share in sorted(shares.items(), key=lambda each: -each[1]) if share}
