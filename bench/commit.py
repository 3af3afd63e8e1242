"""Which commit is measured, so that what was measured on it is not measured again."""

from __future__ import annotations

import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
DONE = FOLDER.parent / ".cache" / "bench"


def current_commit() -> str:
    """The commit that is measured; empty outside a checkout, where nothing is resumed."""
    asked = subprocess.run(
        ["git", "-C", str(FOLDER), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
