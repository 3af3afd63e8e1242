"""`letterpress up`: start what runs on this machine."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.settings import Settings, read_settings

ForegroundOption = Annotated[
    bool, typer.Option("--foreground", help="Stay until asked to stop, then stop them all.")
]


def command(foreground: ForegroundOption = False, json_output: JsonOption = False) -> None:
    """Start Airflow, the ranking service and the site, and say where they are."""
    from letterpress.orchestration.build_site import build_site
    from letterpress.orchestration.local_services import (
        refuse_used_ports,
        start_airflow,
        start_service,
        start_site,
        stop_services,
    )

    settings = read_settings()
    if foreground:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    refuse_used_ports(settings)
    try:
        build_site(settings)
        start_site(settings)
        start_service(settings)
        start_airflow(settings)
        print_result(_addresses(settings), as_json=json_output)
        if foreground:
            signal.pause()
    except KeyboardInterrupt:
        stop_services(settings)
        raise


def _addresses(settings: Settings) -> dict[str, str]:
    from letterpress.orchestration.airflow_environment import airflow_password, airflow_url
    from letterpress.orchestration.local_services import service_url, site_url

    return {
        "airflow": airflow_url(settings),
        "airflow_user": settings.airflow.user,
        "airflow_password": airflow_password(settings),
        "service": service_url(settings),
        "site": site_url(settings),
    }
