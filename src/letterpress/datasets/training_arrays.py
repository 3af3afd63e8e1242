"""From Arrow tables of training examples to arrays; no row becomes a Python object but its ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.datasets.feature_rows import FeatureRows, Room
from letterpress.datasets.gains import blended_gains
from letterpress.datasets.training_set import MICROSECONDS_PER_HOUR, Counted, TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.recommenders import Recommender

SEPARATOR = "\x1f"
_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """What the features of a row are, and how they are computed where they were not logged."""

    names: tuple[str, ...]
    hash: str
    compute: Callable[[pa.Table], NDArray[np.float32]]
    deny: Callable[[pa.Table, NDArray[np.float32]], None] = lambda _table, _features: None
    """Takes away in place what tenants denied, of logged features as of computed ones."""


def training_set_from(
    tables: Iterable[pa.Table],
    recommender: Recommender,
    schema: FeatureSchema,
    *,
    known_until: datetime | None = None,
    room: Room | None = None,
) -> TrainingSet:
    """The training set of tables with the columns of `training_examples`.

    `known_until` is the time of the newest event; without it, that of the newest slate. Features beyond the
    `room` lie in a file.

    Raises:
        NotEnoughDataError: no slate is old enough, or there is none at all.
    """
    features = FeatureRows(room)
    parts = [_rows_of(table, recommender, schema, features) for table in tables if table.num_rows]
    if not parts:
        raise NotEnoughDataError(
            f"{recommender.name}: expected slates to train on, found none; ingest a log first."
        )
    rows = _Rows.joined(parts)
    _forget_early(rows, recommender)
    whole, sent_by = _group(rows, recommender, schema.names, features)
    closed_at = _closed_at(recommender, whole.shown_at, sent_by)
    newest = int(whole.shown_at.max())
    if known_until is not None:
        newest = max(newest, round(known_until.timestamp() * 1e6))
    ripe = closed_at <= newest
    if not ripe.any():
        raise NotEnoughDataError(
            f"{recommender.name}: expected slates older than the {recommender.window_hours} h that outcomes "
            f"take, found only {len(whole)} younger ones; wait for their outcomes and run again."
        )
    return replace(whole.take(ripe), unripe_slates=int((~ripe).sum()))


def _closed_at(
    recommender: Recommender, shown_at: NDArray[np.int64], sent_by: NDArray[np.int64]
) -> NDArray[np.int64]:
    """When all windows have closed `(g,)`: of choices from the slate on, of rates from the send on.

    What is chosen and not sent yet has no outcome, which is not a bad one.
    """
    closed_at = shown_at
    for target in recommender.targets:
        begin = shown_at if target.is_choice else sent_by
        if target.scale is None:  # a score says by itself what is known
            closed_at = np.maximum(closed_at, begin + target.window_hours * MICROSECONDS_PER_HOUR)
    return closed_at


@dataclass(frozen=True, slots=True)
class _Rows:
    """Columns of one batch, or of all of them."""

    slate: pa.ChunkedArray
    campaign: pa.ChunkedArray
    item: pa.ChunkedArray
    shown_at: NDArray[np.int64]
    sent_by: NDArray[np.int64]
    """When it was shown, or the later time that the campaign is sent at: outcomes come after that."""
    position: NDArray[np.int32]
    propensity: NDArray[np.float64]
    clicks: NDArray[np.int64]
    trials: NDArray[np.int64]
    outcomes: dict[str, Counted]
    distrusted: NDArray[np.bool_]
    recomputed: int

    @classmethod
    def joined(cls, parts: list[_Rows]) -> _Rows:
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("shown_at", "sent_by", "position", "propensity", "clicks", "trials", "distrusted")
        }
        names = {
            name: pa.chunked_array([chunk for part in parts for chunk in getattr(part, name).chunks])
            for name in ("slate", "campaign", "item")
        }
        outcomes = {
            name: np.concatenate([part.outcomes[name] for part in parts]) for name in parts[0].outcomes
        }
        return cls(**names, **arrays, outcomes=outcomes, recomputed=sum(part.recomputed for part in parts))


def _rows_of(
    table: pa.Table, recommender: Recommender, schema: FeatureSchema, features: FeatureRows
) -> _Rows:
    """All columns of a batch but its features, which are put to the others."""
    computed, recomputed = features_as_trained(table, schema)
    features.append(computed)
    scores = {each.numerator for each in recommender.targets if each.scale is not None or each.since}
    counts = {
        name: _numbers(table, name) if name in scores else _integers(table, name)
        for name in _target_columns(recommender)
    }
    return _Rows(
        slate=_with_tenant(table, "slate_id"),
        campaign=_with_tenant(table, "campaign_id"),
        item=_with_tenant(table, "item_id"),
        shown_at=_microseconds(table, "shown_at"),
        sent_by=_sent_by(table),
        position=_integers(table, "position").astype(np.int32),
        propensity=_numbers(table, "propensity"),
        clicks=_integers(table, "clicked"),
        trials=_integers(table, "delivered"),
        outcomes=counts,
        distrusted=_distrusted(table, recommender),
        recomputed=recomputed,
    )


def _distrusted(table: pa.Table, recommender: Recommender) -> NDArray[np.bool_]:
    """Rows of A/B tests that their log distrusts, or of which two arms do not differ; of others none."""
    distrusted = np.zeros(table.num_rows, np.bool_)
    if recommender.judge == "ab_test":
        labels = table["context_labels"].cast(pa.map_(pa.string(), pa.string()))
        for label, value in (("trusted", "false"), ("duplicate_arms", "true")):
            found = pc.map_lookup(labels, label, "first")
            distrusted |= pc.fill_null(pc.equal(pc.utf8_lower(found), value), fill_value=False).to_numpy()
    return distrusted


def _forget_early(rows: _Rows, recommender: Recommender) -> None:
    """Make unknown what was not logged then, and scores from before there was a past to tell them against."""
    first = int(rows.shown_at.min())
    for target in recommender.targets:
        begin = first + target.warm_up_hours * MICROSECONDS_PER_HOUR if target.warm_up_hours else first
        if target.since is not None:
            begin = max(begin, round(target.since.timestamp() * 1e6))
        if begin > first:
            rows.outcomes[target.numerator][rows.shown_at < begin] = np.nan


def _microseconds(table: pa.Table, name: str) -> NDArray[np.int64]:
    known = pc.coalesce(table[name].cast(_INSTANT), table["shown_at"].cast(_INSTANT))
    moments: NDArray[np.int64] = known.cast(pa.int64()).to_numpy()
    return moments


def _sent_by(table: pa.Table) -> NDArray[np.int64]:
    """When recipients can have it at the earliest: never before it was shown, and where nobody says, then."""
    shown = _microseconds(table, "shown_at")
    if "send_at" not in table.column_names:
        return shown
    return np.maximum(shown, _microseconds(table, "send_at"))


def _target_columns(recommender: Recommender) -> list[str]:
    columns = {target.numerator for target in recommender.targets}
    return sorted(columns | {target.denominator for target in recommender.targets if target.denominator})


def _integers(table: pa.Table, name: str) -> NDArray[np.int64]:
    integers: NDArray[np.int64] = pc.fill_null(table[name].cast(pa.int64()), 0).to_numpy()
    return integers


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    """Numbers `(n,)`; NaN is null."""
    numbers: NDArray[np.float64] = pc.fill_null(table[name].cast(pa.float64()), np.nan).to_numpy()
    return numbers


def _with_tenant(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Ids that differ between tenants."""
    return pc.binary_join_element_wise(
        table["tenant"].cast(pa.string()), table[name].cast(pa.string()), SEPARATOR
    )


