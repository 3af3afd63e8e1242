"""What the ledger says was put aside or made unreadable: lines in quarantine, and personal data in raw."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import msgspec

from letterpress.lake.ledger import open_ledger
from letterpress.lake.quarantine import quarantine_files
from letterpress.settings import Home

DAMAGED = "damaged"
"""Stands for the reason of a line in quarantine that cannot be read; `letterpress lake --verify` names it."""


class _Reason(msgspec.Struct):
    code: str


_decoder = msgspec.json.Decoder(_Reason)


def quarantine_reasons(home: Home) -> dict[str, int]:
    """Lines in quarantine by reason code, most frequent first; those taken back since do not count."""
    totals: Counter[str] = Counter()
    for each in quarantined_lines(home):
        totals[each.code] += each.lines
    return dict(sorted((+totals).items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class QuarantinedLines:
    """How many lines of one file lie in quarantine for one reason, and how many were taken back."""

    path: str
    sha256: str
    code: str
    lines: int
    requeued: int
    ingested_at: str


def quarantined_lines(home: Home) -> list[QuarantinedLines]:
    """By file, newest first, and reason; also those of which none is left.

    What lies in quarantine is counted there: a file that was read again has other lines than at first, and
    what was forgotten is in no record. A line that is damaged has the reason `damaged`.
    """
    with open_ledger(home) as ledger:
        files = ledger.execute(
            "select sha256, max(path), max(ingested_at) from files where quarantined > 0 "
            "group by sha256 order by max(file_id) desc"
        ).fetchall()
        reasons = ledger.execute("select distinct sha256, code from reasons join files using (file_id)")
        codes = {(sha256[:16], code) for sha256, code in reasons}
        back = {
            (file, code): int(lines)
            for file, code, lines in ledger.execute(
                "select file, code, sum(lines) from requeued group by file, code"
            )
        }
    lying = _lines_by_file(home)
    by_file: dict[str, list[str]] = defaultdict(list)
    for file, code in sorted(codes | lying.keys()):
        by_file[file].append(code)
    return [
        QuarantinedLines(path, sha256, code, lying[sha256[:16], code], back.get((sha256[:16], code), 0), at)
        for sha256, path, at in files
        for code in by_file[sha256[:16]]
    ]


def _lines_by_file(home: Home) -> Counter[tuple[str, str]]:
    """How many lines lie in quarantine by file and reason."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in quarantine_files(home):
        with path.open("rb") as stream:
            for line in stream:
                try:
                    counts[path.stem, _decoder.decode(line).code] += 1
                except (msgspec.DecodeError, UnicodeDecodeError):
                    counts[path.stem, DAMAGED] += 1
    return counts


def masked_counts(home: Home) -> list[dict[str, object]]:
    """How often which kind of personal data was found in which field, over all batches."""
    with open_ledger(home) as ledger:
        rows = ledger.execute(
            "select event, field, kind, sum(found) from masked group by event, field, kind order by 1, 2, 3"
        ).fetchall()
    return [dict(zip(("event", "field", "kind", "found"), row, strict=True)) for row in rows]
