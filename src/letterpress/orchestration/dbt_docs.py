"""dbt's own documentation as one page of the site: every model, its columns, its tests and what it feeds."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from letterpress.atomic_file import write_atomically
from letterpress.orchestration.build_features import run_dbt
from letterpress.settings import Settings

PAGE = "dbt-docs/index.html"
"""Where the page lies within the site."""

_GENERATE = ("docs", "generate", "--static", "--empty-catalog", "--no-compile")
_NO_TABLES = '"nodes": {}, "sources": {}, "errors": null'
_ASKED_IN_VAIN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"""url\((["']?)\.\./(?:fonts|img)/[^)]*\)"""), 'url("data:,")'),
    (re.compile(r"""<link rel="shortcut icon"[^>]*>"""), '<link rel="icon" href="data:,">'),
    (re.compile(r"""\bxlink:href="\{\{"""), 'ng-attr-xlink:href="{{'),
)
"""Files that the page asks for and dbt does not bring, and icons whose names are filled in too late."""


def publish_dbt_docs(settings: Settings, manifest: Path) -> Path:
    """Write the page from `manifest`, without a look at the warehouse: the contracts name the types.

    Raises:
        BrokenError: dbt could not write its documentation; says what it printed.
    """
    target = settings.paths.airflow / "dbt" / "docs"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(manifest, target / "manifest.json")
    run_dbt(settings, [*_GENERATE, "--target-path", str(target)])
    html = (target / "static_index.html").read_text(encoding="utf-8")
    html = html.replace(_NO_TABLES, _describe_tables(json.loads(manifest.read_bytes())), 1)
    for asked, instead in _ASKED_IN_VAIN:
        html = asked.sub(instead, html)
    page = settings.paths.site / PAGE
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, html.encode())
    shutil.rmtree(target)
    return page


def _describe_tables(manifest: dict[str, Any]) -> str:
    """What dbt would read from the warehouse, from the types that the contracts promise."""
    models = {
        name: _describe_model(node)
        for name, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    return json.dumps({"nodes": models, "sources": {}, "errors": None}).strip("{}")


def _describe_model(node: dict[str, Any]) -> dict[str, Any]:
    columns = {
        name: {"type": column["data_type"] or "", "index": index, "name": name, "comment": None}
        for index, (name, column) in enumerate(node["columns"].items(), start=1)
    }
    kind = {"type": node["config"]["materialized"], "comment": None, "owner": None}
    place = {name: node[name] for name in ("schema", "name", "database")}
    return {"metadata": kind | place, "columns": columns, "stats": {}, "unique_id": node["unique_id"]}
