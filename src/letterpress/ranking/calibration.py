"""What turns a score into rates: a table and a few weights for every target, written as JSON (ADR 0030).

The log odds of a target are a weighted sum: a constant, the table's log odds at the score, the log odds of
the item's counted rates, the logarithm of its position where the target depends on being looked at, and what
campaigns and items of this kind have more or less than others. That last part a score need not know:
it orders the items of one slate.
"""

from __future__ import annotations

import msgspec
import numpy as np

from letterpress.errors import ModelRefusedError
from letterpress.features import feature_names
from letterpress.features.evidence_view import rate_name
from letterpress.recommenders import EvidenceRate, Recommender, Target

UNKNOWN_SPREAD = 1.0
"""Of the log odds of a target that nothing is counted of."""
CONTEXT_SPREAD = 0.05
"""Between contexts, before any was measured: a fifth up or down is usual."""

CHOICE_SPREAD = 2.0
"""Of the log odds that a builder who looks chooses an item: a yes or no tells least of all."""

DENSE = 3
"""Inputs beside counted rates and levels: constant, table, position."""


class TargetRates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one target is predicted. Its `m` inputs: constant, table, counted rates, position, levels."""

    target: str
    is_relative: bool
    """The score is taken less the mean of the slate's: who chooses compares what is shown together."""
    looking: float | None = None
    """Of a choice: the power of the position by which fewer look, which multiplies the chance."""
    scores: tuple[float, ...]
    log_odds: tuple[float, ...]
    """The table: log odds at each of `scores`, which rise."""
    weights: tuple[float, ...]
    """`(m,)`"""
    covariance: tuple[tuple[float, ...], ...]
    """`(m, m)`: how far the weights may be off."""
    spread: float
    """Variance of the true log odds about the sum, where nothing was counted."""
    fading: float = 0.0
    """The power by which it falls with `evidence`."""
    evidence: str | None = None
    """The feature that counts the item's trials."""
    evidence_weight: float = 1.0
    selection: float = 0.0
    """How much more the log odds are of what was selected than of what was passed over."""
    facts: dict[str, float] = {}
    """What it was fitted on; empty for what is only declared."""


class Levels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A feature whose values are few: the level is the value divided by `width`, rounded down."""

    feature: str
    count: int
    width: float = 1.0


MOMENTS = (Levels("send_weekday", 7), Levels("send_hour", 8, 3.0))


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rates of all targets of a model."""

    rates: tuple[str, ...]
    """Features that are rates, whose log odds are inputs."""
    centres: tuple[float, ...]
    """What is taken off their log odds; a missing rate is worth its centre."""
    targets: tuple[TargetRates, ...]
    levels: tuple[Levels, ...] = ()
    """Each level is an input that is 1 where it is met, in this order."""

    def encode(self) -> bytes:
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def decode(cls, content: bytes) -> Calibration:
        """The calibration written by `encode`.

        Raises:
            ModelRefusedError: the bytes are none.
        """
        try:
            return msgspec.json.decode(content, type=cls)
        except msgspec.DecodeError as error:
            raise ModelRefusedError(f"expected a calibration, found: {error}; train again.") from error


def log_odds(rate: float) -> float:
    """Logarithm of the odds of a rate between 0 and 1.

    >>> log_odds(0.5)
    0.0
    """
    return float(np.log(rate / (1.0 - rate)))


def input_rates(recommender: Recommender) -> tuple[tuple[str, EvidenceRate], ...]:
    """Names of the counted rates that rates are predicted by, and how each is counted."""
    known = set(feature_names(recommender))
    pairs = [
        (rate_name(entity, rate), rate)
        for entity in recommender.evidence_entities
        for rate in recommender.evidence_rates
    ]
    return tuple((name, rate) for name, rate in pairs if name in known)


def input_levels(recommender: Recommender) -> tuple[Levels, ...]:
    """The labels of campaigns and items, and when the e-mail is sent, as far as they are features."""
    labels = (*recommender.vocabularies, *recommender.item_vocabularies)
    declared = [Levels(f"{label}_code", len(values)) for label, values in labels]
    known = set(feature_names(recommender))
    return tuple(each for each in [*declared, *MOMENTS] if each.feature in known)


def counted_rate(recommender: Recommender, target: Target) -> EvidenceRate | None:
    """The rate that is counted of items and measures `target`; None where none does."""
    wanted = (target.numerator, target.denominator or "shown")
    return next(
        (each for each in recommender.evidence_rates if (each.numerator, each.denominator) == wanted), None
    )


def declared_calibration(recommender: Recommender) -> Calibration:
    """What can be said before anything was fitted: the item's own counts, drawn to the declared prior."""
    inputs = input_rates(recommender)
    return Calibration(
        levels=input_levels(recommender),
        rates=tuple(name for name, _ in inputs),
        centres=tuple(log_odds(rate.prior) for _, rate in inputs),
        targets=tuple(declared_rates(recommender, target) for target in recommender.targets),
    )


def completed_calibration(calibration: Calibration | None, recommender: Recommender) -> Calibration:
    """The rates of all declared targets in their order: as declared where `calibration` has none of a target.

    A model that was trained before a target was declared then tells of it what is believed beforehand.
    """
    bare = declared_calibration(recommender)
    if calibration is None:
        return bare
    found = {each.target: each for each in calibration.targets}
    targets = tuple(found.get(each.target, each) for each in bare.targets)
    return msgspec.structs.replace(calibration, targets=targets)


def declared_rates(recommender: Recommender, target: Target) -> TargetRates:
    """The mean of the beta posterior of the declared prior and the item's counts.

    Its spread stays as wide as the prior's and a usual one between contexts, however much was counted: how
    far contexts differ, and who was chosen to be counted, nobody has measured yet.
    """
    rate = counted_rate(recommender, target)
    names = [name for name, _ in input_rates(recommender)]
    size = DENSE + len(names) + sum(each.count for each in input_levels(recommender))
    weights = [0.0] * size
    evidence, spread = None, UNKNOWN_SPREAD
    sign = -1.0 if target.is_avoided else 1.0
    weights[0] = sign * log_odds(min(target.reference_rate, 0.5))
    if rate is not None and rate_name("item", rate) in names:
        weights[0] = sign * log_odds(rate.prior)
        weights[2 + names.index(rate_name("item", rate))] = sign
        evidence = f"item_{rate.denominator}"
        spread = CONTEXT_SPREAD + 1.0 / (rate.weight * rate.prior * (1.0 - rate.prior))
    return TargetRates(
        target=target.name,
        is_relative=False,
        looking=0.0 if target.is_choice else None,
        scores=(0.0,),
        log_odds=(0.0,),
        weights=tuple(weights),
        covariance=((0.0,) * size,) * size,
        spread=max(spread, CHOICE_SPREAD) if target.is_choice else spread,
        evidence=evidence,
        evidence_weight=1.0 if rate is None else rate.weight,
    )
