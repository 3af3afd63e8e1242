"""Finds native logs: one JSON event a line, plain, .gz or .zst; nothing has to be converted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from letterpress.errors import UsageError

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def find_logs(paths: Iterable[Path], *, also: tuple[str, ...] = ()) -> list[Path]:
    """The log files that `paths` name: files as given, and those directly inside folders, sorted.

    `also` are ends of names that the caller reads by other means, so that messages name them.

    Raises:
        UsageError: a path does not exist, is no log by its name, or is a folder without logs.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if _is_log(each))
            if not inside:
                known = _list(SUFFIXES + also)
                raise UsageError(f"expected files that end with {known} in {path}, found none; name a file.")
            found.extend(inside)
        elif not path.exists():
            raise UsageError(
                f"expected a log or a folder of logs, found nothing at {path}; correct the path."
            )
        elif not _is_log(path):
            raise UsageError(
                f"expected a name that ends with {_list(SUFFIXES + also)}, found {path.name}; rename it."
            )
        else:
            found.append(path)
    return found


def _is_log(path: Path) -> bool:
    return path.is_file() and path.name.endswith(SUFFIXES)


def _list(suffixes: tuple[str, ...]) -> str:
    return ", ".join(suffixes[:-1]) + f" or {suffixes[-1]}"
