"""Builds the command line and turns our errors into a sentence and an exit code."""

from __future__ import annotations

import atexit
import errno
import importlib
import json
import os
import pkgutil
import sys
import tempfile
import traceback
from collections.abc import Sequence

import typer

from letterpress import cli
from letterpress.errors import BrokenError, LetterpressError, UsageError, as_clause
from letterpress.log import configure_log

INTERRUPTED = 130


def build_app() -> typer.Typer:
    """The command line with a subcommand for every module of this folder that has a `command`.

    `evaluate_policy.py` becomes `evaluate-policy`, and `import_.py` becomes `import`.
    """
    app = typer.Typer(
        name="letterpress",
        help="Recommendations for an e-mail editor: logs in, ranked slates out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    modules = (found for found in pkgutil.iter_modules(cli.__path__) if not found.name.startswith("__"))
    for found in sorted(modules, key=lambda module: module.name):
        module = importlib.import_module(f"letterpress.cli.{found.name}")
        if hasattr(module, "command"):
            app.command(found.name.rstrip("_").replace("_", "-"))(module.command)
    return app


def _report(error: LetterpressError, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": error.title, "detail": str(error), "exit_code": error.exit_code}))
    print(f"{error.title}: {error}", file=sys.stderr)
    return error.exit_code


def _report_interruption(*, as_json: bool) -> int:
    sentence = "Stopped before it was done; run the same command again."
    if as_json:
        print(json.dumps({"error": "Interrupted", "detail": sentence, "exit_code": INTERRUPTED}))
    print(sentence, file=sys.stderr)
    return INTERRUPTED


def _as_broken(error: OSError) -> BrokenError:
    if error.errno == errno.ENOSPC:
        return BrokenError(
            "the disk is full; nothing was lost. Free some space and run the same command again."
        )
    return BrokenError(
        f"{error.strerror or error}: {error.filename or 'no file named'}; mend it and run again."
    )


def _as_usage(error: typer.TyperException) -> UsageError:
    """A sentence on what is wrong with the arguments, and where the right ones are listed."""
    place = getattr(getattr(error, "ctx", None), "command_path", "letterpress")
    found = error.format_message().replace("Value error, ", "").rstrip(".")
    return UsageError(f"{found or 'expected a command, found none'}; `{place} --help` lists what there is.")


def _as_fault(error: Exception) -> LetterpressError:
    """Says where the traceback lies of an error that nobody foresaw; people need the sentence first."""
    with tempfile.NamedTemporaryFile("w", prefix="letterpress-fault-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    return LetterpressError(
        f"an error that nobody foresaw, {type(error).__name__}: {as_clause(error)}. "
        "This is a fault of Letterpress: "
        f"please report {file.name}."
    )


def _as_ours(error: Exception) -> LetterpressError:
    if isinstance(error, LetterpressError):
        return error
    if isinstance(error, OSError):
        return _as_broken(error)
    if isinstance(error, typer.TyperException):
        return _as_usage(error)
    return _as_fault(error)


def run_app(app: typer.Typer, arguments: Sequence[str]) -> int:
    """The exit code of one call: 0 done, 1 refused by a gate, 2 wrong usage, 3 something broke."""
    as_json = "--json" in arguments
    try:
        status = app(args=list(arguments), prog_name="letterpress", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort) as error:
        if isinstance(error.__cause__, EOFError):  # Typer takes it for the end of an input by hand
            return _report(_as_fault(error.__cause__), as_json=as_json)
        return _report_interruption(as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the outermost frame: Python's own exit code 1 says "refused"
        return _report(_as_ours(error), as_json=as_json)
    if status == INTERRUPTED:  # what Typer makes of Ctrl-C
        return _report_interruption(as_json=as_json)
    return status if isinstance(status, int) else 0


def _leave_quietly() -> None:
    """Drop what C libraries print after the last line of Python.

    With Great Expectations in the process, DuckDB's nanobind counts its own types as "leaked" in 30 lines;
    a test runs without this, and fails on the day it is no longer needed.
    """
    if "great_expectations" in sys.modules:
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stderr__.fileno() if sys.__stderr__ else 2)


def main() -> None:
    """Run the command line of this process."""
    atexit.register(_leave_quietly)  # registered first, it is called last
    configure_log()
    sys.exit(run_app(build_app(), sys.argv[1:]))
