"""How well each single feature tells the labels: one that does so almost perfectly has seen them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.evaluation.classification import auc
from letterpress.orchestration.feature_coverage import ROWS, newest_features, newest_rows
from letterpress.recommenders import get_recommender

FEWEST_HITS = 50
"""Rows with a hit, and as many without; fewer can be told apart by chance."""
_NOTHING_KNOWN = -1e30


def single_feature_aucs(recommender: str, training: Path) -> list[dict[str, Any]]:
    """`feature`, `label` and `separation` (0.5 tells nothing, 1 tells all) of the newest training rows.

    Labels are whether an item was chosen, whether it was clicked, and whether it was clicked more often than
    half of the items. Empty where a label is too rare, or where a column is missing: another expectation
    names it. Slates whose outcomes may still come are left out: when they were sent would tell them.
    """
    declared = get_recommender(recommender)
    window = timedelta(hours=declared.window_hours)
    rows = newest_rows(training, ROWS, older_by=window)
    if not rows.num_rows or not set(rows.column_names) >= _NEEDED:
        return []
    names, values = newest_features(declared, rows)
    rows = rows.slice(rows.num_rows - len(values))
    return [
        {"feature": name, "label": label, "separation": _separation(values[:, column], hits, trials)}
        for label, hits, trials in _labels(rows)
        for column, name in enumerate(names)
    ]


_NEEDED = {"chosen", "clicked", "delivered"}


def _labels(rows: pa.Table) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    chosen, clicked, delivered = (
        np.nan_to_num(rows[name].to_numpy().astype(np.float64)).astype(np.int64)
        for name in ("chosen", "clicked", "delivered")
    )
    ones = np.ones_like(chosen)
    if min((chosen == 1).sum(), (chosen == 0).sum()) >= FEWEST_HITS:
        yield "chosen", np.clip(chosen, 0, 1), ones
    sent = delivered > 0
    rates = clicked / np.maximum(delivered, 1)
    usual = float(np.median(rates[sent])) if sent.any() else 0.0
    for label, hits in (("clicked", clicked > 0), ("click_rate", rates > usual)):
        if min((hits & sent).sum(), (~hits & sent).sum()) >= FEWEST_HITS:
            yield label, (hits & sent).astype(np.int64), sent.astype(np.int64)


def _separation(values: NDArray[np.float32], hits: NDArray[np.int64], trials: NDArray[np.int64]) -> float:
    found = auc(np.nan_to_num(values.astype(np.float64), nan=_NOTHING_KNOWN), hits, trials)
    return max(found, 1 - found)
