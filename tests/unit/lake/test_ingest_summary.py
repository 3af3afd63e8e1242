from datetime import UTC, datetime
from pathlib import Path

from letterpress.lake.ingest_summary import summarise_ingest
from letterpress.lake.ledger import FileEntry, FileReport, commit_batch
from letterpress.settings import Home


def entry(path: str, read: int, quarantined: int) -> FileEntry:
    reasons = {"not_json": quarantined} if quarantined else {}
    report = FileReport(
        path, read, raw=read - quarantined, duplicate=0, quarantined=quarantined, reasons=reasons
    )
    return FileEntry(report, sha256=path, n_bytes=1)


def test_nothing_is_said_and_no_ledger_is_made_before_the_first_ingest(tmp_path: Path) -> None:
    home = Home(root=tmp_path)

    assert summarise_ingest(home) is None
    assert not home.raw.exists()


def test_the_last_batch_stands_beside_the_total(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    home.quarantine.mkdir()
    for name, lines in (("a", 3), ("c", 1)):
        (home.quarantine / f"{name}.jsonl").write_bytes(b'{"code":"not_json"}\n' * lines)
    commit_batch(home, [entry("a", 100, 3)], {}, [], datetime(2026, 1, 5, tzinfo=UTC))
    commit_batch(home, [entry("b", 10, 0), entry("c", 5, 1)], {}, [], datetime(2026, 1, 6, tzinfo=UTC))

    summary = summarise_ingest(home)

    assert summary is not None
    assert summary["total"]["read"] == 115
    assert summary["last"]["read"] == 15
    assert summary["last"]["files"] == 2
    assert summary["last"]["ingested_at"].startswith("2026-01-06")
    assert summary["reasons"] == {"not_json": 4}
