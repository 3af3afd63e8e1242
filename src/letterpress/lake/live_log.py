"""The service's log files once more, by hard links: what live counts are made of until a snapshot has it.

A worker links a file before it writes to it, under the name that it will be landed by. So ingest may take
and delete the landed one at any time, and a worker that starts finds everything that is not in a snapshot.
"""

from __future__ import annotations

import contextlib
import secrets
from datetime import datetime
from pathlib import Path

from letterpress.atomic_file import write_atomically
from letterpress.lake.service_log import service_log_folder
from letterpress.settings import Home

OPEN_SUFFIX = ".open"
_LOST = "lost-until"
_ERASED = "erased"
_TOKEN_BYTES = 16


def live_log_folder(live: Path) -> Path:
    """Where the links lie, below `Home.live`."""
    return live / "log"


def link_live(live: Path, path: Path) -> None:
    """Link the log file `path`, to which nothing was written yet.

    Raises:
        OSError: it cannot be linked; then nothing may be written to it.
    """
    folder = live_log_folder(live)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / path.name.removesuffix(OPEN_SUFFIX)).hardlink_to(path)


def is_growing(home: Home, name: str) -> bool:
    """Whether a worker may still write to the file of this name."""
    return (service_log_folder(home) / f"{name}{OPEN_SUFFIX}").exists()


def drop_live(home: Home, name: str) -> None:
    """Let go of a file of which snapshots hold everything."""
    (live_log_folder(home.live) / name).unlink(missing_ok=True)


def lose_live(home: Home, name: str, newest: datetime) -> None:
    """Let go of a file that is too old although no snapshot holds it; what it knew ends at `newest`."""
    before = lost_until(home)
    if before is None or newest > before:
        write_atomically(home.live / _LOST, newest.isoformat().encode())
    drop_live(home, name)


def lost_until(home: Home) -> datetime | None:
    """Counts that begin at or before this moment would miss something; None when nothing was lost."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return datetime.fromisoformat((home.live / _LOST).read_text())
    return None


def note_erased(home: Home) -> None:
    """Tell workers that lines which they may have counted are gone."""
    write_atomically(home.live / _ERASED, secrets.token_bytes(_TOKEN_BYTES))


def erased_mark(home: Home) -> tuple[int, int] | None:
    """Other numbers after every `note_erased`; None before the first."""
    with contextlib.suppress(FileNotFoundError):
        status = (home.live / _ERASED).stat()
        return status.st_ino, status.st_mtime_ns
    return None
