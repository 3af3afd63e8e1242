"""`python -m bench [NAME ...]`: run the named benchmarks, or all, and rewrite docs/benchmarks.md.

All of them take long, so a run of all is resumed: what was measured on this very commit is not done again.
A benchmark that is named is always run.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from bench.commit import DONE, current_commit
from bench.report import write_document
from letterpress.errors import LetterpressError
from letterpress.log import configure_log

FOLDER = Path(__file__).parent
NAMES = tuple(
    path.stem.replace("_", "-")
    for path in sorted(FOLDER.glob("*.py"))
    if "\ndef run(" in path.read_text(encoding="utf-8")
)
RESULTS = FOLDER / "results"
DOCUMENT = FOLDER.parent / "docs" / "benchmarks.md"
WRONG_USAGE = 2


def measure(name: str, commit: str) -> None:
    """Run one benchmark, remember that it was done, and rewrite the document."""
    importlib.import_module(f"bench.{name.replace('-', '_')}").run(RESULTS / f"{name}.json")
    write_document(RESULTS, DOCUMENT)
    DONE.mkdir(parents=True, exist_ok=True)
    (DONE / name).write_text(commit, encoding="utf-8")


def is_done(name: str, commit: str) -> bool:
    marker = DONE / name
    return bool(commit) and marker.is_file() and marker.read_text(encoding="utf-8") == commit


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in NAMES]:
        print(f"expected one of {', '.join(NAMES)}; found {', '.join(unknown)}.", file=sys.stderr)
        return WRONG_USAGE
    configure_log()
    commit = current_commit()
    try:
        for name in names or NAMES:
            if not names and is_done(name, commit):
                print(f"{name} was measured on this commit; `make bench NAME={name}` does it again.")
                continue
            measure(name, commit)
    except LetterpressError as error:
        print(f"{error.title}: {error}", file=sys.stderr)
        return error.exit_code
    print(DOCUMENT.read_text())
    return 0


sys.exit(main(sys.argv[1:]))
