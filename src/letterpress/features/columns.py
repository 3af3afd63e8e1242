"""What features are computed from, as arrays: made from one request, or from a table of training examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.events.session import SESSION_COUNTS
from letterpress.events.types import CampaignContext
from letterpress.recommenders import Recommender

COUNT_NAMES = ("shown", "chosen", "delivered", "clicked", "converted", "unsubscribed")
ENTITY_KEYS: dict[str, tuple[str, ...]] = {
    "item": ("tenant", "item_id"),
    "item_segment": ("tenant", "item_id", "segment"),
    "enhancement_industry": ("enhancement", "industry"),
    "enhancement": ("enhancement",),
    "tenant": ("tenant",),
    "send_hour": ("tenant", "send_hour"),
}
SHARED_ENTITIES = frozenset({"tenant", "send_hour"})
"""Those of which all items of a request have the same key."""
WINDOWS = ("birth", "28d", "7d", "1d")
"""What a snapshot counts over, from the longest."""
KEY_SEPARATOR = "\x1f"
CONTEXT_NUMBERS = ("mobile_share", "send_hour", "send_weekday", "hours_to_send")
"""What is known of a campaign beside its labels; hours and days (Monday is 0) are UTC."""

_MICROSECONDS_PER_HOUR = 3_600_000_000.0
_FIELDS = frozenset(CampaignContext.__struct_fields__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_THURSDAY = 3  # the first day of 1970
_MISSING = KEY_SEPARATOR  # no text of the log holds a control character
_NO_SESSION = np.full((len(SESSION_COUNTS), 1), np.nan)


@dataclass(frozen=True, slots=True)
class Columns:
    """Arrays of `n_rows` items, one row a column: the loops of NumPy are then long. NaN is missing."""

    n_rows: int
    context: NDArray[np.float64]
    """`(n, 1 or n_rows)`: a code for each label of `vocabularies`, then `CONTEXT_NUMBERS`."""
    attributes: NDArray[np.float64]
    """`(n, n_rows)` in the order of the recommender's `attributes`."""
    item_codes: NDArray[np.float64]
    """`(n, n_rows)`: a code for each label of `item_vocabularies`."""
    counts: NDArray[np.float64]
    """Of each of the recommender's `evidence_entities`, in each of its `count_windows`, all `COUNT_NAMES`.

    `(6 * windows * entities, n_rows)`. Doubles hold integers below 2**53 exactly.
    """
    session: NDArray[np.float64]
    """`(4, 1 or n_rows)`: `SESSION_COUNTS`."""
    texts: tuple[str | None, ...] = ()
    """Of each item, where the recommender declares that its items have one."""


@lru_cache(maxsize=64)
def _codes(vocabulary: tuple[str, ...]) -> dict[str | None, float]:
    return {value: float(code) for code, value in enumerate(vocabulary)}


