"""What the gate on served predictions looks at: the slates of a range that a model of ours ordered.

Facts and views lie in a scratch DuckDB file; feature values are counted and never kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from letterpress.errors import StorageError
from letterpress.lake.gate_views import create_view, naming_damage, raw_rows
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_schema import ensure_anchors
from letterpress.lake.snapshot_layout import read_current_or_none, read_manifest
from letterpress.settings import Home

SERVED_TABLES = ("served_slates", "served_exploration", "served_features")
FEWEST_VECTORS = 200
"""Logged vectors; of fewer, a share of missing values says little."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How one recommender is served."""

    schema_hash: str
    features: tuple[str, ...]
    exploration: float
    """Share of slates that are shuffled."""
    training: Path | None = None
    """Its training set in the current snapshot."""


@dataclass(frozen=True, slots=True)
class ServedContext:
    """What served slates are held against."""

    serving: Mapping[str, Serving]
    shuffling_policy: str
    """The policy that shows the best order and, for the declared share of slates, a uniform shuffle."""
    find_models: Callable[[Collection[str]], Collection[str]] = field(default=lambda names: names)
    """Those of the names that the registry knows."""


def make_served_tables(
    home: Home, hours: HourRange, database: Path, context: ServedContext
) -> tuple[str, ...]:
    """Facts about the served slates of `hours` in the new file `database`.

    Raises:
        StorageError: a raw file or a training set cannot be read.
    """
    ensure_anchors(home.raw)
    with duckdb.connect(str(database)) as connection, naming_damage("served_predictions"):
        connection.execute("set TimeZone = 'UTC'")
        create_view(connection, "events_of_slate", raw_rows(home.raw, "slate", hours))
        _make_declared(connection, context)
        names = connection.sql("select distinct model from events_of_slate where model is not null")
        known = context.find_models([str(name) for (name,) in names.fetchall()])
        _make_list(connection, "known_models", list(known))
        _make_list(connection, "known_snapshots", _kept_snapshots(home))
        connection.execute(
            f"create table served_slates as {_SLATES}",
            {"policy": context.shuffling_policy, "as_of": _served_as_of(home)},
        )
        connection.execute(f"create table served_exploration as {_EXPLORATION}")
        _make_features(connection, context)
    return SERVED_TABLES


def _make_list(connection: duckdb.DuckDBPyConnection, table: str, names: list[str]) -> None:
    connection.register("given", pa.table({"name": pa.array(names, pa.string())}))
    connection.execute(f"create temp table {table} as select * from given")  # noqa: S608 - our own names
    connection.unregister("given")


def _make_declared(connection: duckdb.DuckDBPyConnection, context: ServedContext) -> None:
    rows = [
        {
            "recommender": name,
            "declared_hash": each.schema_hash,
            "width": len(each.features),
            "epsilon": each.exploration,
        }
        for name, each in context.serving.items()
    ]
    connection.register("given", pa.Table.from_pylist(rows))
    connection.execute("create temp table declared as select * from given")
    connection.unregister("given")


def _kept_snapshots(home: Home) -> list[str]:
    current = read_current_or_none(home)
    return [current.snapshot, *current.history] if current else []


def _served_as_of(home: Home) -> object:
    """Until when the current snapshot knows; None without one: then no slate is asked for its snapshot."""
    current = read_current_or_none(home)
    try:
        return read_manifest(home.snapshots / current.snapshot).as_of if current else None
    except StorageError:
        return None


