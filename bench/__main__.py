"""`python -m bench [NAME ...]`: run the named benchmarks, or all, and rewrite docs/benchmarks.md."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from bench.report import write_document
from letterpress.errors import LetterpressError
from letterpress.log import configure_log

NAMES = (
    "rank",
    "ingest",
    "judge",
    "kill",
    "lambdarank",
    "open-bandit",
    "resiliency",
    "simulate",
    "upworthy",
    "loop",
)
RESULTS = Path(__file__).with_name("results")
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
WRONG_USAGE = 2


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in NAMES]:
        print(f"expected one of {', '.join(NAMES)}; found {', '.join(unknown)}.", file=sys.stderr)
        return WRONG_USAGE
    configure_log()
    try:
        for name in names or NAMES:
            importlib.import_module(f"bench.{name.replace('-', '_')}").run(RESULTS / f"{name}.json")
    except LetterpressError as error:
        print(f"{error.title}: {error}", file=sys.stderr)
        return error.exit_code
    write_document(RESULTS, DOCUMENT)
    print(DOCUMENT.read_text())
    return 0


sys.exit(main(sys.argv[1:]))
