"""`letterpress forget`: a tenant or a recipient, everywhere."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result


def command(
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Forget this tenant, or a recipient of this tenant only.")
    ] = None,
    recipient: Annotated[
        str | None, typer.Option("--recipient", help="Unlink this recipient: its events stay as counts.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what raw and quarantine hold; change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a tenant or unlink a recipient in all that is kept; writes a certificate without its name."""
    from letterpress.lake.subject import Subject
    from letterpress.orchestration.build_site import build_site
    from letterpress.orchestration.forget import forget
    from letterpress.settings import read_settings

    settings = read_settings()
    done = forget(settings, Subject(tenant, recipient), dry_run=dry_run)
    if not dry_run:
        build_site(settings)
    print_result(done, as_json=as_json, text=_say(done))


def _say(done: dict[str, Any]) -> str:
    numbers = (
        f"raw: {done['raw_removed']} rows removed, {done['raw_unlinked']} unlinked, "
        f"{done['raw_overwritten']} with texts overwritten; "
        f"quarantine: {done['quarantine_removed']} lines removed"
    )
    if done.get("dry_run"):
        return f"would change {numbers}"
    lines = [numbers]
    if done["rebuilt"]:
        lines.append(f"warehouse {done['rebuilt']['warehouse']}")
        if done["rebuilt"]["snapshot"]:
            lines.append(f"snapshot {done['rebuilt']['snapshot']}")
    lines += [f"learned from it: {each['model']}" for each in done["models"]]
    lines += [f"to train again: letterpress train --recommender {each}" for each in done["retrain"]]
    lines += [
        f"a running service still writes {path}; run this again when it has landed"
        for path in done["still_open"]
    ]
    lines += [f"still named in {path}" for path in done["left"]]
    return "\n".join([*lines, f"certificate: {done['certificate']}"])
