"""Files that arrived: which are ready, how one gets there, and where it goes when it is done."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import batched
from pathlib import Path

from letterpress.errors import UsageError
from letterpress.settings import Home

SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
ARCHIVE = "archive"


def is_landing_name(name: str) -> bool:
    """Whether ingest takes a file of this name; `*.open` and `*.tmp` are still being written."""
    return name.endswith(SUFFIXES)


def list_landing(home: Home) -> list[Path]:
    """Files that wait for ingest, sorted by their path below landing; not the archive."""
    if not home.landing.is_dir():
        return []
    found = [path for path in home.landing.rglob("*") if is_landing_name(path.name) and path.is_file()]
    archive = home.landing / ARCHIVE
    return sorted(path for path in found if archive not in path.parents)


def archive_path(home: Home, path: Path, sha256: str) -> Path:
    """Where a landing file is kept once its content is in raw or quarantine."""
    return home.landing / ARCHIVE / f"{sha256[:16]}-{path.name}"


def require_log_file(source: Path) -> Path:
    """`source` itself, when ingest could read it.

    Raises:
        UsageError: it is no file, or its name ends with no known suffix.
    """
    if not source.is_file():
        raise UsageError(f"expected a file, found none at {source}; correct the path.")
    if not is_landing_name(source.name):
        known = ", ".join(SUFFIXES)
        raise UsageError(f"expected a name that ends with {known}; found {source.name}. Rename it.")
    return source


def land_copy(home: Home, source: Path) -> Path:
    """Copy `source` into landing, complete or not at all; returns the landed file.

    Raises:
        UsageError: `source` is no log file.
    """
    require_log_file(source)
    target = home.landing / source.name
    with _staged(target) as staged, source.open("rb") as reader, staged.open("wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
    return target


def land_lines(home: Home, name: str, lines: Iterable[bytes]) -> Path:
    """Write `lines` (without line ends) to the landing file `name`.jsonl.gz, complete or not at all."""
    target = home.landing / f"{name}.jsonl.gz"
    with _staged(target) as staged:
        write_gzip(staged, lines)
    return target


def write_gzip(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines to a gzip file; equal lines give equal bytes (no name and no time inside)."""
    with path.open("wb") as stream, gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as out:
        for some in batched(lines, 4096):
            out.write(b"\n".join(some) + b"\n")


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A path to write to, which becomes `target` when the block ends well and vanishes when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(target.name + ".tmp")
    try:
        yield staged
        with staged.open("rb") as stream:
            os.fsync(stream.fileno())
        staged.replace(target)
    finally:
        staged.unlink(missing_ok=True)
