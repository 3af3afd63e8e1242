"""`letterpress lake`: upkeep of the lake."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import RefusedError, UsageError

_SHOWN = 20


def command(
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare every file with its recorded checksum; 1 when one differs."),
    ] = False,
    retain: Annotated[
        bool, typer.Option("--retain", help="Let go of what is older than LETTERPRESS_RETENTION__* allow.")
    ] = False,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact", help="Make the hour files of days older than LETTERPRESS_COMPACT_AFTER_DAYS one."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Count raw and quarantine again; 3 when the ledger differs.")
    ] = False,
    reindex: Annotated[
        bool,
        typer.Option(
            "--reindex", help="Learn from raw again which events are known; read known files again."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look after the lake: exactly one of the options says how."""
    from letterpress.orchestration.look_after_lake import (
        apply_retention,
        check_ledger,
        compact_lake,
        reindex_lake,
    )
    from letterpress.orchestration.look_after_lake import verify as verify_lake
    from letterpress.settings import read_settings

    chosen = verify + retain + compact + check + reindex
    if chosen != 1:
        raise UsageError(
            "expected one of --verify, --retain, --compact, --check and --reindex, "
            f"found {chosen} of them; name one."
        )
    settings = read_settings()
    if check:
        found = check_ledger(settings)
        rows, bad = found["raw_found"], found["quarantined_found"]
        text = f"{rows} rows in raw and {bad} in quarantine, as the ledger says"
        print_result(found, as_json=as_json, text=text)
        return
    if reindex:
        made = reindex_lake(settings)
        print_result(made, as_json=as_json, text=f"{made['events']} events are known, in {made['runs']} runs")
        return
    if retain:
        done = apply_retention(settings)
        print_result(done, as_json=as_json, text=_say_retained(done))
        return
    if compact:
        made = compact_lake(settings)
        print_result(made, as_json=as_json, text=_say_compacted(made))
        return
    checked = verify_lake(settings)
    print_result(checked, as_json=as_json, text=_say_checked(checked))
    if checked["differences"]:
        raise typer.Exit(RefusedError.exit_code)


def _say_retained(done: dict[str, Any]) -> str:
    removed = ", ".join(f"{number} {event} events" for event, number in done["removed"].items())
    unlinked = ", ".join(f"{number} {event} events" for event, number in done["unlinked"].items())
    lines = [f"removed {removed or 'nothing'}; took identifiers out of {unlinked or 'nothing'}"]
    if done["ranges"]:
        lines.append(f"hours to build again: {', '.join(done['ranges'])} (ingest_events announces them)")
    return "\n".join(lines)


def _say_compacted(made: dict[str, Any]) -> str:
    if not made["days"]:
        return "no day is old enough that has hour files: nothing to compact"
    return (
        f"{len(made['days'])} days, {made['days'][0]} to {made['days'][-1]}: {made['files_before']:,} files "
        f"became {made['files_after']:,}, {made['bytes_before']:,} bytes {made['bytes_after']:,}; "
        f"{made['rows']:,} rows as before"
    )


def _say_checked(checked: dict[str, Any]) -> str:
    differences = checked["differences"]
    lines = [f"{checked['files']} files, {checked['bytes']:,} bytes: {len(differences)} differ"]
    for each in differences[:_SHOWN]:
        hours = f" (hours {each['hours']})" if each["hours"] else ""
        lines.append(
            f"{each['path']}{hours}: {each['kind']}, expected {each['expected']}, found {each['found']}"
        )
        lines.append(f"  next: {each['next_step']}")
    if len(differences) > _SHOWN:
        lines.append(f"and {len(differences) - _SHOWN} more; --json lists them all")
    return "\n".join(lines)
