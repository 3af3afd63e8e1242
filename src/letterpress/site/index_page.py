"""The index page: what is served, how it was judged, what came in, and where to look further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jinja2
from msgspec import Struct

from letterpress.atomic_file import write_atomically
from letterpress.site.verdict_charts import draw_verdict

STYLE = "letterpress.css"


class RecommenderState(Struct, kw_only=True, frozen=True):
    """One recommender as the page shows it."""

    name: str
    description: str
    serving: dict[str, Any] | None = None
    """`model`, `published_at` and perhaps `bento`; None while nothing is published."""
    verdicts: Sequence[dict[str, Any]] = ()
    """Records, newest first; with `card`, the page of the model's card, where there is one."""


class SiteState(Struct, kw_only=True, frozen=True):
    """Everything that the index page says."""

    built_at: str
    links: Sequence[dict[str, str]]
    """`name`, `address` and `what` it is for."""
    recommenders: Sequence[RecommenderState]
    ingest: dict[str, Any] | None = None
    """`total`, `last` and `reasons`, as the ledger tells them."""
    watermarks: Mapping[str, str] = MappingProxyType({})
    """By tenant, the event time up to which its log is taken for complete; the furthest behind first."""
    tenants_left_out: int = 0
    gates: Sequence[dict[str, Any]] = ()
    """Last results, with `checked_at`."""
    snapshot: dict[str, Any] | None = None
    """`snapshot` and `published_at`."""


def _say_when(text: str | None) -> str:
    """`5 Jan 2026, 03:00 UTC`; the text itself when it is no time."""
    if not text:
        return "never"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def _say_share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"


def page_environment() -> jinja2.Environment:
    """Renders the templates of this room, with the filters that they share."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("letterpress.site"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": _say_when,
        "words": lambda name: str(name).replace("_", " "),
        "count": lambda number: f"{int(number):,}",
    }
    environment.globals |= {"share": _say_share, "style": STYLE}
    return environment


def render_index(state: SiteState) -> str:
    """The page as HTML."""
    drawn: Mapping[str, Any] = {
        each.name: draw_verdict(each.verdicts[0]) for each in state.recommenders if each.verdicts
    }
    return page_environment().get_template("index.html.j2").render(state=state, drawn=drawn)


def write_site(folder: Path, state: SiteState) -> Path:
    """Write index page and style sheet into `folder` by atomic rename; the page's path."""
    style = files("letterpress.site").joinpath("templates", STYLE).read_bytes()
    write_atomically(folder / STYLE, style)
    write_atomically(folder / "index.html", render_index(state).encode())
    return folder / "index.html"
