"""What all gates cost beside a build of ten million rows, what they catch, and what they leave alone.

Only the cost is timed. `python -m bench.gates` measures the rest beforehand, on a machine that may be busy:
each scenario and seed is kept until the code that it depends on changes, so that it can be interrupted.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from bench.gate_drill import DAMAGE, END, RANGE, RECOMMENDER, Caught, run_drill, write_weeks_before
from bench.kept_parts import digest_of, keep_part
from bench.report import Figure, figure, write_result
from bench.synthetic_raw import BEGIN, write_raw
from letterpress.clock import ManualClock, SystemClock
from letterpress.errors import GateFailedError, NotEnoughDataError
from letterpress.lake.feature_gate_facts import write_feature_facts
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.import_logs import import_logs
from letterpress.orchestration.publish_features import publish_checked_features, publish_features
from letterpress.orchestration.run_gate import run_training_set_gate
from letterpress.settings import Settings, child_environment, read_settings

ROWS, DAYS = 10_000_000, 30
SEEDS = range(100, 150)
TABLE = Path("upworthy") / "upworthy_dev.csv.gz"
DEPENDS_ON = (
    "expectations",
    "dbt",
    *(f"src/letterpress/{room}" for room in ("events", "features", "lake", "quality", "recommenders")),
    "src/letterpress/simulation",
    "src/letterpress/orchestration/run_gate.py",
    "src/letterpress/orchestration/feature_coverage.py",
    "src/letterpress/orchestration/label_leakage.py",
    "bench/gates.py",
    "bench/gate_drill.py",
)
"""What decides whether a gate says something, of the code that is here."""
STAGES = (
    ("raw_log", "served_predictions"),
    ("features", "snapshot"),
    ("training_set",),
)
"""Gates that share a process, as the DAG tasks run them."""
_LOAD = """
from letterpress.quality.light_import import defer_statistics
defer_statistics()
import great_expectations
"""
_STAGE = """
import sys
from letterpress.orchestration.run_gate import document_gates, run_features_gate, run_log_gates
from letterpress.orchestration.run_gate import run_snapshot_gate, run_training_set_gate
from letterpress.lake.gate_views import all_hours
from letterpress.settings import read_settings
settings = read_settings()
gates = {
    "raw_log": lambda: run_log_gates(settings, all_hours(settings.paths).key),
    "served_predictions": lambda: None,
    "features": lambda: run_features_gate(settings),
    "snapshot": lambda: run_snapshot_gate(settings),
    "training_set": lambda: run_training_set_gate(settings, "image_enhancement"),
}
for gate in sys.argv[1:]:
    gates[gate]()
"""


def run(path: Path) -> None:
    """Measure and write `path`."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
        figures = measure_cost(Path(folder), ROWS, DAYS)
    figures += measure_what_is_said()
    write_result(
        path,
        figures,
        at=SystemClock().now(),
        command="make bench NAME=gates",
        note=f"{ROWS:,} slate items over {DAYS} days, written by SQL; a full build by dbt, then all gates "
        "over all of history, in the processes in which the DAGs run them: three, each loads the library. "
        f"Clean seeds: {len(SEEDS)} worlds through ingest, build, publication and all gates; a warning is an "
        "alarm too.",
    )


