"""What is served, which versions exist and how they were judged."""

from __future__ import annotations

from typing import Any

import msgspec

from letterpress.lake.ledger import ledger_path
from letterpress.orchestration.ingest_landing import watermark_texts
from letterpress.recommenders import RECOMMENDERS
from letterpress.registry.publication import published
from letterpress.registry.store import RegisteredModel, versions
from letterpress.registry.verdicts import read_verdict
from letterpress.settings import Settings


def release_status(settings: Settings) -> dict[str, Any]:
    """For every recommender the served model, its versions, newest last, and their verdicts.

    `watermarks` says for every tenant up to which event time its log is taken for complete,
    `keys_inside_home` whether a copy of the home carries the tenants' keys along.
    """
    home = settings.paths
    pointers = published(home)
    recommenders = {}
    for name in RECOMMENDERS:
        pointer = pointers.get(name)
        recommenders[name] = {
            "served": None if pointer is None else msgspec.to_builtins(pointer),
            "versions": [_describe(settings, model) for model in versions(home, name)],
        }
    marks = watermark_texts(settings) if ledger_path(home).is_file() else {}
    return {
        "home": str(home.root),
        "keys_inside_home": home.keys.is_relative_to(home.root),
        "recommenders": recommenders,
        "watermarks": marks,
    }


def _describe(settings: Settings, model: RegisteredModel) -> dict[str, Any]:
    verdict = read_verdict(settings.paths, model.recommender, model.version)
    return {
        "model": model.name,
        "kind": model.tags.get("kind"),
        "aliases": list(model.aliases),
        "snapshot": model.tags.get("snapshot"),
        "rolled_back": model.was_rolled_back,
        "promoted": None if verdict is None else verdict.promoted,
        "reason": None if verdict is None else verdict.reason,
        "judged_at": None if verdict is None else verdict.judged_at,
    }
