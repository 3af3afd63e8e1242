"""What a recommender declares. Adding one is one file beside this, adding a target is one line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Judge = Literal["ab_test", "ndcg", "snips"]
Objective = Literal["pairwise", "pointwise", "softmax"]
Window = Literal["birth", "28d", "7d", "1d", "decayed"]
"""Since birth; so many whole days and today so far; or all of it, the older the less."""


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that a recommender optimises.

    `numerator` and `denominator` name columns of `training_examples`; a target without a denominator
    is a 0/1 label, or with a `scale` a number between 0 and that. `reference_rate` scales a rate to a gain:
    gain = min(1, rate / (2 * reference)). `window_hours` is how long its outcome may take: a slate younger
    than that is not trained on.
    """

    name: str
    numerator: str
    weight: float
    window_hours: int
    denominator: str | None = None
    reference_rate: float = 1.0
    """The usual rate of the numerator."""
    prior_trials: float = 50.0
    """Trials at the reference rate that observed rates are mixed with, so that 1 click of 2 is no 50 %."""
    is_avoided: bool = False
    """The numerator counts what should not happen: the target is that it does not."""
    scale: float | None = None
    """The numerator is a score from 0 to this, of what has some of the denominator; null is not known yet."""
    warm_up_hours: int = 0
    """Of a score that is told against what was usual before: the first hours of a log have no such past."""
    since: datetime | None = None
    """When it began to be logged: slates that were shown before say nothing of it, rather than no."""
    selected_by: str | None = None
    """The target whose event decides what gets trials at all, e.g. `chosen`: what is chosen is better than
    its features say, so rates of what was chosen are no rates of what could have been."""

    @property
    def is_choice(self) -> bool:
        """Whether it is a yes or no of who looks at a slate: the place, and what is beside it, count."""
        return self.denominator is None and self.scale is None


@dataclass(frozen=True, slots=True)
class EvidenceRate:
    """A rate that is counted of items, e.g. clicked of delivered, and what to believe before counting.

    It is read as `(numerator + prior * weight) / (denominator + weight)`: `weight` is how many
    observations the prior is worth.
    """

    name: str
    numerator: str
    denominator: str
    prior: float
    weight: float
    windows: tuple[tuple[str, tuple[Window, ...]], ...] = ()
    """For each entity the spans over which it is read too, beside that since birth."""
    half_life_days: float = 7.0
    """After how long an observation counts half in the window `decayed`."""

    def windows_of(self, entity: str) -> tuple[Window, ...]:
        """`birth`, then what is declared for `entity`."""
        return ("birth", *dict(self.windows).get(entity, ()))


@dataclass(frozen=True, slots=True)
class Gates:
    """Bars fixed before a model is judged."""

    min_training_slates: int
    min_test_slates: int
    min_test_campaigns: int = 30
    """Fewer do not tell their own spread: with two, one in five of the truly worse is promoted by chance."""
    epsilon: float = 0.005
    """The largest relative loss that a challenger may plausibly have, as a share of the champion's gain."""
    min_relative_gain: float = 0.0
    """For logs of single slots: the challenger's interval must lie this share above the champion's."""
    min_effective_sample_size: float = 0.0
    min_matched_clicks: int = 0
    min_covered: float = 0.95
    """Least share of what a policy does that the log must have done too, for the policy to be valued."""
    replaceable_schemas: tuple[str, ...] = ()
    """Schemas of champions that cannot be scored any more, and may be replaced by what beats popularity."""
    max_calibration_error: float = 0.25
    """Mean distance of told and observed rates, as a share of the observed rate: more must not be certain."""
    max_scoring_microseconds: float = 5_000.0
    """Of a request's 24 items: more and the answer itself would be late."""
    max_drift: float = 1.0
    """Stability index of campaigns between what was learnt from and what is judged on."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """How long to look for better parameters of the trees; not at all with no trials."""

    trials: int = 0
    cpu_seconds: float = 1_800.0
    """Of all threads, over all trials. No trial begins once they are spent."""


@dataclass(frozen=True, slots=True)
class Recommender:
    """One declared ranking problem. Names are those of the log, the features and the registry."""

    name: str
    description: str
    item_kind: str
    slate_size: int
    targets: tuple[Target, ...]
    feature_views: tuple[str, ...]
    judge: Judge
    gates: Gates
    objective: Objective = "pairwise"
    """Whether trees compare the items of a slate two by two, learn the gain of each, which then lies in
    0..1, or learn what share each has in the gain of its slate."""
    attributes: tuple[str, ...] = ()
    """Item attributes (numbers) that features may use."""
    vocabularies: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For each campaign label used as a feature: its known values, in a fixed order; others are missing."""
    item_vocabularies: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The same for labels of items."""
    evidence_entities: tuple[str, ...] = ("item",)
    """What features count by: `item`, `item_segment`, `enhancement_industry`, `enhancement`, `tenant` or
    `send_hour`."""
    evidence_rates: tuple[EvidenceRate, ...] = ()
    exploration: float = 0.05
    """Share of slates that are shuffled uniformly."""
    original_label: tuple[str, str] | None = None
    """The item label and its value that mark the item as it came, which lifts are told against."""
    text_label: str | None = None
    """The item label that holds the text which features may read."""
    popularity_target: str = "chosen"
    """Target whose shrunken rate is the popularity baseline and the first champion."""

    tuning: Tuning = Tuning()
    """What is spent on parameters before each training."""
    warm_start: bool = False
    """Whether training goes on from the champion's trees, where these may be built upon."""

    def __hash__(self) -> int:
        """By name: caches are asked several times a request, and all parts would be hashed each time."""
        return hash(self.name)

    @property
    def window_hours(self) -> int:
        """How old a slate must be to be learnt from; scores say by themselves what is known.

        It is the gap before slates that are judged on, too. A score of the last slates before it may rest on
        outcomes that came later: they are of slates that are learnt from, never of those judged on.
        """
        return max((target.window_hours for target in self.targets if target.scale is None), default=0)

    @property
    def reads_sessions(self) -> bool:
        """Whether its features read what the session did before the request."""
        return "session" in self.feature_views

    def target(self, name: str) -> Target:
        """The target called `name`. Raises KeyError when there is none."""
        return next(target for target in self.targets if target.name == name)

    @property
    def lift_target(self) -> Target:
        """The target whose rates lifts compare: `clicked`, or the popularity target where it has none."""
        names = [target.name for target in self.targets]
        return self.target("clicked" if "clicked" in names else self.popularity_target)
