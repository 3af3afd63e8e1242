"""Waiting until files and renames are on disk, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from letterpress.atomic_file import sync_path

_WAITERS = 16
"""Files synced together share one journal commit: 1,363 of them took 0.15 s, one by one 2.5 s or more."""


def sync_paths(paths: Iterable[Path]) -> None:
    """Wait until the contents of all `paths` (files or folders) are on disk."""
    with ThreadPoolExecutor(_WAITERS) as pool:
        list(pool.map(sync_path, paths))
