"""Great Expectations loads without statistics that no suite asks for; they are there when asked for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from letterpress.quality.light_import import DEFERRED, defer_statistics
defer_statistics()
defer_statistics()
import great_expectations
print("scipy.stats._stats_py" in sys.modules)
from scipy import stats
print(stats.norm.cdf(0.0), "scipy.stats._stats_py" in sys.modules)
"""


def test_statistics_are_loaded_when_something_asks_for_them_and_not_before() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["False", "0.5", "True"]
