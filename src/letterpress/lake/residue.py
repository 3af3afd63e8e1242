"""What still names a subject outside raw: found by search, and overwritten in texts that are only read.

A name in a text of the log, of Airflow or of a page is overwritten in place with as many `x`: nothing moves,
so a process that still appends to the file is not disturbed. Everything else that is found is only reported.
"""

from __future__ import annotations

import mmap
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from letterpress.lake.landing import SEALED
from letterpress.lake.subject import SHORTEST, Subject
from letterpress.settings import Home

_TEXTS = frozenset({".log", ".html", ".json", ".jsonl", ".txt", ".xml", ".out", ".err", ".yml", ".sql"})
_NOT_SEARCHED = ("forgetting", "keys")
"""What is a secret or about requests names nobody."""
_PACKED = frozenset({".parquet", ".keys"})
"""In raw: bytes that are no text. `mentions.py` searches what the rows say; hashes of events say nothing."""
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"(?P<key>\s*:)?', re.DOTALL)
_PAGE_TEXT = re.compile(
    rb"""<(script|style)\b.*?</\1>|\b(?:title|alt|aria-label)\s*=\s*"(?P<label>[^"]*)"|>(?P<text>[^<]+)""",
    re.IGNORECASE | re.DOTALL,
)


def overwrite_names(home: Home, subject: Subject) -> tuple[int, int]:
    """Overwrite the subject in texts that people read; (files, places)."""
    files = places = 0
    if not _is_searchable(subject):
        return files, places
    registry = (home.registry / name for name in ("audits", "gates", "verdicts"))
    folders = (home.log, home.airflow, home.site, *registry)
    for path in (path for folder in folders for path in _files(folder) if path.suffix in _TEXTS):
        found = _overwrite(path, subject)
        files, places = files + bool(found), places + found
    return files, places


def find_names(home: Home, subject: Subject) -> list[str]:
    """Files under the home, relative to it, whose bytes still hold the subject; not the rows of raw."""
    if not _is_searchable(subject):
        return []
    return [
        str(path.relative_to(home.root))
        for path in _files(home.root)
        if path.relative_to(home.root).parts[0] not in _NOT_SEARCHED
        and not (path.suffix in _PACKED and path.is_relative_to(home.raw))
        and _holds(path, subject)
    ]


def unreadable_copies(home: Home) -> list[str]:
    """Copies in quarantine that were damaged in landing: nobody can tell whom they name."""
    found = sorted(home.quarantine.glob(f"*{SEALED}"))
    return [f"{path.relative_to(home.root)}: a damaged copy, not searchable" for path in found]


def names_in_folder(folder: Path, subject: Subject) -> bool:
    """Whether a file in `folder` holds the subject."""
    return any(_holds(path, subject) for path in _files(folder))


def _is_searchable(subject: Subject) -> bool:
    return all(len(word.encode()) >= SHORTEST for word in subject.words)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _holds(path: Path, subject: Subject) -> bool:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(pattern.search(content) for pattern in subject.patterns())
    except (FileNotFoundError, ValueError):  # gone meanwhile, or empty
        return False


def _words_of_people(suffix: str, content: bytes) -> list[tuple[int, int]]:
    """The parts that may be overwritten: in JSON values that are texts, in pages what stands between tags.

    A tenant may be called `model` or `true`: keys, literals, tags and their classes must stay.
    """
    if suffix == ".json":
        return [found.span() for found in _JSON_TEXT.finditer(content) if found["key"] is None]
    if suffix == ".html":
        matches = [(found, found.lastgroup) for found in _PAGE_TEXT.finditer(content)]
        return [found.span(name) for found, name in matches if name is not None]
    return [(0, len(content))]


def _is_in(span: tuple[int, int], parts: list[tuple[int, int]]) -> bool:
    place = bisect_right(parts, span[0], key=lambda part: part[0]) - 1
    return place >= 0 and span[1] <= parts[place][1]


def _overwrite(path: Path, subject: Subject) -> int:
    if not _holds(path, subject):
        return 0
    with path.open("r+b") as stream:
        content = stream.read()
        parts = _words_of_people(path.suffix, content)
        spans = {
            match.span()
            for pattern in subject.patterns()
            for match in pattern.finditer(content)
            if _is_in(match.span(), parts)
        }
        for start, end in spans:
            stream.seek(start)
            stream.write(b"x" * (end - start))
    return len(spans)
