"""`letterpress train`: a snapshot to a registered challenger."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result


def command(
    recommender: Annotated[str, typer.Option(help="Name of the recommender.")],
    snapshot: Annotated[
        str | None, typer.Option(help="Snapshot to train on; the current one if left out.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=0, help="Sets of parameters to try first; as declared if left out.")
    ] = None,
    cpu_seconds: Annotated[
        float | None, typer.Option(min=0, help="No trial begins after these; as declared if left out.")
    ] = None,
    warm_start: Annotated[
        bool | None,
        typer.Option("--warm-start/--no-warm-start", help="Go on from the champion's trees, or do not."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a challenger and register it; the same snapshot gives the same version."""
    from letterpress.orchestration.train_challenger import TrainingWishes, train_challenger
    from letterpress.settings import read_settings

    wishes = TrainingWishes(trials, cpu_seconds, warm_start)
    trained = train_challenger(read_settings(), recommender, snapshot, wishes)
    print_result(trained, as_json=as_json, text=_describe(trained))


def _describe(trained: dict[str, Any]) -> str:
    strongest = ", ".join(f"{name} {share:.0%}" for name, share in list(trained["importance"].items())[:5])
    slates = ", ".join(f"{trained[part]['slates']} to {part}" for part in ("train", "valid", "test"))
    trees = f"{trained['model']}: {trained['trees']} trees on {slates} (slates)"
    parted = "" if trained["split_by"] == "time" else ", split by the names of tests: no weeks part them"
    return f"{trees}{parted}; by gain: {strongest}; {_describe_age(trained['resiliency'])}"


def _describe_age(resiliency: dict[str, Any]) -> str:
    half_life = resiliency["half_life"]
    if half_life is None:
        return "how fast the data ages cannot be told"
    if not half_life["is_demonstrated"]:
        return "no decay of the data is demonstrated"
    days, low, high = (f"{half_life[name]:.3g}" for name in ("days", "low", "high"))
    return f"half-life of the data {days} days [{low}, {high}], weights {resiliency['weights']}"
