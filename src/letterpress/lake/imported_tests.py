"""The A/B tests that raw holds under their bare names, as tables were once imported."""

from __future__ import annotations

import duckdb

from letterpress.errors import StorageError, as_clause
from letterpress.lake.raw_readers import reading_raw
from letterpress.settings import Home

_SHOWN = """
    with arms as (
        select slate_id, unnest(items).item_id as item_id
        from read_parquet($slates)
        where tenant = $tenant and policy = $policy and not contains(slate_id, $mark)
    )
    select arms.slate_id, list(distinct element_at(item.labels, 'text')[1]) as texts
    from arms
    inner join read_parquet($items) as item on arms.item_id = item.item_id and item.tenant = $tenant
    group by arms.slate_id
"""


def tests_by_bare_name(
    home: Home, *, recommender: str, tenant: str, policy: str, mark: str
) -> dict[str, frozenset[str]]:
    """Texts of the arms of each slate of `policy` whose id has no `mark`, by that id.

    Ids of tests came to depend on their texts later; what a home knew before keeps its name, so that the same
    table is a duplicate still. The module can go when no home of before 2026-12 is in use.

    Raises:
        AlreadyRunningError: a compaction changes raw and does not end.
        StorageError: a raw file cannot be read.
    """
    folder = home.raw / f"recommender={recommender}"
    if not all(any(folder.glob(f"hour=*/{event}.parquet")) for event in ("slate", "item")):
        return {}
    given = {
        "slates": str(folder / "hour=*" / "slate.parquet"),
        "items": str(folder / "hour=*" / "item.parquet"),
        "tenant": tenant,
        "policy": policy,
        "mark": mark,
    }
    with reading_raw(home), duckdb.connect() as connection:
        try:
            rows = connection.execute(_SHOWN, given).fetchall()
        except duckdb.Error as error:
            raise StorageError(
                f"expected raw files of today's schema in {folder}, found: {as_clause(error)}. "
                "`letterpress lake --verify` names the file."
            ) from error
    return {name: frozenset(text for text in texts if text is not None) for name, texts in rows}
