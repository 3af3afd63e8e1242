"""`letterpress down`: stop what `up` or `demo` started."""

from __future__ import annotations

from letterpress.cli.output import JsonOption, print_result
from letterpress.settings import read_settings


def command(json_output: JsonOption = False) -> None:
    """Stop every process that was started here, whole process groups at a time."""
    from letterpress.orchestration.local_services import stop_services

    stopped = stop_services(read_settings())
    text = f"{sum(stopped.values())} processes stopped" if any(stopped.values()) else "nothing was running"
    print_result(stopped, as_json=json_output, text=text)
