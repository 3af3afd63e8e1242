"""Builders that every test may use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from letterpress.clock import ManualClock
from letterpress.settings import Home, read_settings

GOLDEN = Path(__file__).parent / "data"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home folder."""
    return Home(root=tmp_path / "home")


@pytest.fixture
def clock() -> ManualClock:
    """Noon of the day after the golden log's."""
    return ManualClock(datetime(2026, 1, 6, 12, tzinfo=UTC))


@pytest.fixture
def golden() -> Path:
    """The folder with tiny logs."""
    return GOLDEN


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder with real logs that are not part of this repository; skips where it is absent."""
    folder = read_settings().reference_data or Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(
            f"no reference data at {folder}; set LETTERPRESS_REFERENCE_DATA to the folder that holds it"
        )
    return folder
