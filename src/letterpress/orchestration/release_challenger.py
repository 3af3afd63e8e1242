"""The step that puts a judged winner into production, and the one that takes it back."""

from __future__ import annotations

from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import ModelRefusedError
from letterpress.log import log_step
from letterpress.recommenders import get_recommender
from letterpress.registry.audits import require_no_skew
from letterpress.registry.packaging import build_bento
from letterpress.registry.publication import publish
from letterpress.registry.store import (
    RegisteredModel,
    champion,
    make_champion,
    model_version,
    registry_lock,
    restore_previous,
)
from letterpress.registry.verdicts import VerdictRecord, read_verdict
from letterpress.settings import Settings


def release_challenger(
    settings: Settings, recommender: str, version: int, *, clock: Clock | None = None
) -> dict[str, Any]:
    """Pack the version as a Bento, make it the champion and point the service at it.

    Every part is a no-op where it is done already, so a run that was cut off is finished by the next.

    Raises:
        ModelRefusedError: its verdict refuses it, was against another champion, or it was rolled back; or
            the last audit of served features found skew; or another release or a rollback came between.
    """
    get_recommender(recommender)
    home = settings.paths
    model, verdict = model_version(home, recommender, version), read_verdict(home, recommender, version)
    standing = champion(home, recommender)
    _require_blessed(model, verdict, standing)
    if standing is None or standing.version != version:
        require_no_skew(home, recommender)
    with log_step("release_challenger", model=model.name) as counts:
        released = put_into_production(settings, model, instead_of=standing, clock=clock)
        counts.update(bento=released["bento"])
    return {**released, "reason": verdict.reason if verdict else ""}


def _require_blessed(
    model: RegisteredModel, verdict: VerdictRecord | None, standing: RegisteredModel | None
) -> None:
    judge_again = f"run `letterpress evaluate --recommender {model.recommender} --version {model.version}`."
    if verdict is None:
        raise ModelRefusedError(f"expected a verdict on {model.name}, found none; {judge_again}")
    if not verdict.promoted:
        raise ModelRefusedError(f"{model.name} is not released: {verdict.reason}")
    if model.was_rolled_back:
        raise ModelRefusedError(
            f"{model.name} was released and rolled back; train on a newer snapshot to try again."
        )
    is_champion = standing is not None and standing.version == model.version
    if standing is not None and not is_champion and verdict.champion != standing.name:
        raise ModelRefusedError(
            f"{model.name} was judged against {verdict.champion}, but the champion is {standing.name}; "
            f"{judge_again}"
        )


def put_into_production(
    settings: Settings,
    model: RegisteredModel,
    *,
    instead_of: RegisteredModel | None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Bento, alias and pointer of `model`, in this order: the service never follows a half-done release.

    `instead_of` is the champion at the time of the decision. Packing takes a while, so both the alias and
    the pointer are written only while nobody else has released or rolled back.

    Raises:
        ModelRefusedError: somebody has.
    """
    home = settings.paths
    bento = build_bento(settings, model.recommender, model.version)
    replaced = "none" if instead_of is None else instead_of.name
    make_champion(home, model.recommender, model.version, instead_of=replaced)
    with registry_lock(home):
        _require_champion(model, champion(home, model.recommender))
        publication = publish(
            home,
            recommender=model.recommender,
            version=model.version,
            bento=bento,
            bundle=model.bundle,
            clock=clock or ScaledClock(settings.paths.clock),
        )
    return {
        "recommender": model.recommender,
        "version": model.version,
        "model": model.name,
        "bento": bento,
        "bundle": publication.bundle,
        "sha256": publication.sha256,
        "published_at": publication.published_at,
    }


def _require_champion(model: RegisteredModel, standing: RegisteredModel | None) -> None:
    if standing is None or standing.version != model.version:
        found = "none" if standing is None else standing.name
        raise ModelRefusedError(
            f"expected {model.name} to be the champion still, found {found}; its pointer was left alone."
        )


def roll_back(settings: Settings, recommender: str, *, clock: Clock | None = None) -> dict[str, Any]:
    """Serve the champion before this one again.

    Raises:
        NotYetThereError: there is none to return to.
    """
    get_recommender(recommender)
    with log_step("roll_back", recommender=recommender) as counts:
        taken_back, restored = restore_previous(settings.paths, recommender)
        counts.update(taken_back=taken_back.name, restored=restored.name)
        released = put_into_production(settings, restored, instead_of=restored, clock=clock)
    return {**released, "taken_back": taken_back.name}