def context_row(recommender: Recommender, campaign: CampaignContext, shown_at: datetime) -> list[float]:
    """The context of one request, in the order of `Columns.context`."""
    nan = float("nan")
    row = [
        _codes(vocabulary).get(
            getattr(campaign, label) if label in _FIELDS else campaign.labels.get(label), nan
        )
        for label, vocabulary in recommender.vocabularies
    ]
    row.append(nan if campaign.mobile_share is None else campaign.mobile_share)
    if campaign.send_at is None:
        row += (nan, nan, nan)
    else:
        # Differences only: moved to UTC, a time at either end of the calendar would overflow.
        sent, wait = campaign.send_at - _EPOCH, campaign.send_at - shown_at
        microseconds = (wait.days * 86_400 + wait.seconds) * 1_000_000 + wait.microseconds
        weekday = (sent.days + _THURSDAY) % 7
        row += (float(sent.seconds // 3600), float(weekday), microseconds / _MICROSECONDS_PER_HOUR)
    return row


def attribute_rows(recommender: Recommender, items: Sequence[Mapping[str, float]]) -> NDArray[np.float64]:
    """Attributes `(n_items, n)` of items as they are logged; NaN where one is missing."""
    nan = float("nan")
    rows = [[item.get(name, nan) for name in recommender.attributes] for item in items]
    return np.array(rows, np.float64).reshape(len(items), len(recommender.attributes))


def entity_keys(
    entity: str,
    tenant: str,
    campaign: CampaignContext,
    item_ids: Sequence[str],
    labels: Sequence[Mapping[str, str]],
) -> list[str]:
    """Keys by which a snapshot finds the counts of `entity`, one an item.

    A part that is missing makes a key that no snapshot holds, so its counts are zeros.
    """
    if entity == "item":
        return [f"{tenant}{KEY_SEPARATOR}{item_id}" for item_id in item_ids]
    if entity == "item_segment":
        segment = _MISSING if campaign.segment is None else campaign.segment
        return [f"{tenant}{KEY_SEPARATOR}{item_id}{KEY_SEPARATOR}{segment}" for item_id in item_ids]
    if entity == "enhancement_industry":
        industry = _MISSING if campaign.industry is None else campaign.industry
        return [f"{item.get('enhancement', _MISSING)}{KEY_SEPARATOR}{industry}" for item in labels]
    if entity == "enhancement":
        return [item.get("enhancement", _MISSING) for item in labels]
    if entity == "tenant":
        return [tenant] * len(item_ids)
    if entity == "send_hour":
        return [f"{tenant}{KEY_SEPARATOR}{_send_hour(campaign)}"] * len(item_ids)
    raise KeyError(entity)


def _send_hour(campaign: CampaignContext) -> int | str:
    """0 to 23, UTC; by differences, as a time at either end of the calendar cannot be moved to UTC."""
    return _MISSING if campaign.send_at is None else (campaign.send_at - _EPOCH).seconds // 3600


def columns_for_request(
    recommender: Recommender,
    campaign: CampaignContext,
    attributes: NDArray[np.float64],
    labels: Sequence[Mapping[str, str]],
    counts: Mapping[str, NDArray[np.int64]],
    shown_at: datetime,
    live: Mapping[str, NDArray[np.int64]] | None = None,
    session: Sequence[int] | None = None,
) -> Columns:
    """Columns of one request: one campaign, `attributes` `(n, n_attributes)` and `labels` of its items.

    Counts of an entity are `(n, windows * 6)`, or `(1, windows * 6)` where all items have the same. Those of
    `live`, `(n, 6)` or `(1, 6)`, are what became known since: it lies in every window. `session`
    are the `SESSION_COUNTS` of the request's session, None where they are not known.
    """
    nan = float("nan")
    context = np.array(context_row(recommender, campaign, shown_at), np.float64)[:, None]
    item_codes = np.empty((len(recommender.item_vocabularies), len(labels)), np.float64)
    for row, (label, vocabulary) in enumerate(recommender.item_vocabularies):
        codes = _codes(vocabulary)
        item_codes[row] = [codes.get(item.get(label), nan) for item in labels]
    return Columns(
        len(labels),
        context,
        attributes.T,
        item_codes,
        _request_counts(recommender, counts, live, len(labels)),
        _NO_SESSION if session is None else np.array(session, np.float64)[:, None],
        _request_texts(recommender, labels),
    )


def _request_counts(
    recommender: Recommender,
    counts: Mapping[str, NDArray[np.int64]],
    live: Mapping[str, NDArray[np.int64]] | None,
    n_items: int,
) -> NDArray[np.float64]:
    """What `Columns.counts` is. Integers below 2**53 are added exactly in any order."""
    rows, n_counts = _count_rows(recommender), len(COUNT_NAMES)
    entities = recommender.evidence_entities
    found = np.empty((len(entities), len(rows) // n_counts, n_counts, n_items), np.float64)
    flat = found.reshape(len(entities), len(rows), n_items)
    for place, entity in enumerate(entities):
        known = counts[entity].T
        flat[place] = known if len(rows) == len(known) else known[rows]
    if live is not None:
        known_since = np.empty((len(entities), 1, n_counts, n_items), np.float64)
        for place, entity in enumerate(entities):
            known_since[place, 0] = live[entity].T
        found += known_since
    return found.reshape(-1, n_items)


def _request_texts(recommender: Recommender, labels: Sequence[Mapping[str, str]]) -> tuple[str | None, ...]:
    name = recommender.text_label
    return () if name is None else tuple(item.get(name) for item in labels)


@lru_cache(maxsize=64)
def count_windows(recommender: Recommender) -> tuple[str, ...]:
    """The windows that the features of a recommender read, in the order of `WINDOWS`."""
    declared = {
        window
        for rate in recommender.evidence_rates
        for entity in recommender.evidence_entities
        for window in rate.windows_of(entity)
    }
    return (
        WINDOWS if "decayed" in declared else tuple(each for each in WINDOWS if each in declared | {"birth"})
    )


@lru_cache(maxsize=64)
def _count_rows(recommender: Recommender) -> NDArray[np.intp]:
    """Where a snapshot holds the counts of `count_windows`."""
    n = len(COUNT_NAMES)
    starts = [WINDOWS.index(window) * n for window in count_windows(recommender)]
    return np.concatenate([np.arange(start, start + n, dtype=np.intp) for start in starts])


def count_row(recommender: Recommender, entity: str, count: str, window: str = "birth") -> int:
    """The row of `Columns.counts` that holds a count of an entity over a window.

    Raises:
        ValueError: the recommender keeps no such count, so that a feature would have no source.
    """
    windows = count_windows(recommender)
    for name, known in ((entity, recommender.evidence_entities), (count, COUNT_NAMES), (window, windows)):
        if name not in known:
            raise ValueError(
                f"expected one of {', '.join(known)} as a source of features of {recommender.name}, found "
                f"{name!r}; correct its declaration in recommenders/ and run `letterpress features --list`."
            )
    block = recommender.evidence_entities.index(entity) * len(windows) + windows.index(window)
    return block * len(COUNT_NAMES) + COUNT_NAMES.index(count)


def count_column(entity: str, count: str, window: str = "birth") -> str:
    """The column of `training_examples` that holds a count of an entity over a window."""
    return f"{entity}_{count}" if window == "birth" else f"{entity}_{count}_{window}"


def count_columns(recommender: Recommender) -> list[str]:
    """The columns of `training_examples` that the rows of `Columns.counts` are read from."""
    return [
        count_column(entity, count, window)
        for entity in recommender.evidence_entities
        for window in count_windows(recommender)
        for count in COUNT_NAMES
    ]


def columns_for_batch(recommender: Recommender, table: pa.Table) -> Columns:
    """Columns of a table with the columns of `training_examples`."""
    context = [_label_codes(_label(table, label), values) for label, values in recommender.vocabularies]
    attributes = [_float64(_value(table, "attributes", name)) for name in recommender.attributes]
    item_codes = [
        _label_codes(_value(table, "item_labels", label), values)
        for label, values in recommender.item_vocabularies
    ]
    counts = [_int64(table[name]) for name in count_columns(recommender)]
    return Columns(
        table.num_rows,
        _stack([*context, *_context_numbers(table)], table),
        _stack(attributes, table),
        _stack(item_codes, table),
        _stack(counts, table),
        _batch_session(recommender, table),
        _batch_texts(recommender, table),
    )


def _batch_session(recommender: Recommender, table: pa.Table) -> NDArray[np.float64]:
    if not recommender.reads_sessions:
        return _NO_SESSION
    return _stack([_float64(table[name]) for name in SESSION_COUNTS], table)


def _batch_texts(recommender: Recommender, table: pa.Table) -> tuple[str | None, ...]:
    name = recommender.text_label
    return () if name is None else tuple(_value(table, "item_labels", name).to_pylist())


def _stack(
    columns: Sequence[NDArray[np.float64] | NDArray[np.int64]], table: pa.Table
) -> NDArray[np.float64]:
    stacked = np.empty((len(columns), table.num_rows), np.float64)
    for row, column in enumerate(columns):
        stacked[row] = column
    return stacked


def _label(table: pa.Table, label: str) -> pa.ChunkedArray:
    return table[label] if label in _FIELDS else _value(table, "context_labels", label)


def _value(table: pa.Table, column: str, key: str) -> pa.ChunkedArray:
    """What the maps of `column` hold under `key`, null where they hold nothing."""
    return pc.map_lookup(table[column], pa.scalar(key), "first")


def _label_codes(values: pa.ChunkedArray, vocabulary: tuple[str, ...]) -> NDArray[np.float64]:
    return _float64(pc.index_in(values.cast(pa.string()), pa.array(vocabulary, pa.string())))


def _float64(values: pa.ChunkedArray) -> NDArray[np.float64]:
    column: NDArray[np.float64] = pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy()
    return column


def _int64(values: pa.ChunkedArray) -> NDArray[np.int64]:
    column: NDArray[np.int64] = pc.fill_null(values.cast(pa.int64()), 0).to_numpy()
    return column


def _context_numbers(table: pa.Table) -> list[NDArray[np.float64]]:
    """`CONTEXT_NUMBERS`, from integer microseconds as the request has them."""
    sent, shown = (table[name].cast(pa.timestamp("us", tz="UTC")) for name in ("send_at", "shown_at"))
    is_missing = pc.is_null(sent).to_numpy()
    sent_us, shown_us = _int64(sent), _int64(shown)
    days, rest = np.divmod(sent_us, 86_400_000_000)
    numbers = [
        (rest // 3_600_000_000).astype(np.float64),
        ((days + _THURSDAY) % 7).astype(np.float64),
        (sent_us - shown_us) / _MICROSECONDS_PER_HOUR,
    ]
    for column in numbers:
        column[is_missing] = np.nan
    return [_float64(table["mobile_share"]), *numbers]
