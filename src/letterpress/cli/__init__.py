"""The command line `letterpress`: one file a subcommand, each calling what the DAG tasks call.

Nothing is decided here. Subcommands import what they need when they run, so that `--help` is quick.
May ask every room.
"""

from letterpress.cli.application import main

__all__ = ["main"]
