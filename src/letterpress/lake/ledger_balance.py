"""Counts raw and quarantine again, file by file, and holds the ledger's sums against them."""

from __future__ import annotations

from dataclasses import dataclass

from letterpress.errors import StorageError
from letterpress.lake.ledger import adjusted_rows, total_counts
from letterpress.lake.parquet_file import count_rows
from letterpress.lake.raw_store import iter_partitions
from letterpress.settings import Home


@dataclass(frozen=True, slots=True)
class Balance:
    """Rows that the ledger says there are, and rows that there are."""

    raw_expected: int
    raw_found: int
    quarantined_expected: int
    quarantined_found: int


def check_balance(home: Home) -> Balance:
    """The counts, which agree.

    Raises:
        StorageError: raw or quarantine holds more or fewer rows than the ledger says.
    """
    totals = total_counts(home)
    balance = Balance(
        raw_expected=totals["raw"] + adjusted_rows(home, "raw"),
        raw_found=count_raw(home),
        quarantined_expected=totals["quarantined"] + adjusted_rows(home, "quarantine"),
        quarantined_found=_count_quarantined(home),
    )
    for place, expected, found in (
        ("raw", balance.raw_expected, balance.raw_found),
        ("quarantine", balance.quarantined_expected, balance.quarantined_found),
    ):
        if expected != found:
            raise StorageError(
                f"expected {expected} rows in {place} as the ledger says, found {found}. Restore it from a "
                "backup; if rows of raw are gone for good, run `letterpress lake --reindex` and import their "
                "logs again."
            )
    return balance


def count_raw(home: Home) -> int:
    """Rows in raw, as the footers of its files tell.

    Raises:
        StorageError: a footer is damaged.
    """
    return sum(count_rows(path) for path in iter_partitions(home.raw))


def _count_quarantined(home: Home) -> int:
    return sum(path.read_bytes().count(b"\n") for path in home.quarantine.glob("*.jsonl"))
