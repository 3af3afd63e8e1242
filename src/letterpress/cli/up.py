"""`letterpress up`: start what runs on this machine."""

from __future__ import annotations

from letterpress.cli.output import JsonOption, print_result
from letterpress.settings import read_settings


def command(json_output: JsonOption = False) -> None:
    """Start Airflow, the ranking service and the site in the background, and say where they are."""
    from letterpress.orchestration.airflow_environment import airflow_password, airflow_url
    from letterpress.orchestration.build_site import build_site
    from letterpress.orchestration.local_services import (
        refuse_used_ports,
        service_url,
        site_url,
        start_airflow,
        start_service,
        start_site,
    )

    settings = read_settings()
    refuse_used_ports(settings)
    build_site(settings)
    start_site(settings)
    start_service(settings)
    start_airflow(settings)
    result = {
        "airflow": airflow_url(settings),
        "airflow_user": settings.airflow.user,
        "airflow_password": airflow_password(settings),
        "service": service_url(settings),
        "site": site_url(settings),
    }
    print_result(result, as_json=json_output)
