"""Lines that are no events: kept whole with the reason, so that a fix can take them back.

`quarantine/<first 16 of the file's sha256>.jsonl`, one object a line:
`{raw | raw_base64, file, line, code, field, reason, quarantined_at}`.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from letterpress.events.codec import REASONS, MalformedEventError
from letterpress.settings import Home


class QuarantinedLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line that could not be read. `raw` when it is UTF-8, `raw_base64` when it is not."""

    file: str
    line: int
    code: str
    reason: str
    quarantined_at: datetime
    field: str | None = None
    raw: str | None = None
    raw_base64: str | None = None

    @property
    def raw_bytes(self) -> bytes:
        """The line as it was."""
        return base64.b64decode(self.raw_base64) if self.raw_base64 is not None else (self.raw or "").encode()


@dataclass
class QuarantineWriter:
    """Collects the bad lines of one file, and writes them when the file is committed."""

    file: str
    at: datetime
    lines: list[bytes] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, raw: bytes, line: int, problem: MalformedEventError) -> None:
        text, coded = _as_text(raw if problem.raw is None else problem.raw)
        entry = QuarantinedLine(
            file=self.file,
            line=line,
            code=problem.code,
            field=problem.field,
            reason=problem.reason,
            quarantined_at=self.at,
            raw=text,
            raw_base64=coded,
        )
        self.lines.append(msgspec.json.encode(entry))
        self.codes[problem.code] += 1

    def add_damage(self, code: str, rest: bytes, line: int) -> None:
        """What is missing of a damaged file, as one line."""
        self.add(rest, line, MalformedEventError(code, None, REASONS[code]))


def _as_text(raw: bytes) -> tuple[str | None, str | None]:
    try:
        return raw.decode("utf-8"), None
    except UnicodeDecodeError:
        return None, base64.b64encode(raw).decode("ascii")


def quarantine_path(home: Home, sha256: str) -> Path:
    """Where the bad lines of the file with this checksum lie."""
    return home.quarantine / f"{sha256[:16]}.jsonl"


def read_quarantine(home: Home) -> Iterator[QuarantinedLine]:
    """All lines in quarantine, file by file."""
    decoder = msgspec.json.Decoder(QuarantinedLine)
    for path in sorted(home.quarantine.glob("*.jsonl")):
        with path.open("rb") as stream:
            yield from (decoder.decode(line) for line in stream)
