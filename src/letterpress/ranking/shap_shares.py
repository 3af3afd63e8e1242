"""How far each feature moves scores: SHAP values of the trees, on a sample of slates that stopped them."""

from __future__ import annotations

import numpy as np

from letterpress.datasets.training_set import TrainingSet
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

    rows = np.arange(part.rows)
    if part.rows > MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(part.rows, MOST_ROWS, replace=False))
    model = xgboost.Booster({"nthread": threads}, model_file=bytearray(booster))
    sample = xgboost.DMatrix(part.features[rows], nthread=threads)
    moved = np.abs(model.predict(sample, pred_contribs=True)[:, :-1], dtype=np.float64).mean(axis=0)
    total = float(moved.sum()) or 1.0
    shares = {
        name: round(float(each) / total, 6) for name, each in zip(part.feature_names, moved, strict=True)
    }
    return {name: share for name, share in sorted(shares.items(), key=lambda each: -each[1]) if share}
