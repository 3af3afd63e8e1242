"""Raw to marts: one dbt process with everything it needs said, and nothing written into the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from letterpress.errors import (
    AlreadyRunningError,
    BrokenError,
    GateFailedError,
    NotEnoughDataError,
    StorageError,
)
from letterpress.lake.arrivals import note_arrivals
from letterpress.lake.complete_hours import begin_build, range_to_build
from letterpress.lake.partitions import HourRange, format_hour
from letterpress.lake.raw_readers import settle_raw
from letterpress.lake.raw_schema import ANCHOR_RECOMMENDER, ensure_anchors
from letterpress.lake.whole_raw import require_whole_raw
from letterpress.log import log_step
from letterpress.orchestration.older_marts import refuse_older_marts
from letterpress.settings import Settings, child_environment

_RUN_DBT = "from dbt.cli.main import cli; cli()"
_HELD = "Conflicting lock"
_FULL = "No space left on device"
_TOO_LITTLE_MEMORY = "Out of Memory Error"
_IN_PARTS = "fct_slate_items"
"""The model that a build of all history writes in parts."""


def build_features(
    settings: Settings, range_text: str | None = None, *, full_refresh: bool = False
) -> dict[str, Any]:
    """Bring the marts up to date with raw and run the data tests; what was built, in numbers.

    `range_text` names the raw hours that changed, e.g. `2026-01-05T03--2026-01-05T04`; without it, and after
    a removal, all of history is written again.

    Raises:
        UsageError: the range is none.
        NotEnoughDataError: raw is empty.
        StorageError: a file of raw is missing; nothing was built.
        GateFailedError: a data test failed; the marts are written, nothing is published.
        AlreadyRunningError: another process writes the warehouse.
        BrokenError: a model could not be built, or the marts are of another version; rows are as they were.
    """
    changed = HourRange.parse(range_text) if range_text else None
    if not full_refresh:
        refuse_older_marts(settings)
    changed = start_build(settings, changed)
    arguments = [
        "build",
        "--exclude-resource-type",
        "unit_test",
    ]
    if full_refresh:
        arguments.append("--full-refresh")
    started = time.perf_counter()
    with log_step("build_features", range=changed.key if changed else "all") as counts:
        results = run_dbt(settings, arguments, changed)
        counts.update(models=_count(results, "model"), tests=_count(results, "test"))
    return {
        "range": changed.key if changed else None,
        "models": _count(results, "model"),
        "tests": _count(results, "test"),
        "seconds": round(time.perf_counter() - started, 3),
    }


def range_environment(changed: HourRange | None) -> dict[str, str]:
    """Which raw hours changed, as dbt finds it in its environment; empty texts mean all of history."""
    if changed is None:
        return {"RANGE_START": "", "RANGE_END": ""}
    return {"RANGE_START": format_hour(changed.start), "RANGE_END": format_hour(changed.end)}


def dbt_environment(settings: Settings) -> dict[str, str]:
    """What dbt must find in its environment: where state lives, how many threads, and to call nobody."""
    return {
        "LETTERPRESS_HOME": str(settings.paths.root),
        "LETTERPRESS_THREADS": str(settings.threads),
        "LETTERPRESS_BUILD_MEMORY": settings.build_memory,
        "LETTERPRESS_BUILD_PART_SLATES": str(slates_in_a_part(settings)),
        "LETTERPRESS_FEATURES__PUBLICATION_LAG_HOURS": str(settings.features.publication_lag_hours),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
        "DBT_LOG_PATH": str(settings.paths.log / "dbt"),
        "DBT_TARGET_PATH": str(settings.paths.airflow / "dbt" / "target"),
    }


def slates_in_a_part(settings: Settings) -> int:
    """How many slates a build of all history brings together with their reactions at once.

    >>> slates_in_a_part(Settings(build_memory="500MB")), slates_in_a_part(Settings(build_part_slates=7))
    (50000, 7)
    """
    if settings.build_part_slates is not None:
        return settings.build_part_slates
    amount, unit = int(settings.build_memory[:-2]), settings.build_memory[-2:]
    return amount * (100_000 if unit == "GB" else 100)


def start_build(settings: Settings, changed: HourRange | None) -> HourRange | None:
    """The hours to build, None for all, once raw is ready to be read; remembers what the build takes in.

    Raises:
        NotEnoughDataError: no event was ever brought into raw.
        AlreadyRunningError: another process changes raw.
        StorageError: a file of raw is missing.
    """
    require_raw_events(settings)
    require_whole_raw(settings.paths)
    note_arrivals(settings.paths, threads=settings.threads)
    to_build = range_to_build(settings.paths, changed)
    begin_build(settings.paths, to_build)
    return to_build


def require_raw_events(settings: Settings) -> None:
    """Finish what a killed process left half done in raw.

    Raises:
        NotEnoughDataError: no event was ever brought into raw.
        AlreadyRunningError: the process was not killed and still runs.
    """
    settle_raw(settings.paths)
    partitions = settings.paths.raw.glob("recommender=*/hour=*")
    if all(folder.parent.name == f"recommender={ANCHOR_RECOMMENDER}" for folder in partitions):
        raise NotEnoughDataError(
            f"expected events in {settings.paths.raw}, found none: no events in raw yet; "
            "run `letterpress import` or `letterpress ingest` first."
        )
    ensure_anchors(settings.paths.raw)


def write_manifest(settings: Settings) -> Path:
    """The path of dbt's manifest, written anew by rename: what Cosmos reads instead of the project."""
    target = settings.paths.airflow / "dbt" / "parse"
    run_dbt(settings, ["parse", "--target-path", str(target)])
    manifest = settings.paths.airflow / "dbt" / "manifest.json"
    (target / "manifest.json").replace(manifest)
    return manifest


