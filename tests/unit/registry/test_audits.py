"""What was proven of served features stands until something else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.errors import GateFailedError, ModelRefusedError
from letterpress.orchestration.audit_skew import report_skew
from letterpress.registry.audits import AuditRecord, read_audit, require_no_skew, write_audit
from letterpress.settings import Settings

RECOMMENDER = "image_enhancement"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def audited(day: int, compared: int, mismatches: int = 0, **not_comparable: int) -> AuditRecord:
    skewed = [{"name": "item_click_rate", "compared": compared, "mismatches": mismatches, "worst": None}]
    return AuditRecord(
        recommender=RECOMMENDER,
        audited_at=f"2026-01-{day:02}",
        compared=compared,
        mismatches=mismatches,
        features=skewed,
        not_comparable=not_comparable,
    )


def test_skew_that_was_proven_stops_releases_until_an_audit_compares_and_finds_none(
    settings: Settings,
) -> None:
    home = settings.paths
    write_audit(home, audited(1, compared=40, mismatches=7))
    for day in (2, 3):
        write_audit(home, audited(day, compared=0, past=40))
        with pytest.raises(ModelRefusedError, match=r"none of 40 .*; on 2026-01-01 7 of 40 vectors differ"):
            require_no_skew(home, RECOMMENDER)
        with pytest.raises(GateFailedError, match="item_click_rate"):
            report_skew(settings)

    write_audit(home, audited(4, compared=12))
    require_no_skew(home, RECOMMENDER)
    report_skew(settings)


def test_what_could_not_be_compared_is_unknown_and_not_equal(settings: Settings) -> None:
    write_audit(settings.paths, audited(1, compared=0, past=40))
    record = read_audit(settings.paths, RECOMMENDER)
    assert record is not None
    assert record.describe() == "unknown: none of 40 sampled vectors could be compared"
    require_no_skew(settings.paths, RECOMMENDER)

    write_audit(settings.paths, audited(2, compared=12))
    later = write_audit(settings.paths, audited(3, compared=0, past=40))
    assert later.describe().endswith(
        "on 2026-01-02 12 vectors were computed again, and every bit was the same"
    )
