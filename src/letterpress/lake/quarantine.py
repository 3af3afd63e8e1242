"""Lines that are no events: kept whole and encrypted with the reason, so that a fix can take them back.

`quarantine/<first 16 of the file's sha256>.jsonl`, one object a line:
`{file, line, code, field, reason, quarantined_at, key, sealed}`. `sealed` is the line as it was, readable
with the key called `key`: its tenant's, if the line or the import of its log names one, else that of none.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from letterpress.errors import StorageError
from letterpress.events.codec import REASONS, MalformedEventError
from letterpress.events.personal_data import LONGEST_IDENTIFIER
from letterpress.lake.masking import mask_name
from letterpress.lake.sealed import seal, unseal
from letterpress.lake.tenant_keys import NO_TENANT, TenantKeys
from letterpress.settings import Home

_TENANT = re.compile(rb'"tenant"\s{0,9}:\s{0,9}("(?:[^"\\]|\\.){1,1200}")', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class QuarantinedLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line that could not be read. `raw_of` gives it back."""

    file: str
    line: int
    code: str
    reason: str
    quarantined_at: datetime
    key: str
    sealed: str
    field: str | None = None


_decoder = msgspec.json.Decoder(QuarantinedLine)


@dataclass
class QuarantineWriter:
    """Collects the bad lines of one file, and writes them when the file is committed."""

    file: str
    at: datetime
    keys: TenantKeys
    lines: list[bytes] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, raw: bytes, line: int, problem: MalformedEventError) -> None:
        """Keep `raw`, or what the problem says must be kept of it.

        Raises:
            StorageError: there is no key to encrypt it with.
        """
        kept = raw if problem.raw is None else problem.raw
        key = self.keys.of(self._tenant_of(kept, problem.tenant))
        entry = QuarantinedLine(
            file=self.file,
            line=line,
            code=problem.code,
            field=None if problem.field is None else mask_name(problem.field, self.keys),
            reason=mask_name(problem.reason, self.keys),
            quarantined_at=self.at,
            key=key.key_id,
            sealed=base64.b64encode(seal(key.encryption, kept)).decode("ascii"),
        )
        self.lines.append(msgspec.json.encode(entry))
        self.codes[problem.code] += 1

    def _tenant_of(self, kept: bytes, given: str | None) -> str:
        """The tenant that the line names, else the one under which a foreign log was imported."""
        named = tenant_of_line(kept, self.keys)
        return mask_name(given, self.keys) if given is not None and named == NO_TENANT else named

    def add_damage(self, code: str, rest: bytes, line: int) -> None:
        """What is missing of a damaged file, as one line."""
        self.add(rest, line, MalformedEventError(code, None, REASONS[code]))


def tenant_of_line(raw: bytes, keys: TenantKeys) -> str:
    """The tenant that a line names, as raw would name it; `NO_TENANT` when it names none that could be."""
    found = _TENANT.search(raw)
    if found is None:
        return NO_TENANT
    try:
        name = msgspec.json.decode(found[1], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return NO_TENANT
    fits = 1 <= len(name) <= LONGEST_IDENTIFIER and _CONTROL.search(name) is None
    return mask_name(name, keys) if fits else NO_TENANT


def raw_of(line: QuarantinedLine, keys: TenantKeys) -> bytes | None:
    """The line as it was; None when its key was destroyed.

    Raises:
        StorageError: it is damaged, or its key is another one now.
    """
    key = keys.find(line.key)
    if key is None:
        return None
    return unseal(key.encryption, base64.b64decode(line.sealed))


def quarantine_path(home: Home, sha256: str) -> Path:
    """Where the bad lines of the file with this checksum lie."""
    return home.quarantine / f"{sha256[:16]}.jsonl"


def quarantine_files(home: Home) -> list[Path]:
    """All files in quarantine, sorted."""
    return sorted(home.quarantine.glob("*.jsonl"))


def read_quarantine_file(path: Path) -> Iterator[tuple[bytes, QuarantinedLine]]:
    """The lines of one file in quarantine: as they lie there, and decoded.

    Raises:
        StorageError: a line is damaged; says which.
    """
    with path.open("rb") as stream:
        for number, text in enumerate(stream, start=1):
            try:
                yield text, _decoder.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StorageError(
                    f"expected a quarantined line in line {number} of {path}, found it damaged ({error}). "
                    "Restore the file from a backup, or move it away: its lines are then lost, raw is not."
                ) from error


def read_quarantine(home: Home) -> Iterator[QuarantinedLine]:
    """All lines in quarantine, file by file.

    Raises:
        StorageError: a file is damaged.
    """
    for path in quarantine_files(home):
        yield from (line for _, line in read_quarantine_file(path))
