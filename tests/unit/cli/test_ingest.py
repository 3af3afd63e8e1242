from pathlib import Path

import pytest

from letterpress.cli.ingest import command
from letterpress.settings import read_settings


def test_bad_lines_are_counted_and_their_reasons_can_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path))
    landing = read_settings().paths.landing
    landing.mkdir()
    (landing / "log.jsonl").write_text("no event\n")
    command()
    said = capsys.readouterr().out
    assert f"1 to quarantine (1 not_json; kept in {tmp_path / 'quarantine'})" in said
    assert any((tmp_path / "quarantine").iterdir())
    command()
    assert "0 to quarantine\n" in capsys.readouterr().out
