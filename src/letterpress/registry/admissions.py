"""The records of views of features that were tried: `registry/admissions/<recommender>/<view>.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.errors import StorageError, as_clause
from letterpress.settings import Home


class AdmissionRecord(msgspec.Struct, kw_only=True, frozen=True):
    """What was found when a view was tried."""

    view: str
    recommender: str
    features: Sequence[str]
    snapshot: str
    passed: bool
    checks: Sequence[dict[str, Any]]
    """`name`, `passed`, `found` and `wanted` of each test."""
    ndcg_change: dict[str, float | int] | None
    """`mean`, `low`, `high` and `clusters`; None when there was too little to train on."""
    tried_at: str


def write_admission(home: Home, record: AdmissionRecord) -> None:
    """Keep the record in place of an older one of the same view."""
    text = msgspec.json.format(msgspec.json.encode(record), indent=2)
    path = home.registry / "admissions" / record.recommender / f"{record.view}.json"
    write_atomically(path, text + b"\n")


def read_admissions(home: Home) -> list[AdmissionRecord]:
    """All records, by recommender and view.

    Raises:
        StorageError: one cannot be read.
    """
    found = []
    for path in sorted((home.registry / "admissions").glob("*/*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=AdmissionRecord))
        except msgspec.DecodeError as error:
            raise StorageError(
                f"expected the record of an admission in {path}, found: {as_clause(error)}; try the view "
                f"again with `letterpress features --admit {path.stem}`."
            ) from error
    return found
