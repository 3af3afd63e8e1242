"""The range of a run goes into SQL, so nothing but hours may pass."""

from __future__ import annotations

import subprocess
import sys

from letterpress.orchestration.airflow_environment import airflow_environment
from letterpress.settings import Settings

ASK = """
from types import SimpleNamespace
from letterpress.errors import UsageError
from letterpress.orchestration.dbt_tasks import range_bounds

for key, params in (
    ("2026-01-05T03--2026-01-05T04", {}),
    (None, {"partition": "2026-01-05T03--2026-01-06T00"}),
    (None, {"partition": None}),
    ("2026-01-05T03", {}),
    ("2026' or true ----2026-01-05T04", {}),
    ("2026-01-05T04--2026-01-05T03", {}),
):
    try:
        print(*range_bounds(SimpleNamespace(partition_key=key), params), sep=",")
    except UsageError:
        print("refused")
"""


def test_only_a_range_of_hours_reaches_dbt(settings: Settings) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        env=airflow_environment(settings),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [line for line in asked.stdout.splitlines() if not line.startswith("20") or "[" not in line]
    assert answers == [
        "2026-01-05T03,2026-01-05T04",
        "2026-01-05T03,2026-01-06T00",
        ",",
        "refused",
        "refused",
        "refused",
    ]
