"""The page of the skew audit: served features computed again, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from letterpress.atomic_file import write_atomically
from letterpress.registry.audits import AuditRecord
from letterpress.site.index_page import page_environment

PAGE = "skew.html"
DATA = "skew.json"


class SkewState(Struct, kw_only=True, frozen=True):
    """Everything that the page says."""

    audited_at: str
    records: Sequence[AuditRecord]


def _say_value(value: float | None) -> str:
    return "missing" if value is None else f"{value:.9g}"


def render_skew(state: SkewState) -> str:
    """The page as HTML."""
    environment = page_environment()
    environment.filters["value"] = _say_value
    return environment.get_template("skew.html.j2").render(state=state)


def write_skew_page(folder: Path, state: SkewState) -> Path:
    """Write the page, and what it says as JSON, into `folder` by atomic rename; the page's path."""
    write_atomically(folder / PAGE, render_skew(state).encode())
    write_atomically(folder / DATA, msgspec.json.encode(state))
    return folder / PAGE
