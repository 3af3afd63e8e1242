"""What `letterpress status` says of the home itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from letterpress.cli.application import build_app, run_app


@pytest.mark.parametrize(("folder", "is_inside"), [("home/keys", True), ("elsewhere", False)])
def test_keys_that_a_copy_of_the_home_carries_along_are_told_of(
    folder: str,
    is_inside: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LETTERPRESS_KEYS", str(tmp_path / folder))
    assert run_app(build_app(), ["status"]) == 0
    assert ("LETTERPRESS_KEYS" in capsys.readouterr().out) is is_inside
    assert run_app(build_app(), ["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keys_inside_home"] is is_inside
