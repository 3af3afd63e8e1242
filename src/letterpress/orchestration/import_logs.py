"""Foreign and native logs into landing, and from there into raw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from letterpress.clock import Clock
from letterpress.errors import UsageError
from letterpress.events.ab_test import convert_ab_tests, find_ab_tables, find_columns, read_ab_table
from letterpress.events.codec import BadLine, encode, encode_bad_line
from letterpress.events.native import find_logs
from letterpress.events.open_bandit import check_columns, convert, find_bandit_logs
from letterpress.events.open_bandit_wheel import WORD, fetch_open_bandit
from letterpress.events.types import AnyEvent
from letterpress.lake.landing import land_copy, land_lines
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.settings import Home, Settings


def import_logs(
    settings: Settings,
    log_format: str,
    paths: list[str],
    *,
    land_only: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Land the logs at `paths`, then ingest all that waits; returns what `ingest_landing` does.

    `files` name the logs as they were given. With `land_only` the result is `{"landed": [...]}`.

    Raises:
        UsageError: an unknown format, a path that holds no log of it, or a missing column.
        BrokenError: a download that failed.
    """
    if log_format not in _LANDERS:
        raise UsageError(
            f"expected a format out of {', '.join(_LANDERS)}; found {log_format!r}. Others come later."
        )
    if not paths:
        raise UsageError("expected at least one path to import, found none; name a file or folder.")
    landed = _LANDERS[log_format](settings.paths, paths)
    if land_only:
        return {"landed": [str(path) for path in landed]}
    result = ingest_landing(settings, clock)
    sources = {str(path.relative_to(settings.paths.landing)): source for path, source in landed.items()}
    for file in result["files"]:
        file["path"] = sources.get(file["path"], file["path"])
    return result


def _land_native(home: Home, paths: list[str]) -> dict[Path, str]:
    return {land_copy(home, log): str(log) for log in find_logs(Path(path) for path in paths)}


def _land_open_bandit(home: Home, paths: list[str]) -> dict[Path, str]:
    folders = [fetch_open_bandit(home.root / "cache") if path == WORD else Path(path) for path in paths]
    logs = [log for folder in folders for log in find_bandit_logs(folder)]
    for log in logs:
        check_columns(log)
    return {land_lines(home, f"open-bandit-{log.name}", _lines(convert(log))): str(log.path) for log in logs}


def _land_ab_tests(home: Home, paths: list[str]) -> dict[Path, str]:
    tables = [table for path in paths for table in find_ab_tables(Path(path))]
    for table in tables:
        find_columns(read_ab_table(table).column_names, table)
    return {
        land_lines(home, f"ab-test-{table.name.split('.')[0]}", _lines(convert_ab_tests(table))): str(table)
        for table in tables
    }


def _lines(events: Iterator[AnyEvent | BadLine]) -> Iterator[bytes]:
    for each in events:
        yield encode_bad_line(each) if isinstance(each, BadLine) else encode(each)


_LANDERS: dict[str, Callable[[Home, list[str]], dict[Path, str]]] = {
    "ab-test": _land_ab_tests,
    "letterpress": _land_native,
    "open-bandit": _land_open_bandit,
}
"""Formats that are read today."""
