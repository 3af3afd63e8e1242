"""What tenants deny is declared under the home, and forgotten with them."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from letterpress.errors import StorageError
from letterpress.lake.denied_features import DENIED, change_denied, forget_denied, read_denied
from letterpress.lake.snapshot_history import HISTORY, SnapshotMark, forget_in_history, read_history
from letterpress.settings import Home

AT = datetime(2026, 1, 5, tzinfo=UTC)


def test_what_is_denied_adds_up_and_can_be_allowed_again(home: Home) -> None:
    assert read_denied(home.root) == {}
    change_denied(home, "fern", add=["warmth", "label:shared"])
    change_denied(home, "oak", add=["warmth"])
    assert change_denied(home, "fern", add=["warmth"], remove=["label:shared"]) == {
        "fern": ("warmth",),
        "oak": ("warmth",),
    }
    assert change_denied(home, "fern", remove=["warmth"]) == {"oak": ("warmth",)}


def test_a_tenant_who_is_forgotten_is_named_no_longer(home: Home) -> None:
    change_denied(home, "fern", add=["warmth"])
    change_denied(home, "oak", add=["warmth"])
    home.snapshots.mkdir(parents=True)
    mark = SnapshotMark(AT, AT, AT, {}, {"fern": ("warmth",), "oak": ("warmth",)})
    (home.snapshots / HISTORY).write_bytes(msgspec.json.encode({"a": mark}))

    forget_denied(home, "fern")
    forget_in_history(home, "fern")

    assert read_denied(home.root) == {"oak": ("warmth",)}
    assert read_history(home)["a"].denied == {"oak": ("warmth",)}
    assert b"fern" not in (home.root / DENIED).read_bytes() + (home.snapshots / HISTORY).read_bytes()


def test_a_damaged_declaration_stops_publishing_rather_than_allow_all(home: Home) -> None:
    home.root.mkdir(parents=True)
    (home.root / DENIED).write_text("{")
    with pytest.raises(StorageError, match="letterpress features --deny TENANT=FEATURE"):
        read_denied(home.root)
