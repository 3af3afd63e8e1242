"""The step that computes served features again and keeps what it found: a gate for whatever is released."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from letterpress.clock import Clock, ScaledClock
from letterpress.datasets.skew_audit import audit_features
from letterpress.errors import GateFailedError
from letterpress.lake.arrivals import ByHour, count_arrivals
from letterpress.log import log_step, logger
from letterpress.orchestration.feature_coverage import SLOW_VIEWS
from letterpress.recommenders import RECOMMENDERS, Recommender
from letterpress.registry.audits import AuditRecord, read_audit, write_audit
from letterpress.settings import Settings
from letterpress.site.skew_page import SkewState, write_skew_page

VECTORS = 20_000
"""Most vectors of a recommender in one audit."""


def audit_skew(settings: Settings, *, vectors: int = VECTORS, clock: Clock | None = None) -> dict[str, Any]:
    """Audit every recommender, keep the records, write the page; what was compared and what differs.

    Raises:
        StorageError: raw or the history of snapshots cannot be read.
    """
    home, started = settings.paths, time.perf_counter()
    now = (clock or ScaledClock(home.clock)).now().isoformat()
    with log_step("audit_skew") as counts:
        arrivals = count_arrivals(home, threads=settings.threads)
        found = [_audit(settings, each, arrivals, vectors, now) for each in RECOMMENDERS.values()]
        records = [write_audit(home, record) for record in found]
        _warn_of_unknown(records)
        write_skew_page(home.site, SkewState(audited_at=now, records=records))
        compared = sum(each.compared for each in records)
        mismatches = sum(each.mismatches for each in records)
        counts.update(compared=compared, mismatches=mismatches)
    return {
        "compared": compared,
        "mismatches": mismatches,
        "seconds": round(time.perf_counter() - started, 3),
        "recommenders": [msgspec.to_builtins(each) for each in records],
    }


def _audit(
    settings: Settings, recommender: Recommender, arrivals: ByHour, vectors: int, now: str
) -> AuditRecord:
    most = min(vectors, *(SLOW_VIEWS.get(view, vectors) for view in recommender.feature_views))
    found = audit_features(settings.paths, recommender, arrivals, most=most, threads=settings.threads)
    return AuditRecord(
        recommender=found.recommender,
        audited_at=now,
        compared=found.compared,
        mismatches=found.mismatches,
        features=[msgspec.to_builtins(each) for each in found.features],
        not_comparable=found.not_comparable,
    )


def _warn_of_unknown(records: list[AuditRecord]) -> None:
    for record in records:
        if record.not_comparable and not record.compared:
            logger.warning("audit_skew recommender=%s %s", record.recommender, record.describe())


def report_skew(settings: Settings) -> None:
    """Fail where the last audit of any recommender that compared something found skew.

    Raises:
        GateFailedError: it did; says in which features.
    """
    records = [read_audit(settings.paths, name) for name in RECOMMENDERS]
    skewed = [each for each in records if each is not None and each.proven.mismatches]
    if skewed:
        told = "; ".join(f"{each.recommender}: {each.describe()}" for each in skewed)
        raise GateFailedError(
            f"{told}. Nothing of it is released; the page skew.html of the site shows an example of each."
        )
