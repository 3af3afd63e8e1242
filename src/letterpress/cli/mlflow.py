"""`letterpress mlflow`: the registry in MLflow's own pages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import NotYetThereError
from letterpress.settings import child_environment, read_settings

DEFAULT_PORT = 5000


def command(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1 to listen on.")
    ] = DEFAULT_PORT,
    as_json: JsonOption = False,
) -> None:
    """Open the registry in MLflow's own pages, in the foreground until stopped."""
    from letterpress.orchestration.process_group import refuse_used_port

    settings = read_settings()
    database = settings.paths.registry / "mlflow.db"
    if not database.exists():
        raise NotYetThereError(
            f"expected a registry at {database}, found none; run `letterpress train` or `make demo`."
        )
    refuse_used_port("mlflow", port)
    program = Path(sys.executable).with_name("mlflow")
    place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = child_environment(
        settings, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", MLFLOW_DISABLE_TELEMETRY="true"
    )
    arguments = [str(program), "server", "--backend-store-uri", f"sqlite:///{database}", *place]
    print_result({"mlflow": f"http://127.0.0.1:{port}"}, as_json=as_json)
    sys.stdout.flush()
    os.execve(program, arguments, environment)  # noqa: S606  # no shell
