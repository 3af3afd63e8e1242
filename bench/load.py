"""Drives a server with the load generator of the reference tools, compiled when it is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from letterpress.errors import BrokenError
from letterpress.settings import Settings

_FIELD = re.compile(r"([a-z0-9_.]+)=([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of the load generator saw. Times in milliseconds, from when a request was due."""

    done: int
    errors: int
    per_second: float
    p50: float
    p99: float
    max: float


def compile_generator(settings: Settings, folder: Path) -> Path:
    """The compiled load generator in `folder`.

    Raises:
        BrokenError: its source or a C compiler is missing; says what to do.
    """
    data = settings.reference_data or settings.project.parent / "shared" / "data"
    source = data.parent / "tools" / "loadgen.c"
    if not source.exists():
        raise BrokenError(
            "expected the load generator loadgen.c in the folder tools beside the reference data, found "
            "nothing; set LETTERPRESS_REFERENCE_DATA to the reference data's folder."
        )
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise BrokenError("expected a C compiler, found none; run `apt-get install -y gcc libc6-dev`.")
    program = folder / "loadgen"
    subprocess.run([compiler, "-O2", "-w", "-o", str(program), str(source)], check=True)
    return program


def drive(
    generator: Path, port: int, bodies: Path, *, per_second: int, connections: int, seconds: float
) -> Load:
    """Send POST /v1/rank for `seconds` after one of warm-up; 0 per second means as fast as it goes."""
    arguments = [str(port), "/v1/rank", str(bodies), str(per_second), str(connections), str(seconds), "1"]
    finished = subprocess.run(
        [str(generator), *arguments], capture_output=True, text=True, check=False, timeout=seconds + 30
    )
    found = dict(_FIELD.findall(finished.stdout))
    if finished.returncode or "done" not in found:
        raise BrokenError(f"the load generator failed: {finished.stderr.strip()[:300]}")
    if finished.stderr:
        print(finished.stderr[:300])
    return Load(
        done=int(found["done"]),
        errors=int(found["err"]),
        per_second=float(found["rps"]),
        p50=float(found["p50"]),
        p99=float(found["p99"]),
        max=float(found["max"]),
    )
