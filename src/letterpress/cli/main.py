"""Builds the command line and turns our errors into a sentence and an exit code."""

from __future__ import annotations

import errno
import importlib
import json
import pkgutil
import sys

import click
import typer

from letterpress import cli
from letterpress.errors import BrokenError, LetterpressError
from letterpress.log import configure_log

INTERRUPTED = 130
WRONG_USAGE = 2


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
    for found in sorted(pkgutil.iter_modules(cli.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"letterpress.cli.{found.name}")
        if hasattr(module, "command"):
            app.command(found.name.rstrip("_").replace("_", "-"))(module.command)
    return app


def _report(error: LetterpressError) -> int:
    if "--json" in sys.argv:
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


def main() -> None:
    """Run the command line. Exit 0 done, 1 refused by a gate, 2 wrong usage, 3 something broke."""
    configure_log()
    try:
        status = build_app()(standalone_mode=False)
    except LetterpressError as error:
        sys.exit(_report(error))
    except OSError as error:
        sys.exit(_report(_as_broken(error)))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(WRONG_USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USAGE)
    except (KeyboardInterrupt, click.Abort):
        print("Stopped before it was done; run the same command again.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)
