"""The last audit of served features of every recommender, and the refusal to release while it found skew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.errors import ModelRefusedError, StorageError, as_clause
from letterpress.settings import Home

AUDIT_AGAIN = "run `letterpress features --audit`"


class AuditRecord(msgspec.Struct, kw_only=True, frozen=True):
    """What was found when features that were served were computed again."""

    recommender: str
    audited_at: str
    compared: int
    """Vectors."""
    mismatches: int
    """Vectors that differ in one feature or more."""
    features: Sequence[dict[str, Any]]
    """Of each feature `name`, `compared`, `mismatches` and `worst`."""
    not_comparable: dict[str, int]
    """Vectors by reason."""
    before: AuditRecord | None = None
    """The last audit that compared something, where this one compared nothing."""

    @property
    def proven(self) -> AuditRecord:
        """What is known: this audit, or where it could compare nothing the last one that could."""
        return self if self.compared or self.before is None else self.before

    def describe(self) -> str:
        """The result in one sentence."""
        if not self.compared:
            return self._describe_unknown()
        if not self.mismatches:
            return f"{self.compared:,} vectors were computed again, and every bit was the same"
        skewed = sorted((each for each in self.features if each["mismatches"]), key=_by_frequency)
        names = ", ".join(f"{each['name']} ({each['mismatches']:,})" for each in skewed[:3])
        return (
            f"{self.mismatches:,} of {self.compared:,} vectors differ when they are computed again, "
            f"in {len(skewed)} features; first {names}"
        )

    def _describe_unknown(self) -> str:
        left_out = sum(self.not_comparable.values())
        if not left_out and self.before is None:
            return (
                "nothing to compare yet: no slate in the sample was served from a snapshot that is known here"
            )
        told = f"unknown: none of {left_out:,} sampled vectors could be compared"
        return (
            told if self.before is None else f"{told}; on {self.before.audited_at} {self.before.describe()}"
        )


def _by_frequency(feature: dict[str, Any]) -> tuple[int, str]:
    return -feature["mismatches"], feature["name"]


def audit_path(home: Home, recommender: str) -> Path:
    """Where the last audit lies."""
    return home.registry / "audits" / f"{recommender}.json"


def write_audit(home: Home, record: AuditRecord) -> AuditRecord:
    """Keep the audit in place of the last one, which is kept within it where it compared nothing itself.

    Raises:
        StorageError: the last one is needed and cannot be read.
    """
    last = None if record.compared else read_audit(home, record.recommender)
    if last is not None:
        record = msgspec.structs.replace(record, before=last.proven if last.proven.compared else None)
    text = msgspec.json.format(msgspec.json.encode(record), indent=2)
    write_atomically(audit_path(home, record.recommender), text + b"\n")
    return record


def read_audit(home: Home, recommender: str) -> AuditRecord | None:
    """The last audit; None before the first one.

    Raises:
        StorageError: the record cannot be read.
    """
    path = audit_path(home, recommender)
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=AuditRecord)
    except msgspec.DecodeError as error:
        raise StorageError(
            f"expected the record of an audit in {path}, found: {as_clause(error)}; {AUDIT_AGAIN}."
        ) from error


def require_no_skew(home: Home, recommender: str) -> None:
    """Refuse what rests on features that are served otherwise than they are computed.

    Raises:
        ModelRefusedError: the last audit that compared something found skew.
        StorageError: its record cannot be read.
    """
    record = read_audit(home, recommender)
    if record is not None and record.proven.mismatches:
        raise ModelRefusedError(
            f"{recommender}: {record.describe()}. Nothing is released until an audit finds none: mend what "
            f"serves or builds them, then {AUDIT_AGAIN}; slates older than a day are forgiven."
        )
