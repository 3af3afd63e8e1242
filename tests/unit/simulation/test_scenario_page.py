"""The page for readers names every scenario with its sentence, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from letterpress.simulation.scenarios import SCENARIOS

PAGE = Path(__file__).parents[3] / "docs" / "simulation.md"


def test_the_page_has_the_sentences_of_all_scenarios() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == SCENARIOS