def features_as_trained(table: pa.Table, schema: FeatureSchema) -> tuple[NDArray[np.float32], int]:
    """Features `(n, n_features)` as logged under this schema, else computed; and how many were computed."""
    lengths = pc.list_value_length(table["logged_features"])
    is_logged = pc.and_(
        pc.equal(table["logged_schema_hash"], schema.hash), pc.equal(lengths, len(schema.names))
    )
    logged = pc.fill_null(is_logged, fill_value=False).to_numpy()
    features = np.empty((table.num_rows, len(schema.names)), dtype=np.float32)
    if logged.any():
        values = pc.list_flatten(table.filter(pa.array(logged))["logged_features"])
        flat = pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy()
        features[logged] = flat.reshape(-1, len(schema.names))
    if not logged.all():
        features[~logged] = schema.compute(table.filter(pa.array(~logged)))
    schema.deny(table, features)
    return features, int((~logged).sum())


def _codes(names: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    encoded = names.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.to_numpy().astype(np.int64)
    values = np.array(encoded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(values)  # codes must not depend on the order of rows in the file
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks[codes], values[order]


def _order(
    slates: NDArray[np.int64], items: NDArray[np.int64], shown_at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Row numbers: slates by time, and within a slate an order that says nothing.

    Whoever breaks ties by the order of rows, as XGBoost's own NDCG does, would otherwise learn from the
    position that the log showed an item at, which is not known when a slate is made.
    """
    canonical = np.lexsort((items, slates, shown_at))
    drawn = np.random.default_rng(0).random(len(canonical))
    return canonical[np.lexsort((drawn, slates[canonical], shown_at[canonical]))]


def _group(
    rows: _Rows, recommender: Recommender, names: tuple[str, ...], features: FeatureRows
) -> tuple[TrainingSet, NDArray[np.int64]]:
    """The set of all rows, and when each slate can have been sent at the earliest `(g,)`."""
    slates, slate_ids = _codes(rows.slate)
    campaigns, _ = _codes(rows.campaign)
    items, item_ids = _codes(rows.item)
    order = _order(slates, items, rows.shown_at)
    slates = slates[order]
    starts = np.flatnonzero(np.r_[True, slates[1:] != slates[:-1]])
    whole = TrainingSet(
        feature_names=names,
        features=features.in_order(order),
        gains=blended_gains(recommender.targets, rows.outcomes)[order],
        clicks=rows.clicks[order],
        position=rows.position[order],
        propensity=rows.propensity[order],
        item_codes=items[order].astype(np.int32),
        item_ids=item_ids,
        group_offsets=np.r_[starts, len(slates)].astype(np.int64),
        slate_ids=slate_ids[slates[starts]],
        campaign_codes=campaigns[order][starts].astype(np.int32),
        shown_at=rows.shown_at[order][starts],
        recomputed_rows=rows.recomputed,
        trials=rows.trials[order],
        distrusted=rows.distrusted[order][starts],
        outcomes={name: counts[order] for name, counts in rows.outcomes.items()},
    )
    return whole, rows.sent_by[order][starts]
