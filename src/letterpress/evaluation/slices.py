"""Whether a challenger harms a part of the traffic, with the parts of one kind pooled partially.

Many small slices make some look harmed by chance. Each is drawn to the mean of its kind by as much as its
own noise deserves (empirical Bayes; DerSimonian and Laird, 1986, for the spread between slices). So that
pooling hides no loss either, a slice that is harmed beyond doubt by its own slates, counting how many
slices were looked at, is harmed too.

What labels rest on, such as how far positions are examined, errs for all slices of a kind alike. No pooling
makes that smaller, so it is added to the errors after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FEWEST_CLUSTERS = 5
PRIOR_CLUSTERS = 20
_NORMAL = NormalDist()
OwnEffect = tuple[str, int, float, float]
"""Label, clusters, relative gain and its standard error."""


@dataclass(frozen=True, slots=True)
class SliceEffect:
    """The relative gain of the challenger in one slice: by its own slates, and pooled with its kind.

    Both errors hold how much better the slice would fare at the bounds of what labels rest on.
    """

    kind: str
    label: str
    clusters: int
    own: float
    own_error: float
    pooled: float
    pooled_error: float
    is_harmed: bool

    def as_numbers(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}


def measure_slices(
    champion: Floats,
    challenger: Floats,
    clusters: NDArray[np.integer],
    kinds: Mapping[str, NDArray[np.str_]],
    *,
    epsilon: float,
    alpha: float = 0.025,
    bounds: Sequence[tuple[Floats, Floats]] = (),
) -> list[SliceEffect]:
    """The effect in every slice of five clusters or more; smaller ones cannot be told from noise.

    `champion` and `challenger` are what each gained on every slate `(n,)`, `kinds` names a labelling `(n,)`
    of slates (industry, device, ...); an empty label is no slice. A slice is harmed when the upper bound
    of its relative gain is below `-epsilon`. `bounds` are champion and challenger as they would be at the
    bounds of what their labels rest on.

    >>> champion, labels = np.ones(400), np.repeat(["phone", "desk"], 200)
    >>> noise = np.random.default_rng(1).normal(0, 0.01, 400)
    >>> found = measure_slices(champion, champion + np.where(labels == "desk", -0.1, 0.1) + noise,
    ...                        np.arange(400), {"device": labels}, epsilon=0.005)
    >>> [(each.label, each.is_harmed) for each in found]
    [('desk', True), ('phone', False)]
    """
    measured, *moved = (
        {kind: _effects_of(*pair, clusters, labels) for kind, labels in kinds.items()}
        for pair in ((champion, challenger), *bounds)
    )
    looks = max(1, sum(map(len, measured.values())))
    return [
        effect
        for kind, found in measured.items()
        if found
        for effect in _judge_kind(
            kind, found, [each[kind] for each in moved], epsilon=epsilon, alpha=alpha, looks=looks
        )
    ]


def _effects_of(
    champion: Floats, challenger: Floats, clusters: NDArray[np.integer], labels: NDArray[np.str_]
) -> list[OwnEffect]:
    return [
        (str(label), *own_effect)
        for label in np.unique(labels[labels != ""])
        if (own_effect := _own_effect(champion, challenger, clusters, labels == label)) is not None
    ]


def _judge_kind(
    kind: str,
    found: list[OwnEffect],
    moved: list[list[OwnEffect]],
    *,
    epsilon: float,
    alpha: float,
    looks: int,
) -> list[SliceEffect]:
    counts, own, errors = _columns(found)
    pooled, pooled_errors = pool(own, errors)
    own_up, pooled_up = np.zeros_like(own), np.zeros_like(own)
    for each in moved:
        _, own_there, errors_there = _columns(each)
        own_up = np.maximum(own_up, own_there - own)
        pooled_up = np.maximum(pooled_up, pool(own_there, errors_there)[0] - pooled)
    errors = np.hypot(errors, own_up / _NORMAL.inv_cdf(0.975))
    pooled_errors = np.hypot(pooled_errors, pooled_up / _NORMAL.inv_cdf(0.975))
    strict = _student(1 - alpha / looks, counts + PRIOR_CLUSTERS - 1)
    harmed = (pooled + _NORMAL.inv_cdf(1 - alpha) * pooled_errors < -epsilon) | (
        own + strict * errors < -epsilon
    )
    return [
        SliceEffect(
            kind=kind,
            label=label,
            clusters=count,
            own=float(own[place]),
            own_error=float(errors[place]),
            pooled=float(pooled[place]),
            pooled_error=float(pooled_errors[place]),
            is_harmed=bool(harmed[place]),
        )
        for place, (label, count, *_) in enumerate(found)
    ]


def _columns(found: list[OwnEffect]) -> tuple[Floats, Floats, Floats]:
    """Clusters, relative gains and moderated errors `(n,)`."""
    counts, own, raw_errors = (np.array([each[place] for each in found], dtype=float) for place in (1, 2, 3))
    return counts, own, moderate(raw_errors, counts)


def _student(level: float, degrees: Floats) -> Floats:
    """Quantiles of Student's t, near enough above 20 degrees (first term of Cornish and Fisher)."""
    normal = _NORMAL.inv_cdf(level)
    return np.asarray(normal + (normal**3 + normal) / (4 * degrees), dtype=np.float64)


