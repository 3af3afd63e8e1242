"""What live counts must know of the past: slates that may still be reacted to, and reactions already counted.

Everything is found by the 64-bit half of a hash, in sorted mapped arrays: no name is written a second time,
and workers share the pages (ADR 0026).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.errors import StorageError
from letterpress.lake.key_table import KeyTable
from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES, KEY_SEPARATOR
from letterpress.lake.text_column import texts_of

Values = dict[str, datetime | str | None]
"""Parameters of a query."""
REACTED_DAYS = 7
"""For so long after it was shown a slate is known here; later reactions wait for the next snapshot."""
MOST_WAITING = 100_000
"""Reactions to slates that nobody knows yet; of more, the newest are kept."""
_NAMES = ("hashes", "keys", "hours", "arrived", "chosen", "reactions", "waiting", "items_known_at")
WAITING = ("slate", "place", "received_at", "hour", "count", "amount")
"""Hashes of (recommender, tenant, slate) and (tenant, slate, item), microseconds of arrival, the hour in
which it happened, which of `COUNT_NAMES` it is, and how often."""
_EXPRESSIONS = {"send_hour": "date_part('hour', send_at at time zone 'UTC')"}


def hash_name(*parts: str) -> int:
    """The hash by which a slate's item (tenant, slate, item) or an event (tenant, type, id) is found here."""
    text = KEY_SEPARATOR.join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.md5(text, usedforsecurity=False).digest()[8:], "little")


@dataclass(frozen=True, slots=True)
class RecentSlates:
    """The items of slates known at the end of the snapshot's last hour and shown in the days before it."""

    hashes: NDArray[np.uint64]
    """Sorted; the other arrays of slates follow it."""
    keys: NDArray[np.int32]
    """(n, entities): rows in the key tables of `ENTITIES`; the length of a table where a part is missing."""
    hours: NDArray[np.int32]
    """In which the slate was shown, since 1970."""
    arrived: NDArray[np.int32]
    """In which its first copy arrived."""
    chosen: NDArray[np.bool_]
    reactions: NDArray[np.uint64]
    """Sorted hashes of the interactions and outcomes that had arrived by then."""
    waiting: NDArray[np.uint64]
    """(n, 6): reactions to slates that had not arrived by then, see `WAITING`."""
    items_known_at: NDArray[np.int64]
    """For every known item when its newest description arrived, in microseconds."""

    def find(self, name: int) -> int | None:
        """The row of a slate's item; None when it is not known."""
        return _find(self.hashes, name)

    def has_counted(self, reaction: int) -> bool:
        """Whether the counts of the snapshot hold this event: it is a second copy."""
        return _find(self.reactions, reaction) is not None

    @classmethod
    def open(cls, folder: Path) -> RecentSlates:
        """Raises StorageError when the files do not fit each other."""
        found = cls(*(np.asarray(np.load(folder / file_of(name), mmap_mode="r")) for name in _NAMES))
        n = len(found.hashes)
        lengths = {len(found.hours), len(found.arrived), len(found.chosen)}
        if found.keys.shape != (n, len(ENTITIES)) or lengths != {n}:
            raise StorageError(
                f"expected {n} recent slate items in {folder}, found keys of {found.keys.shape}, "
                f"{sorted(lengths)} hours and choices. Run `letterpress features` to publish a new snapshot."
            )
        return found


def file_of(name: str) -> str:
    """The file that holds one of the arrays."""
    return f"recent.{name}.npy"


def _find(names: NDArray[np.uint64], name: int) -> int | None:
    wanted = np.uint64(name)
    place = int(names.searchsorted(wanted))
    return place if place < len(names) and names[place] == wanted else None


def export_recent(
    connection: duckdb.DuckDBPyConnection, folder: Path, recommender: str, as_of: datetime | None
) -> int:
    """Write what `RecentSlates` opens beside the counts of a recommender; how many slate items it holds."""
    names = ", ".join(f"{_key_of(columns)} as {entity}" for entity, columns in ENTITIES.items())
    values: Values = {
        "recommender": recommender,
        "separator": KEY_SEPARATOR,
        "as_of": as_of,
        "since": None if as_of is None else as_of - timedelta(days=REACTED_DAYS),
    }
    slates: pa.Table = connection.sql(
        "select md5_number_lower(concat_ws($separator, tenant, slate_id, item_id)) as hash, "  # noqa: S608 - our own names
        "cast(epoch_us(shown_at) // 3600000000 as integer) as hour, "
        "cast(epoch_us(shown_as_of_at) // 3600000000 - 1 as integer) as arrived, "
        f"coalesce(chosen_as_of_at <= $as_of, false) as chosen, {names} from fct_slate_items "
        "where recommender = $recommender and shown_as_of_at <= $as_of and shown_at >= $since order by hash",
        params=values,
    ).to_arrow_table()
    keys: NDArray[np.int32] = np.empty((slates.num_rows, len(ENTITIES)), np.int32)
    for column, entity in enumerate(ENTITIES):
        keys[:, column] = KeyTable.open(folder, entity).find_all(texts_of(slates[entity]))
    write_recent(
        folder,
        RecentSlates(
            slates["hash"].to_numpy(),
            keys,
            slates["hour"].to_numpy(),
            slates["arrived"].to_numpy(),
            slates["chosen"].to_numpy(),
            _reactions(connection, values),
            _waiting(connection, values),
            _known_at(connection, recommender),
        ),
    )
    return int(slates.num_rows)


