"""What the ledger says was put aside or made unreadable: lines in quarantine, and personal data in raw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from letterpress.lake.ledger import open_ledger
from letterpress.settings import Home


def quarantine_reasons(home: Home) -> dict[str, int]:
    """Lines in quarantine by reason code, most frequent first; those taken back since do not count."""
    totals: Counter[str] = Counter()
    for each in quarantined_lines(home):
        totals[each.code] += each.lines
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


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
    """By file, newest first, and reason; also those of which none is left."""
    with open_ledger(home) as ledger:
        rows = ledger.execute(
            "select max(path), sha256, code, max(lines), max(ingested_at) from reasons "
            "join files using (file_id) group by sha256, code order by max(file_id) desc, code"
        ).fetchall()
        back = {
            (file, code): int(lines)
            for file, code, lines in ledger.execute(
                "select file, code, sum(lines) from requeued group by file, code"
            )
        }
    found = []
    for path, sha256, code, lines, at in rows:
        taken = min(back.get((sha256[:16], code), 0), int(lines))
        found.append(QuarantinedLines(path, sha256, code, int(lines) - taken, taken, at))
    return found


def masked_counts(home: Home) -> list[dict[str, object]]:
    """How often which kind of personal data was found in which field, over all batches."""
    with open_ledger(home) as ledger:
        rows = ledger.execute(
            "select event, field, kind, sum(found) from masked group by event, field, kind order by 1, 2, 3"
        ).fetchall()
    return [dict(zip(("event", "field", "kind", "found"), row, strict=True)) for row in rows]
