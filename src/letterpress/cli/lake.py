"""`letterpress lake`: upkeep of the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from letterpress.settings import Settings

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
    from letterpress.settings import read_settings

    steps = {_check: check, _reindex: reindex, _retain: retain, _compact: compact, _verify: verify}
    chosen = [step for step, is_chosen in steps.items() if is_chosen]
    if len(chosen) != 1:
        raise UsageError(
            "expected one of --verify, --retain, --compact, --check and --reindex, "
            f"found {len(chosen)} of them; name one."
        )
    found, text = chosen[0](read_settings())
    print_result(found, as_json=as_json, text=text)
    if found.get("differences"):
        raise typer.Exit(RefusedError.exit_code)


def _check(settings: Settings) -> tuple[dict[str, Any], str]:
    from letterpress.orchestration.look_after_lake import check_ledger

    found = check_ledger(settings)
    rows, bad = found["raw_found"], found["quarantined_found"]
    return found, f"{rows} rows in raw and {bad} in quarantine, as the ledger says"


def _reindex(settings: Settings) -> tuple[dict[str, Any], str]:
    from letterpress.orchestration.look_after_lake import reindex_lake

    made = reindex_lake(settings)
    return made, f"{made['events']} events are known, in {made['runs']} runs"


def _retain(settings: Settings) -> tuple[dict[str, Any], str]:
    from letterpress.orchestration.look_after_lake import apply_retention

    done = apply_retention(settings)
    return done, _say_retained(done)


def _compact(settings: Settings) -> tuple[dict[str, Any], str]:
    from letterpress.orchestration.look_after_lake import compact_lake

    made = compact_lake(settings)
    return made, _say_compacted(made)


def _verify(settings: Settings) -> tuple[dict[str, Any], str]:
    from letterpress.orchestration.look_after_lake import verify

    checked = verify(settings)
    return checked, _say_checked(checked)


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
