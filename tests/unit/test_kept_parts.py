"""What a benchmark counted is kept for as long as the code is the same that it depends on."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import kept_parts
from bench.kept_parts import digest_of, keep_part


def test_a_part_is_measured_once_for_a_digest(tmp_path: Path) -> None:
    asked: list[str] = []

    def measure() -> list[str]:
        asked.append("asked")
        return [f"finding {len(asked)}"]

    assert keep_part("seed-1", "a", measure, folder=tmp_path) == ["finding 1"]
    assert keep_part("seed-1", "a", measure, folder=tmp_path) == ["finding 1"]
    assert keep_part("seed-1", "b", measure, folder=tmp_path) == ["finding 2"]
    assert keep_part("seed-2", "b", measure, folder=tmp_path) == ["finding 3"]


def test_a_digest_follows_code_by_name_and_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_parts, "PROJECT", tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.py").write_text("one = 1")
    first = digest_of(["room"])
    (tmp_path / "room" / "notes.txt").write_text("no code")
    assert digest_of(["room"]) == digest_of(["room/a.py"]) == first
    (tmp_path / "room" / "a.py").write_text("one = 2")
    second = digest_of(["room"])
    (tmp_path / "room" / "a.py").rename(tmp_path / "room" / "b.py")
    assert len({first, second, digest_of(["room"])}) == 3
