"""Standard error belongs to sentences, also after the last line of Python."""

import subprocess
import sys

IMPORTS = "import great_expectations, duckdb_engine"
OURS = f"""
import sys
sys.argv[1:] = ["status", "--help"]
{IMPORTS}
from letterpress.cli import main
main()
"""


def last_words(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr


def test_duckdb_counts_its_types_as_leaked_and_our_command_line_drops_that() -> None:
    assert "nanobind: leaked" in last_words(IMPORTS), "no longer needed: remove _leave_quietly"
    assert last_words(OURS) == ""
