from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.cli.replay import command
from letterpress.errors import NotYetThereError


def test_a_slate_that_nobody_logged_is_not_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(tmp_path))
    with pytest.raises(NotYetThereError, match="expected a slate 'nobodys'"):
        command("nobodys")
