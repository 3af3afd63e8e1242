"""The folder that a simulated log is written to: a new one, or one that holds that very log."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from letterpress.atomic_file import write_atomically
from letterpress.errors import UsageError
from letterpress.events.native import SUFFIXES
from letterpress.simulation.plan import Plan
from letterpress.simulation.truth import TRUTH

PLAN = "plan.json"


def claim_folder(plan: Plan, out: Path) -> None:
    """Make `out`, and write into its `truth/plan.json` whose log it holds, so that a run can be repeated.

    Raises:
        UsageError: it is a file, or holds another log or truth: two logs would be taken for one.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"expected a folder to write to, found the file {out}; name another with --out.")
    words = json.dumps(asdict(plan) | {"start": plan.start.isoformat()}, sort_keys=True) + "\n"
    claim = out / TRUTH / PLAN
    if not claim.is_file() or claim.read_text(encoding="utf-8") != words:
        _refuse_used(out)
    write_atomically(claim, words.encode())


def _refuse_used(out: Path) -> None:
    used = [path.name for path in sorted(out.glob("*")) if path.name.endswith(SUFFIXES)]
    if (out / TRUTH).exists():
        used.append(f"{TRUTH}/")
    if used:
        raise UsageError(
            f"expected a folder without logs, found {used[0]}{' and more' if len(used) > 1 else ''} of "
            f"another simulation in {out}; name another with --out, or empty this one."
        )
