"""Builds the command line and turns our errors into a sentence and an exit code."""

from __future__ import annotations

import errno
import importlib
import json
import pkgutil
import sys
from collections.abc import Sequence

import typer

from letterpress import cli
from letterpress.errors import BrokenError, LetterpressError, UsageError
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


def _as_broken(error: OSError) -> BrokenError:
    if error.errno == errno.ENOSPC:
        return BrokenError(
            "the disk is full; nothing was lost. Free some space and run the same command again."
        )
    return BrokenError(
        f"{error.strerror or error}: {error.filename or 'no file named'}; mend it and run again."
    )


def run_app(app: typer.Typer, arguments: Sequence[str]) -> int:
    """The exit code of one call: 0 done, 1 refused by a gate, 2 wrong usage, 3 something broke."""
    as_json = "--json" in arguments
    try:
        status = app(args=list(arguments), prog_name="letterpress", standalone_mode=False)
    except LetterpressError as error:
        return _report(error, as_json=as_json)
    except OSError as error:
        return _report(_as_broken(error), as_json=as_json)
    except typer.TyperException as error:
        return _report(UsageError(error.format_message()), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        print("Stopped before it was done; run the same command again.", file=sys.stderr)
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def main() -> None:
    """Run the command line of this process."""
    configure_log()
    sys.exit(run_app(build_app(), sys.argv[1:]))
