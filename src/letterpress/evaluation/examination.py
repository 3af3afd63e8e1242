"""How much less a lower position is looked at, estimated from the slates whose order was left to chance.

A champion that orders the slates puts what it likes where it is seen, so raw labels praise it. A gain at a
position is worth one over the chance that the position is looked at (Joachims, Swaminathan and Schnabel,
2017). That chance is a power of the position, or one of its own for each where the log demonstrates that it
is no power; the likelihood is that of `choice_likelihood`, and intervals go by campaigns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.fitted_choices import FittedChoices, fit_choices
from letterpress.evaluation.shown_choices import ShownChoices, shown_choices

Floats = NDArray[np.float64]
Shape = Literal["power", "free"]
Bound = Literal["seen", "low", "high"]
BOUNDS: tuple[Bound, ...] = ("seen", "low", "high")
FEWEST_POSITIONS = 3
FEWEST_CAMPAIGNS = 20
NO_POWER = 0.01
"""How unlikely a power must have made the log before every position gets a chance of its own."""
_STEEPEST = 3.0
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Examination:
    """How often each position is looked at against the first, with 95 % intervals."""

    seen: tuple[float, ...]
    """From position 1 on; lower ones are looked at as seldom as the last of these."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    shape: Shape = "power"
    slates: float = 0.0
    """How many slates in random order it was learnt from."""

    @classmethod
    def by_power(cls, power: float, low: float, high: float, positions: int) -> Examination:
        """That of `position ** -power`, where the power is between `low` and `high`.

        >>> Examination.by_power(0.5, 0.4, 0.6, 4).weights(np.array([1, 4])).tolist()
        [1.0, 2.0]
        """
        places = np.arange(1.0, positions + 1)
        seen, steep, flat = (tuple((places**-each).tolist()) for each in (power, high, low))
        return cls(seen, steep, flat)

    def weights(self, positions: NDArray[np.integer], bound: Bound = "seen") -> Floats:
        """What a gain `(n,)` at each position (from 1) is worth: one over its examination, or its bound."""
        chances = np.array(getattr(self, bound))
        found: Floats = 1.0 / chances[np.clip(positions, 1, len(chances)) - 1]
        return found

    def as_numbers(self) -> dict[str, Any]:
        numbers: dict[str, Any] = {"shape": self.shape, "slates": round(self.slates)}
        return numbers | {name: [round(each, 4) for each in getattr(self, name)] for name in BOUNDS}


def estimate_examination(
    chosen: NDArray[np.bool_],
    positions: NDArray[np.integer],
    propensities: NDArray[np.floating],
    group_offsets: NDArray[np.int64],
    clusters: NDArray[np.integer],
) -> Examination:
    """The examination of the positions at which rows `(n,)` were shown; slates are of `clusters` `(g,)`.

    Raises:
        NotEnoughDataError: of slates in random order fewer than three positions have choices, or they are of
            fewer than 20 clusters.
    """
    choices = shown_choices(chosen, positions, propensities, group_offsets, clusters)
    _require_enough(choices)
    places = choices.shown.shape[1]
    as_power = np.column_stack([np.ones(places), -np.log(np.arange(1.0, places + 1))])
    power = fit_choices(choices, as_power, [-0.1, 0.5], [(-5.0, 0.0), (0.0, _STEEPEST)])
    begin = np.clip(power.log_seen, -6.0, -0.05).tolist()
    free = fit_choices(choices, np.eye(places), begin, [(-7.0, 0.0)] * places)
    shape: Shape = "free" if _is_no_power(power, free) else "power"
    return _told(free if shape == "free" else power, shape, slates=float(choices.weight.sum()))


def _is_no_power(power: FittedChoices, free: FittedChoices) -> bool:
    from scipy.stats import chi2

    more = 2 * (free.log_likelihood - power.log_likelihood)
    return bool(chi2.sf(more, len(free.log_seen) - 2) < NO_POWER)


def _told(fitted: FittedChoices, shape: Shape, *, slates: float) -> Examination:
    mean, error = fitted.against_first()
    seen, low, high = (tuple(np.exp(each).tolist()) for each in (mean, mean - _Z * error, mean + _Z * error))
    return Examination(seen, low, high, shape, slates)


def _require_enough(choices: ShownChoices) -> None:
    sure = choices.weight > 0.5
    campaigns = len(np.unique(choices.clusters[sure]))
    at_place = choices.chosen[choices.kind[sure]].sum(axis=0)
    known = np.flatnonzero(at_place > 1)
    if len(known) < FEWEST_POSITIONS or campaigns < FEWEST_CAMPAIGNS:
        raise NotEnoughDataError(
            f"expected choices at {FEWEST_POSITIONS} positions or more of slates in random order, of "
            f"{FEWEST_CAMPAIGNS} campaigns or more, found {len(known)} positions in {int(sure.sum())} such "
            f"slates of {campaigns} campaigns; log propensities, or let more of the traffic explore."
        )
