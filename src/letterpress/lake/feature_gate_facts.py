"""What the feature gate looks at: facts about the marts, counted once, kept in a scratch DuckDB file.

Facts and not views: the warehouse can only be attached while a connection lasts, and a gate that reads a
handful of numbers costs the same at a thousand rows and at ten million.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING

import duckdb
import numpy as np

from letterpress.errors import StorageError, as_clause
from letterpress.lake.complete_hours import has_lost_on_purpose
from letterpress.lake.gate_views import raw_rows
from letterpress.lake.raw_schema import ensure_anchors
from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES, read_current, read_manifest
from letterpress.lake.warehouse import connect_warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from letterpress.lake.partitions import HourRange
    from letterpress.settings import Home

FEATURE_TABLES = ("feature_counts", "feature_rows", "feature_rates", "feature_experiments")
ONE_IN_A_THOUSAND = 3.09
"""Of `sample_ratio_z`: by chance one experiment in a thousand lies above it."""
FEW_ALARMS = 3
"""Of fewer in a week, their share means nothing: three of sixty are chance once in thirty thousand weeks."""


def write_feature_facts(
    home: Home, hours: HourRange | None, database: Path, *, threads: int
) -> tuple[str, ...]:
    """Facts about the marts in the new file `database`; `hours` were rebuilt, else all of history.

    Raises:
        NotYetThereError: there is no warehouse.
        BrokenError: another process writes it.
        StorageError: a mart that features are made of is missing, or has other columns.
    """
    ensure_anchors(home.raw)
    with connect_warehouse(home, read_only=True, threads=threads) as connection:
        connection.execute(f"attach '{database}' as facts (read_write)")
        with _says_which_mart(home):
            for entity, key in ENTITIES.items():
                connection.execute(f"create temp table {entity}_totals as {_totals(entity, key)}")
            connection.execute(f"create table facts.feature_counts as {_counts()}")
            connection.execute(f"create table facts.feature_rows as {_rows(home, hours)}")
            _write_rates(connection, home)
            _write_experiments(connection)
    return FEATURE_TABLES


@contextmanager
def _says_which_mart(home: Home) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise StorageError(
            f"expected the marts of dbt in {home.warehouse}, found: {as_clause(error)}. Run `letterpress "
            "features --full-refresh`; the published snapshot stays."
        ) from error


def _totals(entity: str, key: tuple[str, ...]) -> str:
    """One row an entity: sums over all hours, and what is wrong in any of them. Every mart is read once."""
    sums = ", ".join(f"sum({name}) as {name}" for name in COUNT_NAMES)
    missing = " or ".join(f"{column} is null" for column in (*key, "as_of_at", *COUNT_NAMES))
    return f"""
        select
            recommender,
            {sums},
            min(least({", ".join(COUNT_NAMES)})) as smallest,
            count(*) filter (where {missing}) as missing
        from ftr_{entity}_hours
        group by recommender, {", ".join(key)}
    """  # noqa: S608 - our own names


def _counts() -> str:
    """One row a kind of entity: what must hold of its hourly counts."""
    return " union all ".join(_counts_of(entity, key) for entity, key in ENTITIES.items())


def _counts_of(entity: str, key: tuple[str, ...]) -> str:
    """Keys are compared as 64-bit hashes: two of a hundred million are equal once in three thousand times."""
    return f"""
        select
            '{entity}' as entity,
            count(*) as entities,
            (
                select count(*) - count(distinct hash(recommender, {", ".join(key)}, as_of_at))
                from ftr_{entity}_hours
            ) as repeated_rows,
            coalesce(sum(missing), 0)::bigint as rows_with_nulls,
            coalesce(min(smallest), 0)::bigint as smallest_count,
            coalesce(avg((clicked > delivered)::integer), 0) as clicked_above_delivered,
            coalesce(avg((chosen > shown)::integer), 0) as chosen_above_shown
        from {entity}_totals
    """  # noqa: S608 - our own names


def _rows(home: Home, hours: HourRange | None) -> str:
    """One row: the same things counted along different ways, and what the marts lack of raw."""
    raw = raw_rows(home.raw, "slate", hours)
    return f"""
        select
            (select count(*) from fct_slate_items) as slate_items,
            (select coalesce(sum(shown), 0) from ftr_item_hours)::bigint
            - (select count(*) from fct_slate_items) as shown_too_often,
            (select coalesce(sum(delivered), 0) from ftr_item_hours)::bigint
            - (select coalesce(sum(delivered), 0) from fct_slate_items)::bigint as delivered_too_often,
            (select count(*) from training_examples) - (select count(*) from fct_slate_items)
                as multiplied_examples,
            (
                select count(*)
                from (select distinct hash(recommender, tenant, item_id) as item from ftr_item_hours)
                anti join (
                    select hash(recommender, tenant, item_id) as item from fct_slate_items
                ) using (item)
            ) as items_never_shown,
            (
                select coalesce(avg((item_kind is null)::integer), 0) from fct_slate_items
            ) as share_without_description,
            (
                select count(*)
                from (select distinct hash(recommender, tenant, slate_id) as slate from ({raw}))
                anti join (
                    select hash(recommender, tenant, slate_id) as slate from fct_slate_items
                ) using (slate)
            ) as slates_not_built
    """  # noqa: S608 - our own names


def _write_rates(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """One row a recommender and kind of entity: sums and rates as a multiple of those of the snapshot."""
    connection.execute(
        "create temp table known (recommender varchar, entity varchar, entities bigint, unseen double, "
        + ", ".join(f"{name} double" for name in COUNT_NAMES)
        + ")"
    )
    known = _known_sums(home)
    if known:
        places = ", ".join("?" * (4 + len(COUNT_NAMES)))
        connection.executemany(f"insert into known values ({places})", known)  # noqa: S608 - markers
    kept = "1.0" if has_lost_on_purpose(home) else "coalesce(found.{0}, 0) / known.{0}"
    connection.execute(f"create table facts.feature_rates as {_compared(kept)}")


def _known_sums(home: Home) -> list[list[object]]:
    """Sums of the counts in the current snapshot, which may be damaged: then there is nothing to compare."""
    try:
        current = read_current(home)
        manifest = read_manifest(home.snapshots / current.snapshot) if current else None
    except StorageError:
        return []
    if current is None or manifest is None:
        return []
    return [
        [recommender, entity, *_sums(home.snapshots / current.snapshot / recommender / f"{entity}.npy")]
        for recommender in manifest.recommenders
        for entity in ENTITIES
    ]


def _sums(path: Path) -> list[float]:
    counts = np.load(path, mmap_mode="r")[:-1, : len(COUNT_NAMES)]
    unseen = float((counts[:, COUNT_NAMES.index("delivered")] == 0).mean()) if len(counts) else 0.0
    return [len(counts), unseen, *(float(each) for each in counts.sum(axis=0))]


def _compared(kept: str) -> str:
    """`kept` says how a sum is compared with the known one."""
    sums = ", ".join(f"sum({name}) as {name}" for name in COUNT_NAMES)
    found = " union all ".join(
        f"""
        select recommender, '{entity}' as entity, count(*) as entities,
            avg((delivered = 0)::integer) as unseen, {sums}
        from {entity}_totals
        group by recommender
        """  # noqa: S608 - our own names
        for entity in ENTITIES
    )
    return f"""
        select
            known.recommender,
            known.entity,
            {kept.format("entities")} as entities_kept,
            {kept.format("shown")} as shown_kept,
            coalesce((found.clicked / found.delivered) / (known.clicked / known.delivered), 1)
                as click_rate_ratio,
            coalesce((found.chosen / found.shown) / (known.chosen / known.shown), 1) as choose_rate_ratio,
            abs(coalesce(found.unseen, 0) - known.unseen) as unseen_moved
        from known
        left join ({found}) as found using (recommender, entity)
        where known.entities > 0
    """  # noqa: S608 - our own names


def _write_experiments(connection: duckdb.DuckDBPyConnection) -> None:
    """One row a recommender and week: A/B sends, and how many of them alarm about their shares.

    The last day is left out: what has arrived of its sends says more of the post than of the assignment. So
    are sends whose own log calls them `trusted: false`, as archives of A/B tests do: it is known of them.
    """
    connection.execute(
        """
        create temp table sends as
        with distrusted as (
            select distinct recommender, tenant, item_id, shown_at
            from fct_slate_items
            where context_labels['trusted'] = 'false'
        )

        select recommender, tenant, experiment_id, min(shown_at) as shown_at, max(sample_ratio_z) as z
        from fct_experiments
        anti join distrusted using (recommender, tenant, item_id, shown_at)
        where arms > 1
            and shown_at <= (select max(as_of_at) - interval 24 hours from ftr_item_hours)
        group by all
        """
    )
    (tried,) = connection.sql("select count(*) from sends").fetchall()[0]
    # One false alarm in a thousand runs, however many experiments there are.
    beyond_chance = NormalDist().inv_cdf(1 - 0.001 / max(1, tried))
    connection.execute(
        """
        create table facts.feature_experiments as
        select
            recommender,
            date_trunc('week', shown_at) as week,
            count(*) as experiments,
            count(*) filter (where z > $beyond) as alarms_beyond_chance,
            case when count(*) filter (where z > $alarm) >= $few then avg((z > $alarm)::integer) else 0 end
                as share_of_alarms
        from sends
        group by all
        """,
        {"beyond": beyond_chance, "alarm": ONE_IN_A_THOUSAND, "few": FEW_ALARMS},
    )
