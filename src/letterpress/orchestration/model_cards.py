"""Makes the card of a candidate from its bundle, its verdict, and what its recommender declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from letterpress.ranking.bundle import CALIBRATION_NAME, BundleManifest, ModelBundle
from letterpress.ranking.feature_use import feature_shares
from letterpress.recommenders import Recommender, Target
from letterpress.registry.verdicts import VerdictRecord
from letterpress.site.model_card import ModelCard, TargetState

PARTS = ("train", "valid", "test")
FEW_CAMPAIGNS = 30
"""Below this many campaigns a slice says next to nothing by itself."""


def make_model_card(declared: Recommender, bundle: ModelBundle, record: VerdictRecord) -> ModelCard:
    """The card of the version that `record` judges."""
    manifest = bundle.manifest
    training = manifest.training
    shares = sorted(feature_shares(manifest).items(), key=lambda each: (-each[1], each[0]))
    return ModelCard(
        model=record.model,
        kind=manifest.kind,
        description=declared.description,
        lineage={
            "bundle": bundle.sha256,
            "snapshot": manifest.snapshot,
            "feature schema": manifest.schema_hash,
            "seed": str(training.get("seed", "none")),
            **_begun_with(training),
        },
        split_by=training.get("split_by", "time"),
        parts={part: training[part] for part in PARTS if part in training},
        targets=[_target_state(target) for target in declared.targets],
        parameters=training.get("parameters", {}),
        features=dict(shares),
        shap=training.get("shap", {}),
        tuning=training.get("tuning", {}),
        verdict=msgspec.to_builtins(record),
        limits=list(_limits(manifest, record)),
        resiliency=training.get("resiliency"),
        position_bias=training.get("position_bias"),
    )


def _begun_with(training: Mapping[str, Any]) -> dict[str, str]:
    """Whose trees came first, where training was to go on from some."""
    begun = training.get("warm_start")
    if begun is None:
        return {}
    if begun["from"] is None:
        return {"trees begun with": "none", "because": begun["reason"]}
    return {"trees begun with": f"{begun['trees']} of {begun['from']}", "their bundle": begun["sha256"]}


def _target_state(target: Target) -> TargetState:
    if target.scale is not None:
        meaning = f"{target.numerator}, from 0 to {target.scale:g}"
    elif target.denominator is None:
        meaning = f"{target.numerator}: yes or no"
    else:
        meaning = f"{'not ' * target.is_avoided}{target.numerator} of {target.denominator}"
        if target.reference_rate < 0.5:
            worth = "nothing" if target.is_avoided else "all"
            meaning += f"; {2 * target.reference_rate:.2%} or more is worth {worth}"
    return TargetState(
        name=target.name, meaning=meaning, weight=target.weight, window_hours=target.window_hours
    )


def _limits(manifest: BundleManifest, record: VerdictRecord) -> Iterator[str]:
    """What one should know before believing the model, from the numbers of this very model."""
    if not record.promoted:
        yield "It was refused: what is served does not come from it."
    yield "Scores order the items of one slate. They are not rates: those are told beside them."
    if CALIBRATION_NAME not in manifest.files:
        yield "Its rates were never fitted: they are counted ones, drawn to what was declared."
    yield from _limits_of_data(manifest.training)
    numbers = record.numbers
    if numbers.get("popularity_stood_in_for_champion"):
        yield "The champion has other features; popularity stood in for it."
    if left_out := numbers.get("distrusted_slates"):
        yield f"{left_out:,} tests were left out of the verdict: distrusted, or with an arm that came twice."
    slices: list[Mapping[str, Any]] = numbers.get("slices") or []
    if harmed := [each["label"] for each in slices if each["is_harmed"]]:
        yield f"It harms {', '.join(harmed)}."
    if few := [each["label"] for each in slices if each["clusters"] < FEW_CAMPAIGNS]:
        yield f"Fewer than {FEW_CAMPAIGNS} test campaigns each, so hardly judged: {', '.join(few)}."


def _limits_of_position(found: Mapping[str, Any]) -> Iterator[str]:
    if not found:
        return
    if not found["freed"]:
        yield f"What was shown on top may look better to it than it is: {found['reason']}"
        return
    low, high = found["low"][-1], found["high"][-1]
    yield (
        f"A policy ordered its log. Builders look at place {len(found['seen'])} {found['seen'][-1]:.0%} "
        f"[{low:.0%}, {high:.0%}] as often as at the first, by {found['slates']:,} slates in random order; "
        "gains are divided by that."
    )


def _limits_of_data(training: Mapping[str, Any]) -> Iterator[str]:
    if training.get("split_by") == "name":
        yield "No weeks part its tests, so they were split by their names: nothing tells how it ages."
    elif "train" in training:
        first, last = (datetime.fromisoformat(training["train"][end]) for end in ("first", "last"))
        days = (last - first).total_seconds() / 86_400
        yield f"It learned from {days:.1f} days; what changes over longer times, it cannot know."
    yield from _limits_of_position(training.get("position_bias") or {})
    half_life = (training.get("resiliency") or {}).get("half_life") or {}
    if half_life.get("is_demonstrated"):
        days = half_life["days"]
        yield f"Half of what it learned no longer holds after {days:.3g} days; train it anew by then."
    if training.get("stopped_by") == "folds":
        yield "Slates were too few to hold any out: folds told how many trees, and it learned from all."
    if unripe := training.get("unripe_slates"):
        yield f"{unripe:,} slates were too young for their outcomes to be in, and were left out."
    if recomputed := training.get("recomputed_rows"):
        yield (
            f"{recomputed:,} rows have features that the service did not log; they were computed anew, "
            "as they were known at the time."
        )
