"""Files that arrived: which are ready, how one gets there, and when one may go."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

from letterpress.events.native import SUFFIXES
from letterpress.settings import Home

TRUTH = "truth"
"""What a simulation lays beside its log, in landing too when it writes there; nobody here reads it."""


def is_landing_name(name: str) -> bool:
    """Whether ingest takes a file of this name; `*.open` and `*.tmp` are still being written."""
    return name.endswith(SUFFIXES)


def list_landing(home: Home) -> list[Path]:
    """Files that wait for ingest, sorted by their path below landing; no truth."""
    if not home.landing.is_dir():
        return []
    found = [path for path in home.landing.rglob("*") if is_landing_name(path.name) and path.is_file()]
    return sorted(path for path in found if TRUTH not in path.relative_to(home.landing).parts[:-1])


def checksum(path: Path) -> str:
    """SHA-256 of a landing file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def delete_landed(path: Path, sha256: str) -> None:
    """Delete a landing file whose content is in raw or quarantine; not one that has changed since.

    It then grew while it was read, or is another file of the same name, and waits for the next ingest.
    """
    if path.is_file() and checksum(path) == sha256:
        path.unlink()


def land_copy(home: Home, source: Path) -> Path:
    """Copy the log `source` into landing, complete or not at all; returns the landed file.

    Its name begins with its checksum: two logs of one name are two files, and one log landed twice is one.
    """
    with _staged(home, source.name) as staged, source.open("rb") as reader, staged.path.open("wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
    return staged.landed


def land_lines(home: Home, name: str, lines: Iterable[bytes]) -> Path:
    """Write `lines` (without line ends) to a landing file `*-name.jsonl.gz`, complete or not at all."""
    with _staged(home, f"{name}.jsonl.gz") as staged:
        write_gzip(staged.path, lines)
    return staged.landed


def write_gzip(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines to a gzip file; equal lines give equal bytes (no name and no time inside)."""
    with path.open("wb") as stream, gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as out:
        for some in batched(lines, 4096):
            out.write(b"\n".join(some) + b"\n")


@dataclass
class _Staged:
    path: Path
    landed: Path


@contextmanager
def _staged(home: Home, name: str) -> Iterator[_Staged]:
    """A path to write to; landed when the block ends well, gone when it does not."""
    home.landing.mkdir(parents=True, exist_ok=True)
    path = home.landing / f"{name}.tmp"
    staged = _Staged(path, path)
    try:
        yield staged
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            os.fsync(stream.fileno())
        staged.landed = home.landing / f"{digest[:12]}-{name}"
        path.replace(staged.landed)
    finally:
        path.unlink(missing_ok=True)
