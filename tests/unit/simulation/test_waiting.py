from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.errors import StorageError
from letterpress.simulation.waiting import WaitingEvents


def test_events_come_out_when_they_are_due_and_equal_ones_in_order() -> None:
    waiting = WaitingEvents()
    waiting.add([5, 3, 5], ['{"a":1}', '{"a":2}', '{"a":3}'])
    assert waiting.next_due == 3
    assert waiting.take(4) == [(3, '{"a":2}')]
    assert waiting.take(9) == [(5, '{"a":1}'), (5, '{"a":3}')]
    assert waiting.next_due is None


def test_what_waits_comes_back_from_disk_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "loop" / "waiting.jsonl"
    waiting = WaitingEvents()
    waiting.add([7, 2], ['{"name":"süß, {\\"x\\"}"}', '{"b":[1,2]}'])
    waiting.save(path)
    again = WaitingEvents.load(path)
    assert again.take(10) == [(2, '{"b":[1,2]}'), (7, '{"name":"süß, {\\"x\\"}"}')]
    again.save(path)
    assert not path.exists()
    assert len(WaitingEvents.load(path)) == 0


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "waiting.jsonl"
    path.write_text('{"due":1,"event":{}}\n{"due":2,"ev\n')
    with pytest.raises(StorageError, match="line 2 damaged"):
        WaitingEvents.load(path)
