"""Compares features that slates were served with to those computed again from raw, to the bit (ADR 0028)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.features import columns_for_batch, compute_features, feature_plan
from letterpress.features.denial import deny_rows
from letterpress.lake.arrivals import ByHour, known_before
from letterpress.lake.recount import Recounted, Wanted, recount
from letterpress.lake.snapshot_history import SnapshotMark, read_history
from letterpress.recommenders import Recommender
from letterpress.settings import Home

HOURS = 24
"""How far the audit looks back: what was mended is forgiven a day later."""
UNKNOWN_SNAPSHOT = "its snapshot was never marked in the history of this home"
UNCOUNTED = "nobody counted what raw held when its snapshot was built"
PAST_CHANGED = "events from before its snapshot came to raw, or were forgotten, since it was built"
OTHER_SCHEMA = "its features were computed under another schema"
NOT_ASKED = "older than what the audit takes at once, or logged without a whole vector"


class FeatureSkew(msgspec.Struct, frozen=True):
    """One feature over all vectors that were compared."""

    name: str
    compared: int
    mismatches: int
    worst: dict[str, Any] | None = None
    """`logged` and `recomputed` where they are furthest apart, with `slate_id`, `item_id`, `snapshot`."""


class SkewFindings(msgspec.Struct, frozen=True):
    """What the audit of one recommender found."""

    recommender: str
    compared: int
    """Vectors of which every feature was compared."""
    mismatches: int
    """Vectors that differ in one feature or more."""
    features: tuple[FeatureSkew, ...]
    not_comparable: dict[str, int]
    """Sampled vectors that could not be compared, by reason."""

    @property
    def worst_features(self) -> tuple[FeatureSkew, ...]:
        """Those with mismatches, the most frequent first."""
        skewed = (each for each in self.features if each.mismatches)
        return tuple(sorted(skewed, key=lambda each: (-each.mismatches, each.name)))


def audit_features(
    home: Home, recommender: Recommender, arrivals: ByHour, *, most: int, threads: int
) -> SkewFindings:
    """Compare at most `most` vectors of the newest sampled slates; `arrivals` is what raw holds now.

    Raises:
        StorageError: raw or the history of snapshots cannot be read.
    """
    marks = read_history(home)
    reasons = {name: _why_not(recommender.name, mark, arrivals) for name, mark in marks.items()}
    comparable = {name: mark for name, mark in marks.items() if reasons[name] is None}
    plan = feature_plan(recommender)
    wanted = Wanted(
        recommender=recommender.name,
        schema_hash=plan.schema_hash,
        features=len(plan.names),
        entities=recommender.evidence_entities,
        since=timedelta(hours=HOURS),
        most=most,
    )
    counted = recount(home, wanted, comparable, threads=threads)
    features, differs = _compare(recommender, counted.rows, comparable)
    return SkewFindings(
        recommender=recommender.name,
        compared=counted.rows.num_rows,
        mismatches=int(differs.any(axis=1).sum()),
        features=features,
        not_comparable=_left_out(counted, reasons, plan.schema_hash),
    )


def _why_not(recommender: str, mark: SnapshotMark, arrivals: ByHour) -> str | None:
    if mark.known is None:
        return UNCOUNTED
    now = known_before(arrivals, mark.as_of)
    return None if now.get(recommender) == mark.known.get(recommender) else PAST_CHANGED


def _left_out(counted: Recounted, reasons: Mapping[str, str | None], schema: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for snapshot, logged_schema, vectors in counted.sampled:
        reason = OTHER_SCHEMA if logged_schema != schema else reasons.get(snapshot or "", UNKNOWN_SNAPSHOT)
        found[reason or NOT_ASKED] += vectors
    found[NOT_ASKED] -= counted.rows.num_rows
    return {reason: vectors for reason, vectors in sorted(found.items()) if vectors > 0}


def _compare(
    recommender: Recommender, rows: pa.Table, marks: Mapping[str, SnapshotMark]
) -> tuple[tuple[FeatureSkew, ...], NDArray[np.bool_]]:
    names = feature_plan(recommender).names
    logged = _logged(rows, len(names))
    again = compute_features(recommender, columns_for_batch(recommender, rows))
    _deny(recommender, rows, marks, again)
    differs = differing(logged, again)
    features = [
        FeatureSkew(
            name=name,
            compared=len(logged),
            mismatches=int(differs[:, column].sum()),
            worst=_worst(rows, logged[:, column], again[:, column], differs[:, column]),
        )
        for column, name in enumerate(names)
    ]
    return tuple(features), differs


def _deny(
    recommender: Recommender,
    rows: pa.Table,
    marks: Mapping[str, SnapshotMark],
    features: NDArray[np.float32],
) -> None:
    """Take away what each row's tenant had denied when the row's snapshot was published."""
    if not any(mark.denied for mark in marks.values()):
        return
    snapshots = np.array(rows["snapshot"].to_pylist(), dtype=object)
    tenants = np.array(rows["tenant"].to_pylist(), dtype=object)
    for name in set(snapshots.tolist()):
        places = np.flatnonzero(snapshots == name)
        chosen = features[places]
        deny_rows(recommender, marks[name].denied, tenants[places].tolist(), chosen)
        features[places] = chosen


def differing(logged: NDArray[np.float32], again: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where two matrices are not equal to the bit; any NaN equals any other.

    >>> differing(np.float32([[1, np.nan, 0]]), np.float32([[1, np.nan, -0.0]])).tolist()
    [[False, False, True]]
    """
    both_missing = np.isnan(logged) & np.isnan(again)
    found: NDArray[np.bool_] = (logged.view(np.uint32) != again.view(np.uint32)) & ~both_missing
    return found


def _logged(rows: pa.Table, width: int) -> NDArray[np.float32]:
    """Logged vectors `(n, width)`. The schema was compared before, so that all have this width."""
    values = pc.list_flatten(rows["logged_features"])
    flat: NDArray[np.float64] = pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy()
    return flat.astype(np.float32).reshape(rows.num_rows, width)


def _worst(
    rows: pa.Table, logged: NDArray[np.float32], again: NDArray[np.float32], differs: NDArray[np.bool_]
) -> dict[str, Any] | None:
    if not differs.any():
        return None
    apart = np.where(differs, np.nan_to_num(np.abs(logged - again), nan=np.inf), -1.0)
    row = int(np.argmax(apart))
    named = {name: rows[name][row].as_py() for name in ("slate_id", "item_id", "snapshot")}
    return {**named, "logged": _number(logged[row]), "recomputed": _number(again[row])}


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
