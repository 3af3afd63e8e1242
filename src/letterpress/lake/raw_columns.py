"""Events as Arrow tables of the raw schema. Nested parts are flattened first: row by row is too slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from letterpress.events.packed_features import features_of, unpack_features
from letterpress.events.types import CampaignContext, DescribedItem, Event, Experiment, ShownItem
from letterpress.lake.raw_schema import (
    ATTRIBUTES,
    CAMPAIGN,
    DESCRIBED_ITEM,
    EXPERIMENT,
    FEATURES,
    INSTANT,
    LABELS,
    RAW_SCHEMAS,
    SHOWN_ITEM,
)

_MICROSECONDS = 1_000_000


def events_to_table(event_type: str, events: Sequence[Any], received_at: datetime) -> pa.Table:
    """A table of `RAW_SCHEMAS[event_type]`, one row an event, in their order.

    `received_at` is filled in where an event carries none.
    """
    columns = _envelope(events, received_at)
    columns.update(_BODIES[event_type](events))
    schema = RAW_SCHEMAS[event_type]
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _texts(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def _column(events: Sequence[Any], name: str) -> pa.Array:
    return _texts(list(map(attrgetter(name), events)))


def _instants(moments: list[datetime]) -> pa.Array:
    """Seconds as a double hold the microseconds of this century exactly once rounded."""
    seconds = np.fromiter(map(datetime.timestamp, moments), np.float64, len(moments))
    return pa.array(np.rint(seconds * _MICROSECONDS).astype(np.int64)).view(INSTANT)


def _envelope(events: Sequence[Event], received_at: datetime) -> dict[str, pa.Array]:
    return {
        "event_id": _texts([event.event_id for event in events]),
        "tenant": _texts([event.tenant for event in events]),
        "occurred_at": _instants([event.occurred_at for event in events]),
        "received_at": _instants([event.received_at or received_at for event in events]),
        "version": pa.array([event.version for event in events], pa.int32()),
        "extra": _texts([_as_json(event.extra) if event.extra else None for event in events]),
    }


def _as_json(extra: dict[str, Any]) -> str:
    """Names sorted, so that equal contents are equal texts."""
    return msgspec.json.encode(extra, order="sorted").decode()


def _offsets(lengths: list[int]) -> pa.Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32))


def _maps(mappings: Sequence[dict[str, Any]], kind: pa.MapType) -> pa.Array:
    """Keys sorted, so that equal mappings are equal rows."""
    entries = [sorted(mapping.items()) if mapping else () for mapping in mappings]
    flat = list(chain.from_iterable(entries))
    keys = pa.array([key for key, _ in flat], kind.key_type)
    values = pa.array([value for _, value in flat], kind.item_type)
    return pa.MapArray.from_arrays(_offsets([len(entry) for entry in entries]), keys, values)


def _campaigns(contexts: list[CampaignContext]) -> pa.Array:
    parts = [
        _column(contexts, "campaign_id"),
        _column(contexts, "industry"),
        _column(contexts, "campaign_type"),
        _column(contexts, "goal"),
        _column(contexts, "segment"),
        pa.array([context.mobile_share for context in contexts], pa.float64()),
        pa.array([context.send_at for context in contexts], INSTANT),
        _maps([context.labels for context in contexts], LABELS),
    ]
    return pa.StructArray.from_arrays(parts, fields=list(CAMPAIGN))


def _number_lists(rows: list[list[float | None] | None]) -> pa.Array:
    if not any(row is not None for row in rows):
        return pa.nulls(len(rows), FEATURES)
    offsets = _offsets([len(row) if row is not None else 0 for row in rows])
    values = pa.array(list(chain.from_iterable(row for row in rows if row is not None)), pa.float64())
    missing = pa.array([row is None for row in rows], pa.bool_())
    return pa.ListArray.from_arrays(offsets, values, type=FEATURES, mask=missing)


def _features(shown: Sequence[ShownItem]) -> pa.Array:
    """What models saw, as doubles: those of the service's own slates are unpacked all at once."""
    packed = [item.packed_features for item in shown if item.packed_features is not None]
    if len(packed) < len(shown):
        return _number_lists(list(map(features_of, shown)))
    numbers = unpack_features(b"".join(packed))
    offsets = _offsets([len(each) // numbers.itemsize for each in packed])
    values = pa.array(numbers.astype(np.float64), mask=~np.isfinite(numbers))
    return pa.ListArray.from_arrays(offsets, values, type=FEATURES)


def _shown_items(slates: Sequence[Any]) -> pa.Array:
    shown = list(chain.from_iterable(slate.items for slate in slates))
    parts = [
        _column(shown, "item_id"),
        pa.array([item.position for item in shown], pa.int32()),
        pa.array([item.score for item in shown], pa.float64()),
        pa.array([item.propensity for item in shown], pa.float64()),
        _features(shown),
    ]
    structs = pa.StructArray.from_arrays(parts, fields=list(SHOWN_ITEM))
    return pa.ListArray.from_arrays(
        _offsets([len(slate.items) for slate in slates]), structs, type=pa.list_(SHOWN_ITEM)
    )


def _described(found: list[list[DescribedItem] | None]) -> pa.Array:
    kind = pa.list_(DESCRIBED_ITEM)
    if not any(each is not None for each in found):
        return pa.nulls(len(found), kind)
    items = list(chain.from_iterable(each or () for each in found))
    parts = [
        _column(items, "item_id"),
        _maps([item.attributes for item in items], ATTRIBUTES),
        _maps([item.labels for item in items], LABELS),
    ]
    structs = pa.StructArray.from_arrays(parts, fields=list(DESCRIBED_ITEM))
    offsets = _offsets([len(each or ()) for each in found])
    missing = pa.array([each is None for each in found], pa.bool_())
    return pa.ListArray.from_arrays(offsets, structs, type=kind, mask=missing)


def _experiments(found: list[Experiment | None]) -> pa.Array:
    if not any(found):
        return pa.nulls(len(found), EXPERIMENT)
    names = EXPERIMENT.names
    rows = [None if each is None else {name: getattr(each, name) for name in names} for each in found]
    return pa.array(rows, EXPERIMENT)


def _item_body(events: Sequence[Any]) -> dict[str, pa.Array]:
    return {
        "item_id": _column(events, "item_id"),
        "kind": _column(events, "kind"),
        "source_id": _column(events, "source_id"),
        "attributes": _maps([event.attributes for event in events], ATTRIBUTES),
        "labels": _maps([event.labels for event in events], LABELS),
        "person_id": _column(events, "person_id"),
    }


def _campaign_body(events: Sequence[Any]) -> dict[str, pa.Array]:
    return {"campaign": _campaigns([event.campaign for event in events])}


def _slate_body(events: Sequence[Any]) -> dict[str, pa.Array]:
    names = ("slate_id", "slot", "policy", "model", "snapshot", "builder_id", "session_id")
    return {
        **{name: _column(events, name) for name in names},
        "campaign": _campaigns([event.campaign for event in events]),
        "items": _shown_items(events),
        "seed": pa.array([event.seed for event in events], pa.int64()),
        "schema_hash": _column(events, "feature_schema"),
        "experiment": _experiments([event.experiment for event in events]),
        "described": _described([event.described for event in events]),
        "candidate_scores": _number_lists([event.candidate_scores for event in events]),
        "live_until": pa.array([event.live_until for event in events], INSTANT),
    }


def _interaction_body(events: Sequence[Any]) -> dict[str, pa.Array]:
    names = ("slate_id", "item_id", "action", "builder_id", "session_id")
    return {name: _column(events, name) for name in names}


def _outcome_body(events: Sequence[Any]) -> dict[str, pa.Array]:
    names = ("slate_id", "item_id", "kind", "recipient_id", "experiment_id", "arm")
    return {
        **{name: _column(events, name) for name in names},
        "count": pa.array([event.count for event in events], pa.int64()),
    }


_BODIES: dict[str, Callable[[Sequence[Any]], dict[str, pa.Array]]] = {
    "item": _item_body,
    "campaign": _campaign_body,
    "slate": _slate_body,
    "interaction": _interaction_body,
    "outcome": _outcome_body,
}
