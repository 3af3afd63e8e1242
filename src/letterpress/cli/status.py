"""`letterpress status`: what is served, which versions exist, how they were judged."""

from __future__ import annotations

from typing import Any

from letterpress.cli.output import JsonOption, print_result


def command(as_json: JsonOption = False) -> None:
    """Show for every recommender the served model, its versions and the last verdicts."""
    from letterpress.orchestration.release_status import release_status
    from letterpress.settings import read_settings

    status = release_status(read_settings())
    print_result(status, as_json=as_json, text=_describe(status))


def _describe(status: dict[str, Any]) -> str:
    lines = []
    for name, found in status["recommenders"].items():
        served = found["served"]
        lines.append(f"{name}: {'serves ' + served['model'] if served else 'serves nothing yet'}")
        lines += [_describe_version(version) for version in found["versions"]]
    lines += [f"{tenant}: complete up to {mark}" for tenant, mark in status["watermarks"].items()]
    if status["keys_inside_home"]:
        lines.append(
            f"the tenants' keys lie inside {status['home']}, so a copy of it carries them along: "
            "name another folder in LETTERPRESS_KEYS before there is data that matters"
        )
    return "\n".join(lines)


def _describe_version(version: dict[str, Any]) -> str:
    marks = [*version["aliases"], *(["rolled back"] if version["rolled_back"] else [])]
    marked = f" ({', '.join(marks)})" if marks else ""
    reason = f": {version['reason']}" if version["reason"] else ""
    return f"  {version['model']} {version['kind']}{marked}{reason}"
