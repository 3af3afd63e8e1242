"""The page about quarantine: how many lines lie there and why, by reason and by file, and not one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from letterpress.atomic_file import write_atomically
from letterpress.site.index_page import page_environment

PAGE = "quarantine.html"


class ReasonState(Struct, kw_only=True, frozen=True):
    """One reason code with its meaning."""

    code: str
    meaning: str
    lines: int
    requeued: int


class QuarantineState(Struct, kw_only=True, frozen=True):
    """Everything that the page says."""

    built_at: str
    reasons: Sequence[ReasonState]
    files: Sequence[Mapping[str, Any]]
    """`path`, `code`, `lines`, `requeued` and `ingested_at`, newest first."""
    files_left_out: int
    masked: Sequence[Mapping[str, Any]]
    """`event`, `field`, `kind` and `found`: personal data that was masked on its way to raw."""


def render_quarantine(state: QuarantineState) -> str:
    """The page as HTML."""
    return page_environment().get_template("quarantine.html.j2").render(state=state)


def write_quarantine_page(folder: Path, state: QuarantineState) -> Path:
    """Write the page into `folder` by atomic rename; its path."""
    write_atomically(folder / PAGE, render_quarantine(state).encode())
    return folder / PAGE
