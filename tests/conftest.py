"""Builders that every test may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from letterpress.clock import ManualClock
from letterpress.settings import Home, read_settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

GOLDEN = Path(__file__).parent / "data"
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


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


@pytest.fixture(scope="module")  # it keeps an event loop in this thread, which others need
def browser() -> Iterator[Browser]:
    """A headless Chromium; without one the tests fail in continuous integration and skip elsewhere."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        reason = "no Chromium on this machine; install one with: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_ARGUMENTS))
        yield opened
        opened.close()