def run_dbt(
    settings: Settings, arguments: list[str], changed: HourRange | None = None
) -> list[dict[str, Any]]:
    """Run dbt in a process of its own, because it holds the warehouse until its process ends.

    `changed` are the raw hours that changed; without them all of history is written.

    Returns a result for each node that ran, as dbt's `run_results.json` has them.
    """
    failure, results = call_dbt(settings, arguments, "run_results.json", range_environment(changed))
    if failure is not None:
        _raise_failure(results, failure, settings)
    return results


def call_dbt(
    settings: Settings, arguments: list[str], artifact: str, environment: Mapping[str, str]
) -> tuple[str | None, list[dict[str, Any]]]:
    """What dbt printed where it failed, else None; and the results in the artifact that it wrote."""
    whole = {**dbt_environment(settings), **environment}
    project = settings.project / "dbt"
    target = Path(whole["DBT_TARGET_PATH"])
    target.mkdir(parents=True, exist_ok=True)
    path = target / artifact
    path.unlink(missing_ok=True)
    places = ["--project-dir", str(project), "--profiles-dir", str(project)]
    done = subprocess.run(
        [sys.executable, "-c", _RUN_DBT, *arguments, *places],
        env=child_environment(settings, **whole),
        capture_output=True,
        text=True,
        check=False,
    )
    results = list(json.loads(path.read_text())["results"]) if path.exists() else []
    return done.stdout + done.stderr if done.returncode else None, results


def _count(results: list[dict[str, Any]], kind: str) -> int:
    return sum(each["unique_id"].startswith(f"{kind}.") for each in results)


def raise_unless_free(output: str, settings: Settings) -> None:
    """Raise AlreadyRunningError when dbt says in `output` that another process holds the warehouse."""
    if _HELD in output:
        raise AlreadyRunningError(
            f"expected {settings.paths.warehouse} to be free, found another process that writes it. "
            "Wait for the running DAG or command to end, then run this again."
        )


def _raise_failure(results: list[dict[str, Any]], output: str, settings: Settings) -> None:
    raise_unless_free(output, settings)
    if _FULL in output:
        raise StorageError(
            f"expected room on the disk of {settings.paths.root}, found it full. Nothing was lost: raw and "
            "the published snapshot are as they were. Free some space and run `letterpress features` again."
        )
    bad = [each for each in results if each["status"] in ("error", "fail")]
    if any(_TOO_LITTLE_MEMORY in str(each["message"]) for each in bad):
        names = ", ".join(each["unique_id"].split(".")[2] for each in bad)
        in_parts = f", or LETTERPRESS_BUILD_PART_SLATES to fewer than {slates_in_a_part(settings):,},"
        raise StorageError(
            f"expected {settings.build_memory} of memory to be enough to build {names}, found that it is "
            "not. Nothing was lost: raw and the published snapshot are as they were. Set "
            "LETTERPRESS_BUILD_MEMORY to what the machine can spare, e.g. 8GB"
            f"{in_parts if _IN_PARTS in names else ''} and run `letterpress features` again."
        )
    log = settings.paths.log / "dbt" / "dbt.log"
    if not bad:
        raise BrokenError(f"expected dbt to run, found: {output.strip()[-600:]} The whole log is {log}.")
    first = next((each for each in bad if each["status"] == "error"), bad[0])
    name, message = first["unique_id"].split(".")[2], " ".join(str(first["message"]).split())[:400]
    if first["status"] == "fail":
        raise GateFailedError(
            f"expected every data test to hold, found {len(bad)} that do not; first {name}: {message}. "
            f"The rows are found by the query under {settings.paths.airflow}/dbt/target/compiled; "
            "mend the log and run `letterpress features` again."
        )
    raise BrokenError(
        f"expected dbt to build {name}, found: {message}. The published snapshot stays. Run `letterpress "
        "lake --verify` to find a file that was changed, mend it or the model, and run `letterpress "
        f"features` again; the whole log is {log}."
    )
