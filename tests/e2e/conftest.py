"""Drills are for `make drill`: too long for every run of the tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip drills unless they were asked for by their mark."""
    if "drill" in str(config.getoption("-m")):
        return
    for item in items:
        if item.get_closest_marker("drill"):
            item.add_marker(pytest.mark.skip(reason="a drill, too long for the tests; run make drill"))
