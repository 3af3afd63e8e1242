"""What a committed batch owes is done once, and what cannot be done any more is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from letterpress.errors import StorageError
from letterpress.lake.ledger import commit_batch, finish_moves
from letterpress.settings import Home

AT = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def owed(home: Home) -> tuple[Path, Path]:
    """A staged file, and the older one that it was committed to replace."""
    staged, target = home.raw / ".staging" / "q.jsonl", home.quarantine / "q.jsonl"
    for path, text in ((staged, "new\n"), (target, "old\n")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    commit_batch(home, [], {}, [(staged, target)], AT)
    return staged, target


def test_a_move_is_done_and_owed_no_more(home: Home, owed: tuple[Path, Path]) -> None:
    assert finish_moves(home) == 1
    assert owed[1].read_text() == "new\n"
    assert finish_moves(home) == 0


def test_a_move_that_was_done_before_a_crash_is_taken_for_done(home: Home, owed: tuple[Path, Path]) -> None:
    owed[0].replace(owed[1])
    assert finish_moves(home) == 1


def test_an_older_file_is_not_taken_for_the_one_that_was_lost(home: Home, owed: tuple[Path, Path]) -> None:
    owed[0].unlink()
    with pytest.raises(StorageError, match=r"expected q.jsonl to become .*found an older one there"):
        finish_moves(home)
    owed[1].unlink()
    with pytest.raises(StorageError, match="found neither"):
        finish_moves(home)
