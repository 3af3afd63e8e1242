"""Foreign and native logs into landing, and from there into raw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from letterpress.clock import Clock
from letterpress.errors import UsageError
from letterpress.events import ab_test, metarank, parquet_rows
from letterpress.events.codec import REASONS, BadLine, encode, encode_bad_line, say_plainly
from letterpress.events.native import find_logs
from letterpress.events.open_bandit import TENANT as BANDIT_TENANT
from letterpress.events.open_bandit import check_columns, convert, find_bandit_logs
from letterpress.events.open_bandit_wheel import WORD, fetch_open_bandit
from letterpress.events.types import AnyEvent, Identifier, Name
from letterpress.lake.imported_tests import tests_by_bare_name
from letterpress.lake.ingest_summary import newest_report
from letterpress.lake.landing import land_copy, land_lines, log_name
from letterpress.lake.log_file import LogFile
from letterpress.orchestration.ingest_landing import ingest_landing, total_counts
from letterpress.settings import Home, Settings

AB_TEST = "ab-test"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the log does not say itself; None is the default of its format."""

    recommender: str | None = None
    tenant: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """Of a table of A/B tests: the table's names of columns that are not found by themselves."""

    def __post_init__(self) -> None:
        """Raises UsageError when no event could carry such names."""
        for option, value, kind in (
            ("recommender", self.recommender, Name),
            ("tenant", self.tenant, Identifier),
        ):
            try:
                msgspec.convert(value, kind | None)
            except msgspec.ValidationError as error:
                raise UsageError(f"--{option}: {say_plainly(str(error))}; give another.") from None


def import_logs(
    settings: Settings,
    log_format: str,
    paths: list[str],
    *,
    options: ImportOptions | None = None,
    land_only: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Land the logs at `paths`, then ingest all that waits; returns what `ingest_landing` does.

    `files` and the counts are of these logs, under the names that were given, whichever process read them
    into raw; `others` are the files that waited beside them. With `land_only` it is `{"landed": [...]}`.

    Raises:
        UsageError: an unknown format, a path that holds no log of it, a missing column, or options that
            the format has no use for.
        BrokenError: a download that failed.
    """
    if log_format not in _LANDERS:
        raise UsageError(f"expected a format out of {', '.join(_LANDERS)}; found {log_format!r}.")
    if not paths:
        raise UsageError("expected at least one path to import, found none; name a file or folder.")
    if "" in paths:
        raise UsageError("expected the path of a file or folder, found an empty one; name it.")
    options = options or ImportOptions()
    if options.columns and log_format != AB_TEST:
        raise UsageError(
            f"expected --column with --format {AB_TEST} only, found it with {log_format}; leave it out."
        )
    landed = _LANDERS[log_format](settings.paths, paths, options)
    if land_only:
        return {"landed": [str(path) for path in landed]}
    result = ingest_landing(settings, clock)
    sources = {
        log_name(str(path.relative_to(settings.paths.landing))): source for path, source in landed.items()
    }
    found = ((newest_report(settings.paths, name), source) for name, source in sources.items())
    own = [replace(report, path=source) for report, source in found if report is not None]
    return result | {
        **total_counts(own),
        "files": [asdict(report) for report in own],
        "others": [file for file in result["files"] if file["path"] not in sources],
    }


def _land_native(home: Home, paths: list[str], options: ImportOptions) -> dict[Path, str]:
    """Logs as they are; rows of Parquet as lines."""
    logs: list[Path] = []
    tables: list[Path] = []
    for path in map(Path, paths):
        inside = parquet_rows.find_tables(path) if path.is_dir() else []
        if path.suffix == parquet_rows.SUFFIX and path.is_file():
            tables.append(path)
        elif not inside or any(each.is_file() and ".jsonl" in each.name for each in path.iterdir()):
            logs.extend(find_logs([path], also=(parquet_rows.SUFFIX,)))
        tables.extend(inside)
    names = {"recommender": options.recommender, "tenant": options.tenant}
    for table in tables:
        parquet_rows.check_table(table)
    landed = {land_copy(home, log): str(log) for log in logs}
    for table in tables:
        lines = parquet_rows.parquet_lines(table, **names)
        landed[land_lines(home, f"parquet-{table.stem}", lines)] = str(table)
    return landed


def _land_open_bandit(home: Home, paths: list[str], _: ImportOptions) -> dict[Path, str]:
    folders = [fetch_open_bandit(home.root / "cache") if path == WORD else Path(path) for path in paths]
    logs = [log for folder in folders for log in find_bandit_logs(folder)]
    for log in logs:
        check_columns(log)
    return {
        land_lines(home, f"open-bandit-{log.name}", _lines(convert(log), BANDIT_TENANT)): str(log.path)
        for log in logs
    }


def _land_metarank(home: Home, paths: list[str], options: ImportOptions) -> dict[Path, str]:
    names = {
        "recommender": options.recommender or metarank.RECOMMENDER,
        "tenant": options.tenant or metarank.TENANT,
    }
    landed = {}
    for log in find_logs(Path(path) for path in paths):
        lines = _lines(_convert_lines(log, names), names["tenant"])
        landed[land_lines(home, f"metarank-{log.name.split('.')[0]}", lines)] = str(log)
    return landed


def _land_ab_tests(home: Home, paths: list[str], options: ImportOptions) -> dict[Path, str]:
    tables = [table for path in paths for table in ab_test.find_ab_tables(Path(path))]
    for table in tables:
        ab_test.find_columns(ab_test.read_names(table), table, options.columns)
    tenant = options.tenant or ab_test.TENANT
    recommender = options.recommender or ab_test.RECOMMENDER
    bare = tests_by_bare_name(
        home, recommender=recommender, tenant=tenant, policy=ab_test.POLICY, mark=ab_test.MARK
    )
    landed = {}
    for table in tables:
        events = ab_test.convert_ab_tests(
            table, recommender=recommender, tenant=tenant, columns=options.columns, bare=bare
        )
        landed[land_lines(home, f"ab-test-{table.name.split('.')[0]}", _lines(events, tenant))] = str(table)
    return landed


def _convert_lines(log: Path, names: dict[str, str]) -> Iterator[AnyEvent | BadLine]:
    """The events of a Metarank log, and what could not be read of it."""
    file = LogFile(log)
    yield from metarank.convert_metarank(_number(file), **names)
    for number, beginning, length in file.too_long:
        reason = f"{REASONS['too_large']}: it has {length}; only its beginning is kept"
        yield BadLine(beginning.decode(errors="backslashreplace"), number, "too_large", None, reason)
    if file.damage is not None:
        rest = file.rest.decode(errors="backslashreplace")
        yield BadLine(rest, file.last_number, file.damage, None, REASONS[file.damage])


def _number(file: LogFile) -> Iterator[tuple[int, bytes]]:
    for lines in file.lines():
        yield from zip(lines.numbers, lines.texts, strict=True)


def _lines(events: Iterable[AnyEvent | BadLine], tenant: str) -> Iterator[bytes]:
    """Lines as ingest reads them; what is no event is of `tenant` unless it names another."""
    for each in events:
        yield encode_bad_line(each, tenant) if isinstance(each, BadLine) else encode(each)


_LANDERS: dict[str, Callable[[Home, list[str], ImportOptions], dict[Path, str]]] = {
    AB_TEST: _land_ab_tests,
    "letterpress": _land_native,
    "metarank": _land_metarank,
    "open-bandit": _land_open_bandit,
}
"""Formats that are read today."""
