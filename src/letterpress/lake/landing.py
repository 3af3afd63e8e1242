"""Files that arrived: which are ready, how one gets there, and when one may go.

What is copied or converted here touches the disk encrypted only (`*.sealed`). What other programs drop is
theirs, and as they wrote it, until ingest is done with it.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from itertools import batched
from pathlib import Path
from typing import BinaryIO

from letterpress.atomic_file import sync_path
from letterpress.errors import DamagedCopyError
from letterpress.events.native import SUFFIXES
from letterpress.lake.masking import mask_name
from letterpress.lake.sealed import open_sealed, sealing
from letterpress.lake.service_log import received_from
from letterpress.lake.tenant_keys import NO_TENANT, TenantKeys
from letterpress.settings import Home

TRUTH = "truth"
"""What a simulation lays beside its log, in landing too when it writes there; nobody here reads it."""
SEALED = ".sealed"
_COPY_BYTES = 1 << 20
_UNSTAMPED = datetime.min.replace(tzinfo=UTC)


def is_landing_name(name: str) -> bool:
    """Whether ingest takes a file of this name; `*.open` and `*.tmp` are still being written."""
    return log_name(name).endswith(SUFFIXES)


def log_name(name: str) -> str:
    """The name of a landing file without the mark that it is encrypted; its end says how to read it."""
    return name.removesuffix(SEALED)


def reported_name(path: str, keys: TenantKeys) -> str:
    """What ledger and quarantine call a landing file: without personal data, and without our mark."""
    name = log_name(path)
    end = next((each for each in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(each)), "")
    return mask_name(name.removesuffix(end), keys) + end


def open_landed(home: Home, path: Path) -> BufferedReader:
    """The bytes of the landing file `path` as they were before it was landed.

    Raises:
        StorageError: it is encrypted with another key.
        DamagedCopyError: it is cut or damaged; perhaps only while it is read.
        OSError: it cannot be read.
    """
    if not path.name.endswith(SEALED):
        return path.open("rb")
    return open_sealed(path, TenantKeys(home.keys).of(NO_TENANT).encryption)


def list_landing(home: Home) -> list[Path]:
    """Files that wait for ingest, sorted by their path below landing; no truth.

    The service's log comes in the order in which it was received, whichever worker wrote it: of several
    copies of an event the first one stands.
    """
    if not home.landing.is_dir():
        return []
    found = [path for path in home.landing.rglob("*") if is_landing_name(path.name) and path.is_file()]
    logs = [path for path in found if TRUTH not in path.relative_to(home.landing).parts[:-1]]
    return sorted(logs, key=lambda path: (path.parent, received_from(path.name) or _UNSTAMPED, path.name))


def checksum(home: Home, path: Path) -> str:
    """SHA-256 of what a landing file says, whether it is encrypted or not."""
    with open_landed(home, path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def delete_landed(home: Home, path: Path, sha256: str) -> None:
    """Delete a landing file whose content is in raw or quarantine; not one that has changed since.

    It then grew while it was read, or is another file of the same name, and waits for the next ingest.
    """
    with suppress(DamagedCopyError):  # then it waits for the next ingest too, which puts it aside
        if path.is_file() and checksum(home, path) == sha256:
            path.unlink()


def land_copy(home: Home, source: Path) -> Path:
    """Copy the log `source` into landing, encrypted, complete or not at all; returns the landed file.

    Its name begins with its checksum: two logs of one name are two files, and one log landed twice is one.
    """
    with _staged(home, source.name) as staged, source.open("rb") as reader:
        while piece := reader.read(_COPY_BYTES):
            staged.write(piece)
    return staged.landed


def land_lines(home: Home, name: str, lines: Iterable[bytes]) -> Path:
    """Write `lines` (without line ends) to `*-name.jsonl.gz.sealed` in landing, complete or not at all."""
    with _staged(home, f"{name}.jsonl.gz") as staged:
        _gzip_into(staged, lines)
    return staged.landed


def write_gzip(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines to a gzip file; equal lines give equal bytes (no name and no time inside)."""
    with path.open("wb") as stream:
        _gzip_into(stream, lines)


def _gzip_into(stream: BinaryIO | _Staged, lines: Iterable[bytes]) -> None:
    with gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0) as out:
        for some in batched(lines, 4096):
            out.write(b"\n".join(some) + b"\n")


@dataclass
class _Staged:
    """What is written here is hashed as it is and encrypted on its way."""

    sealed: BinaryIO
    landed: Path
    digest: hashlib._Hash

    def write(self, piece: bytes) -> int:
        self.digest.update(piece)
        return self.sealed.write(piece)

    def flush(self) -> None:
        """For `gzip`, which asks; the whole is flushed when it is complete."""


@contextmanager
def _staged(home: Home, name: str) -> Iterator[_Staged]:
    """A file to write to; landed when the block ends well, gone when it does not."""
    keys = TenantKeys(home.keys)
    home.landing.mkdir(parents=True, exist_ok=True)
    name = reported_name(name, keys)
    path = home.landing / f".{name}.{os.getpid()}.tmp"
    try:
        with sealing(path, keys.of(NO_TENANT).encryption) as sealed:
            staged = _Staged(sealed, path, hashlib.sha256())
            yield staged
        sync_path(path)
        staged.landed = home.landing / f"{staged.digest.hexdigest()[:12]}-{name}{SEALED}"
        path.replace(staged.landed)
        sync_path(home.landing)
    finally:
        path.unlink(missing_ok=True)
