"""Which files a path names."""

from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.errors import UsageError
from letterpress.events.native import find_logs


def test_a_folder_stands_for_the_logs_directly_inside_it(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "c.jsonl.zst", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "d.jsonl").touch()
    assert [path.name for path in find_logs([tmp_path])] == ["a.jsonl.gz", "b.jsonl", "c.jsonl.zst"]


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "absent.jsonl"):
        with pytest.raises(UsageError):
            find_logs([path])
