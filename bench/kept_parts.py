"""Parts of a benchmark that count and are not timed: measured once for what they depend on, then kept.

They may run on a busy machine, in pieces, before the parts that are timed run on a quiet one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from letterpress.atomic_file import write_atomically

PROJECT = Path(__file__).parent.parent
KEPT = PROJECT / ".cache" / "bench-parts"
_ENDINGS = {".py", ".sql", ".yml", ".yaml"}


class _Part(msgspec.Struct):
    digest: str
    found: list[str]


def digest_of(sources: Iterable[str]) -> str:
    """A digest of the code under these paths of the checkout, by name and content."""
    whole = hashlib.sha256()
    for source in sources:
        path = PROJECT / source
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        for file in files:
            if file.suffix in _ENDINGS:
                whole.update(f"{file.relative_to(PROJECT)}\0".encode())
                whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


def keep_part(name: str, digest: str, measure: Callable[[], list[str]], *, folder: Path = KEPT) -> list[str]:
    """What `measure` finds, as texts; without asking it where the same was found for this digest before."""
    path = folder / f"{name}.json"
    if path.is_file():
        kept = msgspec.json.decode(path.read_bytes(), type=_Part)
        if kept.digest == digest:
            return kept.found
    found = measure()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.encode(_Part(digest, found)))
    return found