def write_recent(folder: Path, recent: RecentSlates) -> None:
    """Write what `RecentSlates.open` reads."""
    for name in _NAMES:
        np.save(folder / file_of(name), getattr(recent, name))


def nothing_recent(items: int) -> RecentSlates:
    """No slates and no reactions, beside `items` known items whose description is as old as can be."""
    return RecentSlates(
        np.zeros(0, np.uint64),
        np.zeros((0, len(ENTITIES)), np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.bool_),
        np.zeros(0, np.uint64),
        np.zeros((0, len(WAITING)), np.uint64),
        np.zeros(items, np.int64),
    )


def _key_of(columns: Iterable[str]) -> str:
    """SQL of an entity's key; a separator, which is no key, where a part is missing."""
    parts = [_EXPRESSIONS.get(name, name) for name in columns]
    whole = " and ".join(f"{part} is not null" for part in parts)
    return f"case when {whole} then concat_ws($separator, {', '.join(parts)}) else $separator end"


def _reactions(connection: duckdb.DuckDBPyConnection, values: Values) -> NDArray[np.uint64]:
    found = connection.sql(
        f"select md5_number_lower(concat_ws($separator, tenant, event, event_id)) as hash "  # noqa: S608
        f"from ({_arrived(values)}) order by hash",
        params=values,
    )
    return np.asarray(found.to_arrow_table()["hash"].to_numpy(), np.uint64)


def _waiting(connection: duckdb.DuckDBPyConnection, values: Values) -> NDArray[np.uint64]:
    """Slates that are twice as old as the oldest reactions are looked for; older ones seem unknown."""
    names = ", ".join(f"'{name}'" for name in COUNT_NAMES)
    found = connection.sql(
        "select md5_number_lower(concat_ws($separator, recommender, tenant, slate_id)) as slate, "  # noqa: S608
        "md5_number_lower(concat_ws($separator, tenant, slate_id, item_id)) as place, "
        "epoch_us(received_at) as received_at, epoch_us(occurred_at) // 3600000000 as hour, "
        f"list_position([{names}], kind) - 1 as count, amount "
        f"from ({_arrived(values)}) as reactions anti join ("
        "select tenant, slate_id from fct_slate_items where recommender = $recommender "
        f"and shown_as_of_at <= $as_of and shown_at >= $since - interval {REACTED_DAYS} day"
        f") as slates using (tenant, slate_id) where kind in ({names}) "
        f"order by received_at desc, slate, place, count limit {MOST_WAITING}",
        params=values,
    ).to_arrow_table()
    waiting: NDArray[np.uint64] = np.empty((found.num_rows, len(WAITING)), np.uint64)
    for column, name in enumerate(WAITING):
        waiting[:, column] = found[name].to_numpy().astype(np.uint64)
    return waiting


def _arrived(values: Values) -> str:
    """SQL of the interactions and outcomes that arrived in the days before the snapshot's last hour ended."""
    since = values["since"]
    oldest = (since - timedelta(days=1)).strftime("%Y-%m-%d") if isinstance(since, datetime) else "~"
    columns = "recommender, tenant, event_id, slate_id, item_id, occurred_at, received_at"
    return " union all ".join(
        f"select {columns}, '{event}' as event, {kind} as kind, {amount} as amount "  # noqa: S608
        f"from stg_letterpress__{event}s where recommender = $recommender and stored_as >= '{oldest}' "
        "and received_at < $as_of and received_at >= $since"
        for event, kind, amount in (
            ("interaction", "action", "cast(1 as bigint)"),
            ("outcome", "kind", "amount"),
        )
    )


def _known_at(connection: duckdb.DuckDBPyConnection, recommender: str) -> NDArray[np.int64]:
    """In the order of the items of the snapshot."""
    found = connection.sql(
        "select epoch_us(known_at) as at from dim_items where recommender = ? order by tenant, item_id",
        params=[recommender],
    )
    return np.asarray(found.to_arrow_table()["at"].to_numpy(), np.int64)