_SLATES = """
    with slates as (
        select
            recommender, tenant, slate_id, policy, model, snapshot, seed, schema_hash, occurred_at,
            len(items) as places,
            list_transform(items, lambda item: item.position) as positions,
            list_transform(items, lambda item: item.propensity) as propensities,
            list_transform(
                list_sort(
                    list_transform(items, lambda item: {'at': item.position, 'score': item.score})
                ),
                lambda each: each.score
            ) as scores,
            list_transform(items, lambda item: len(item.features)) as widths
        from events_of_slate
        where model is not null
    )

    select
        slates.recommender,
        slates.policy,
        greatest(list_max(positions), places) - len(list_distinct(positions)) as missing_positions,
        len(list_filter(scores, lambda score: score is null or not isfinite(score))) as scores_missing,
        len(list_filter(propensities, lambda p: p is null or not (p > 0 and p <= 1))) as propensities_wrong,
        case
            when policy = $policy then (
                (
                    list_max(propensities) - list_min(propensities) < 1e-9
                    or abs(list_max(propensities) - list_min(propensities) - (1 - epsilon)) < 1e-9
                )
                and list_min(propensities) - if(list_min(propensities) > 0.5, 1 - epsilon, 0)
                    <= epsilon / places + 1e-9
            )::integer
        end as propensities_fit,
        case when policy = $policy then (seed < epsilon * pow(2, 63))::integer end as is_explored,
        case
            when policy = $policy and seed >= epsilon * pow(2, 63)
                then (scores = list_reverse_sort(scores))::integer
        end as is_in_order,
        (known_models.name is not null)::integer as model_is_known,
        (snapshot is not null)::integer as names_snapshot,
        case when occurred_at >= $as_of then (known_snapshots.name is not null)::integer end
            as snapshot_is_known,
        (schema_hash is not distinct from declared_hash)::integer as has_declared_schema,
        case
            when schema_hash = declared_hash
                then len(list_filter(widths, lambda each: each is distinct from width))
        end as vectors_of_other_length
    from slates
    left join declared on slates.recommender = declared.recommender
    left join known_models on slates.model = known_models.name
    left join known_snapshots on slates.snapshot = known_snapshots.name
"""

_EXPLORATION = """
    select
        recommender,
        count(*) as slates,
        sum(is_explored) as explored,
        case when count(*) >= 100
            then (sum(is_explored) - count(*) * epsilon) / sqrt(count(*) * epsilon * (1 - epsilon))
            else 0
        end as exploration_z
    from served_slates
    inner join declared using (recommender)
    where is_explored is not null and epsilon > 0 and epsilon < 1
    group by recommender, epsilon
"""


def _make_features(connection: duckdb.DuckDBPyConnection, context: ServedContext) -> None:
    """`served_features`: by recommender and feature, how much more often it is missing than in training."""
    connection.execute(
        "create table served_features (recommender varchar, feature varchar, missing double, "
        "missing_gained double)"
    )
    for name, serving in context.serving.items():
        if serving.training is None:
            continue
        served = _missing(connection, _SERVED_VECTORS, [name, serving.schema_hash], len(serving.features))
        trained = _missing(
            connection,
            "select logged_features as vector from read_parquet(?) where logged_schema_hash = ?",
            [str(serving.training), serving.schema_hash],
            len(serving.features),
        )
        if served and trained:
            rows = [
                [name, feature, now, now - before]
                for feature, now, before in zip(serving.features, served, trained, strict=True)
            ]
            connection.executemany("insert into served_features values (?, ?, ?, ?)", rows)


_SERVED_VECTORS = """
    select unnest(items).features as vector from events_of_slate
    where model is not null and recommender = ? and schema_hash = ?
"""


def _missing(
    connection: duckdb.DuckDBPyConnection, vectors: str, parameters: list[str], width: int
) -> list[float]:
    """Share of rows without a value by place; empty when there are few rows, or none of this width.

    Counted in arrays: a query of hundreds of places takes seconds before it reads a row.
    """
    rows, missing = 0, np.zeros(width)
    query = f"select vector from ({vectors}) where len(vector) = {width}"  # noqa: S608 - our own names
    for batch in connection.sql(query, params=parameters).to_arrow_reader():
        values = pc.fill_null(batch.column(0).flatten(), np.nan)
        missing += np.isnan(values.to_numpy(zero_copy_only=False)).reshape(-1, width).sum(axis=0)
        rows += batch.num_rows
    return [float(each) for each in missing / rows] if rows >= FEWEST_VECTORS else []