def moderate(errors: Floats, counts: Floats) -> Floats:
    """Standard errors `(n,)` mixed with those of their kind as if it brought 20 clusters more to each.

    A dozen clusters know their own noise badly, and one that finds it small by chance seems sure of harm.

    >>> moderate(np.array([0.0, 0.2]), np.array([20.0, 20.0])).round(4).tolist()
    [0.1, 0.1732]
    """
    each = errors**2 * counts
    shared = float((each * counts).sum() / counts.sum())
    return np.asarray(
        np.sqrt((PRIOR_CLUSTERS * shared + counts * each) / (PRIOR_CLUSTERS + counts) / counts), np.float64
    )


def _own_effect(
    champion: Floats, challenger: Floats, clusters: NDArray[np.integer], chosen: NDArray[np.bool_]
) -> tuple[int, float, float] | None:
    """Clusters, relative gain and its standard error (linearised, by cluster) of the chosen slates."""
    _, codes = np.unique(clusters[chosen], return_inverse=True)
    count = int(codes.max(initial=-1)) + 1
    gained = float(champion[chosen].sum())
    if count < FEWEST_CLUSTERS or gained <= 0:
        return None
    gain = float(challenger[chosen].sum()) / gained - 1.0
    residuals = np.bincount(codes, challenger[chosen] - (1.0 + gain) * champion[chosen])
    return count, gain, float(np.sqrt((residuals**2).sum() * count / (count - 1)) / gained)


def pool(own: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Means and errors `(n,)` drawn to their common mean by the share of noise in each.

    >>> pooled, errors = pool(np.array([0.1, -0.1]), np.array([0.1, 0.1]))
    >>> pooled.round(3).tolist()
    [0.05, -0.05]
    """
    if not len(own):
        return own, errors
    precise = 1.0 / np.maximum(errors, 1e-12) ** 2
    centre = float((precise * own).sum() / precise.sum())
    surplus = float((precise * (own - centre) ** 2).sum()) - (len(own) - 1)
    scale = float(precise.sum() - (precise**2).sum() / precise.sum())
    spread = max(0.0, surplus / scale) if scale > 0 else 0.0
    shared = 1.0 / (spread + errors**2 + 1e-24)
    centre = float((shared * own).sum() / shared.sum())
    kept = spread / (spread + errors**2 + 1e-24)
    variance = kept * errors**2 + (1.0 - kept) ** 2 / float(shared.sum())
    return centre + kept * (own - centre), np.sqrt(variance)