def measure_what_is_said() -> list[Figure]:
    """Everything that is counted and not timed; what was kept of it is not measured again."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
        figures = measure_drill(Path(folder))
        figures += measure_upworthy(Path(folder))
        figures += measure_clean_seeds(Path(folder))
    return figures


def measure_cost(folder: Path, rows: int, days: int) -> list[Figure]:
    """Seconds of a full build, and of all gates after it."""
    settings = Settings(home=folder / "large")
    write_raw(settings.paths, rows=rows, days=days)
    started = time.perf_counter()
    build_features(settings)
    built = time.perf_counter() - started
    publish_features(settings, clock=ManualClock(BEGIN.replace(year=BEGIN.year + 1)))
    loading = _seconds(settings, _LOAD)
    stages = [_seconds(settings, _STAGE, *gates) for gates in STAGES]
    print(f"build {built:.1f} s, stages {stages}, loading the library {loading:.1f} s", flush=True)
    named = zip(STAGES, stages, strict=True)
    return [
        figure(f"full build of {rows:,} slate items", built, "s"),
        *(figure(" + ".join(gates), seconds, "s") for gates, seconds in named),
        figure("loading the library, within each of them", loading, "s"),
        figure("all gates, share of the build", 100 * sum(stages) / built, "%", "< 10"),
    ]


def _seconds(settings: Settings, program: str, *arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=child_environment(settings, LETTERPRESS_HOME=str(settings.paths.root)),
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started


def measure_drill(folder: Path) -> list[Figure]:
    """How many scenarios are caught by exactly the names that the documents give."""
    weeks = cache(lambda: write_weeks_before(folder / "weeks-of-drill", seed=7))
    digest = digest_of(DEPENDS_ON)
    scenarios = [name for name in DAMAGE if name != "steady"]
    exact = 0
    for name in scenarios:
        found = keep_part(f"gates-{name}", digest, partial(_caught, name, weeks, folder / f"drill-{name}"))
        exact += found == _told(DAMAGE[name])
        print(f"{name}: {found}", flush=True)
    return [figure("damage that was not caught by its names", len(scenarios) - exact, "scenarios", "= 0")]


def _caught(scenario: str, weeks: Callable[[], Path], folder: Path) -> list[str]:
    return _told(run_drill(scenario, weeks(), folder, seed=8).caught)


def _told(caught: Caught) -> list[str]:
    return sorted(f"{severity} {name}" for name, severity in caught.items())


def measure_clean_seeds(folder: Path) -> list[Figure]:
    """Findings of all gates on worlds in which nothing is wrong."""
    weeks = cache(lambda: write_weeks_before(folder / "weeks-of-seeds", seed=7))
    digest = digest_of(DEPENDS_ON)
    alarms = 0
    for seed in SEEDS:
        measure = partial(_findings_of_clean, seed, weeks, folder / f"seed-{seed}")
        found = keep_part(f"gates-seed-{seed}", digest, measure)
        alarms += len(found)
        print(f"seed {seed}: {found or 'nothing'}", flush=True)
    return [figure(f"false alarms of all gates in {len(SEEDS)} clean seeds", alarms, "findings", "= 0")]


def _findings_of_clean(seed: int, weeks: Callable[[], Path], folder: Path) -> list[str]:
    """What the gates say of a steady world, from its log to its training set; a refusal is one finding."""
    clock = ManualClock(END)
    found: list[str] = []

    def go_on(settings: Settings) -> None:
        build_features(settings)
        gates = publish_checked_features(settings, clock=clock)["gates"]
        gates.append(run_training_set_gate(settings, RECOMMENDER, clock=clock))
        found.extend(warning["expectation"] for gate in gates for warning in gate["warnings"])

    try:
        found.extend(run_drill("steady", weeks(), folder, seed=seed, go_on=go_on).caught)
    except GateFailedError as refusal:
        found.append(str(refusal))
    shutil.rmtree(folder)
    return found


def measure_upworthy(folder: Path) -> list[Figure]:
    """Weeks of the archive that the gate on shares of A/B sends refuses."""
    reference = read_settings().reference_data or Path(__file__).resolve().parents[2] / "shared" / "data"
    table = reference / TABLE
    if not table.is_file():
        raise NotEnoughDataError(
            f"expected {TABLE} in {reference}, found none; set LETTERPRESS_REFERENCE_DATA to its folder."
        )
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    rows = pyarrow.csv.read_csv(table, parse_options=lines)
    figures: list[Figure] = []
    for name, kept, goal in (
        ("of which its authors warn", pc.invert(rows["trusted"]), ">= 10"),
        ("that they trust", rows["trusted"], "= 0"),
    ):
        part = folder / f"upworthy-{len(figures)}.csv"
        measure = partial(_refused_weeks, part, rows.filter(kept))
        weeks, refused = map(int, keep_part(f"gates-{part.stem}", digest_of(DEPENDS_ON), measure))
        print(f"Upworthy, tests {name}: {refused} of {weeks} weeks refused", flush=True)
        figures.append(figure(f"Upworthy, tests {name}: weeks refused of {weeks}", refused, "weeks", goal))
    return figures


def _refused_weeks(table: Path, tests: pa.Table) -> list[str]:
    """Weeks with experiments, and those in which the shares of arms are refused.

    The gate is not told of which tests their authors warn: it leaves those out that a log itself distrusts.
    """
    told = tests.set_column(
        tests.column_names.index("trusted"), "trusted", pa.array([True] * tests.num_rows, pa.bool_())
    )
    pyarrow.csv.write_csv(told, table)
    home = table.with_suffix("")
    settings = Settings(home=home)
    import_logs(settings, "ab-test", [str(table)], clock=ManualClock(RANGE.end))
    build_features(settings)
    facts = home / "facts.duckdb"
    write_feature_facts(settings.paths, None, facts, threads=settings.threads)
    with duckdb.connect(str(facts), read_only=True) as connection:
        found = connection.sql(
            "select count(*), count(*) filter (where share_of_alarms > 0.05) from feature_experiments"
        ).fetchall()
    return [str(number) for number in found[0]]


if __name__ == "__main__":
    print(*measure_what_is_said(), sep="\n")
