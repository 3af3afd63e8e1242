"""Where the service logs, and what the name of one of its files says of the events inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from letterpress.settings import Home

_NAME = re.compile(r"^\d+-(\d+)-\d+\.jsonl(?:\.open)?$")


def service_log_folder(home: Home) -> Path:
    """The folder that every worker logs into; ingest takes what is landed there."""
    return home.landing / "service"


def log_file_name(process: int, received_from: datetime, number: int) -> str:
    """The name of a landed log file of which no event was received before `received_from`.

    >>> log_file_name(17, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), 2)
    '17-1000000-2.jsonl'
    """
    return f"{process}-{round(received_from.timestamp() * 1e6)}-{number}.jsonl"


def received_from(name: str) -> datetime | None:
    """The moment that `log_file_name` was given; None for a file of another program."""
    found = _NAME.match(name)
    return None if found is None else datetime.fromtimestamp(int(found[1]) / 1e6, UTC)


def stamps_of_waiting(home: Home) -> Iterator[datetime]:
    """For every log file that is open, or landed and not yet read, the moment that its name holds."""
    for path in service_log_folder(home).glob("[!.]*"):
        stamp = received_from(path.name)
        if stamp is not None:
            yield stamp
