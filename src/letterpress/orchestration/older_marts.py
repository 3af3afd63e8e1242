"""Finds out whether marts in the warehouse were built by another version, before dbt trips over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from letterpress.errors import BrokenError, StorageError
from letterpress.lake.warehouse import columns_of_tables
from letterpress.settings import Settings


def promised_columns(project: Path) -> dict[str, set[str]]:
    """Columns by name of every mart that is not written anew by each build, as its contract promises them."""
    promised: dict[str, set[str]] = {}
    for path in sorted((project / "dbt" / "models").rglob("*.yml")):
        document: Mapping[str, Any] = msgspec.yaml.decode(path.read_bytes()) or {}
        for model in document.get("models") or ():
            sql = path.with_name(f"{model['name']}.sql")
            if sql.is_file() and "materialized='incremental'" in sql.read_text(encoding="utf-8"):
                promised[model["name"]] = {column["name"] for column in model.get("columns") or ()}
    return promised


def refuse_older_marts(settings: Settings) -> None:
    """Pass when there is no warehouse, one with the columns of today, or one that is being written.

    Raises:
        BrokenError: a mart has others.
        StorageError: the file is no DuckDB database of this version.
    """
    if not settings.paths.warehouse.exists():
        return
    try:
        found = columns_of_tables(settings.paths, threads=settings.threads)
    except StorageError:
        raise
    except BrokenError:
        return  # whoever builds next says who holds it
    for name, promised in promised_columns(settings.project).items():
        columns = found.get(name)
        if columns is None or not promised or columns == promised:
            continue
        lacking, more = sorted(promised - columns), sorted(columns - promised)
        raise BrokenError(
            f"expected {name} in {settings.paths.warehouse} to have the columns of this version, found "
            f"it of another: without {', '.join(lacking) or 'none of them'}, with "
            f"{', '.join(more) or 'no others'}. "
            "Run `letterpress features --full-refresh`: raw holds all that is needed, and the published "
            "snapshot stays until then."
        )
