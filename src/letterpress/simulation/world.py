"""Who and what there is in the simulated world: tenants with their pictures, and the true effects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from letterpress.images.enhancements import VARIANTS
from letterpress.images.visual_features import VISUAL_FEATURES
from letterpress.simulation.pictures import make_picture, measure_picture

RECOMMENDER = "image_enhancement"
INDUSTRIES = ("beauty", "electronics", "fashion", "finance", "food", "home", "sports", "travel")
CAMPAIGN_TYPES = ("announcement", "newsletter", "promotion", "reactivation", "welcome")
GOALS = ("awareness", "clicks", "conversions", "retention")
SEGMENTS = ("dormant", "loyal", "new", "price_sensitive", "young_urban")
TENANTS = ("alder", "birch", "cedar", "fern", "maple", "willow")

BASE_CLICK_RATE = 0.0128
"""Of a picture's variants on average; builders choose the better ones, so that about 1.5 % of what is sent
is clicked."""
BASE_CONVERSION_RATE = 0.06
"""Of those who click."""
BASE_UNSUBSCRIBE_RATE = 0.0008
BOUNCE_RATE = 0.008
FIRST_PICTURES = 8
"""Pictures that every tenant has when the log begins."""
NEW_PICTURES = 2
"""Pictures that every tenant adds on each day of the log."""

_SPREAD = {"everywhere": 0.05, "segment": 0.14, "industry": 0.08, "campaign_type": 0.07}
"""How the standard deviation of the log click rate among the variants of one picture is shared out."""
_CHANCE_SPREAD = 0.03
"""What no visual feature explains."""
_LEARNABLE_SPREAD = 0.182
"""What they explain together, over all contexts; about 20 % between the arms of an experiment come of it."""
_TASTE_SPREAD = 1.0
_CONVERSION_SPREAD = 0.25
_UNSUBSCRIBE_SPREAD = 0.3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effects:
    """Log effects, one row an item: what the simulation knows and the pipeline must learn.

    `rate = base[tenant, segment] * exp(everywhere + chance + segment[s] + industry[i] + campaign_type[c])`
    """

    everywhere: Floats
    chance: Floats
    segment: Floats
    industry: Floats
    campaign_type: Floats
    taste: Floats
    """(n_items, n_campaign_types): what builders like beside clicks, in standard deviations."""
    conversion: Floats
    """(n_items, n_campaign_types): on the share of clicks that convert."""
    unsubscribe: Floats
    """(n_items,): on the share of recipients who unsubscribe."""
    base: Floats
    """(n_tenants, n_segments) click rates."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What scenarios may change from day to day while tenants and items stay what they are."""

    segment_shares: tuple[float, ...] = (0.2,) * len(SEGMENTS)
    campaign_type_shares: tuple[float, ...] = (0.2,) * len(CAMPAIGN_TYPES)
    mobile_share: float = 0.6
    """Mean over campaigns."""
    recency_days: float = 3.0
    """A picture is used exp(-age / recency) as often as a new one, and never less than the floor."""
    recency_floor: float = 0.05
    season_strength: float = 1.0
    """Multiplies the logarithm of what hour, weekday and time of year do to clicks."""
    bot_share: float = 0.0
    """Share of recipients that are machines, which open and click everything at once."""
    are_conversions_logged: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Items are numbered picture by picture: item = picture * len(VARIANTS) + variant."""

    seed: int
    picture_ids: list[str]
    picture_tenants: NDArray[np.int64]
    picture_days: NDArray[np.int64]
    """Day on which the picture came; 0 is the first day of the log, negative ones are older."""
    attributes: list[dict[str, float]]
    effects: Effects
    tenant_industries: NDArray[np.int64]
    """(n_tenants, 2): main and second industry."""
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def n_items(self) -> int:
        return len(self.picture_ids) * len(VARIANTS)

    def item_ids(self) -> list[str]:
        return [f"{picture}-{variant.name}" for picture in self.picture_ids for variant in VARIANTS]


Measure = Callable[[Iterable[tuple[int, int, int]]], Iterable[list[dict[str, float]]]]


def measure_numbered(number: tuple[int, int, int]) -> list[dict[str, float]]:
    """Visual features of all variants of the picture (seed, tenant, number)."""
    seed, tenant, place = number
    return measure_picture(make_picture(np.random.default_rng((seed, 1, tenant, place))))


@cache
def build_world(seed: int, days: int, new_pictures: int = NEW_PICTURES) -> World:
    """The world of `seed` with pictures for `days` days. A longer world begins with the shorter one."""
    return make_world(seed, days, new_pictures, lambda numbers: map(measure_numbered, numbers))


def make_world(seed: int, days: int, new_pictures: int, measure: Measure) -> World:
    """`build_world` with a `measure` that may share the pictures among processes; it keeps their order."""
    n_pictures = FIRST_PICTURES + new_pictures * days
    numbers = [(seed, tenant, number) for number in range(n_pictures) for tenant in range(len(TENANTS))]
    attributes = [variant for variants in measure(numbers) for variant in variants]
    rng = np.random.default_rng((seed, 2))
    industries = np.stack([rng.permutation(len(INDUSTRIES))[:2] for _ in TENANTS])
    return World(
        seed=seed,
        picture_ids=[f"{TENANTS[tenant]}-{seed}-p{number:04d}" for _, tenant, number in numbers],
        picture_tenants=np.array([tenant for _, tenant, _ in numbers]),
        picture_days=np.array([(number - FIRST_PICTURES) // new_pictures for _, _, number in numbers]),
        attributes=attributes,
        effects=_make_effects(attributes, rng, seed),
        tenant_industries=industries,
    )


def _make_effects(attributes: list[dict[str, float]], rng: np.random.Generator, seed: int) -> Effects:
    basis = _basis(attributes)

    def linear(columns: int, spread: float) -> Floats:
        return _scale(basis @ rng.normal(0.0, 1.0, (basis.shape[1], columns)), spread)

    base = BASE_CLICK_RATE * np.exp(rng.normal(0.0, 0.15, (len(TENANTS), len(SEGMENTS))))
    clicks = _share_out(
        linear(1, _SPREAD["everywhere"]),
        linear(len(SEGMENTS), _SPREAD["segment"]),
        linear(len(INDUSTRIES), _SPREAD["industry"]),
        linear(len(CAMPAIGN_TYPES), _SPREAD["campaign_type"]),
    )
    taste = linear(len(CAMPAIGN_TYPES), _TASTE_SPREAD)
    conversion = linear(len(CAMPAIGN_TYPES), _CONVERSION_SPREAD)
    unsubscribe = linear(1, _UNSUBSCRIBE_SPREAD)[:, 0]
    chance = np.random.default_rng((seed, 3)).normal(0.0, _CHANCE_SPREAD, len(attributes))
    return Effects(
        everywhere=clicks[0][:, 0],
        chance=chance,
        segment=clicks[1],
        industry=clicks[2],
        campaign_type=clicks[3],
        taste=taste,
        conversion=conversion,
        unsubscribe=unsubscribe,
        base=base,
    )


def _share_out(*parts: Floats) -> list[Floats]:
    """The parts (n_items, n_names) on one scale, so that their sum has the same spread for every seed.

    Parts that happen to point the same way would otherwise add up in one world and cancel in another.
    """
    total = np.zeros((len(parts[0][_first_items()]), 1))
    for part in parts:
        total = (total[:, :, None] + part[_first_items()][:, None, :]).reshape(len(total), -1)
    return [part * (_LEARNABLE_SPREAD / total.std()) for part in parts]


_CLICK_PARTS = ("everywhere", "segment", "industry", "campaign_type")


@lru_cache(maxsize=2)
def _other_effects(world: World) -> Effects:
    """Effects that have nothing to do with those of the world, on the same items."""
    return _make_effects(world.attributes, np.random.default_rng((world.seed, 9)), world.seed)


def turn_effects(world: World, degrees: float) -> Effects:
    """The click effects turned towards unrelated ones: 0 leaves them, 90 replaces them; the spread stays.

    Between the old and the new effects lies a correlation of cos(degrees).
    """
    if degrees == 0:
        return world.effects
    old, new, angle = world.effects, _other_effects(world), np.deg2rad(degrees)
    turned = {
        name: np.cos(angle) * getattr(old, name) + np.sin(angle) * getattr(new, name) for name in _CLICK_PARTS
    }
    return replace(old, **turned)


def _first_items() -> slice:
    """Items of the first pictures: what is normalised by them stays the same in a longer world."""
    return slice(0, FIRST_PICTURES * len(TENANTS) * len(VARIANTS))


def _basis(attributes: list[dict[str, float]]) -> Floats:
    """(n_items, n_basis): standardised attributes, and squares where too much is as bad as too little."""
    values = np.array([[each[name] for name in VISUAL_FEATURES] for each in attributes])
    first = values[_first_items()]
    standard = np.clip((values - first.mean(0)) / first.std(0), -2.5, 2.5)
    squared = (
        standard[:, [VISUAL_FEATURES.index(name) for name in ("brightness", "contrast", "saturation")]] ** 2
    )
    return np.hstack([standard, squared])


def _scale(effects: Floats, spread: float) -> Floats:
    """Effects with the wanted standard deviation among the variants of one picture, centred by picture."""
    by_picture = effects.reshape(-1, len(VARIANTS), effects.shape[1])
    centred = (by_picture - by_picture.mean(1, keepdims=True)).reshape(effects.shape)
    within = centred[_first_items()].std(0)
    return np.asarray(centred / within * spread, np.float64)


def click_rates(
    world: World,
    items: NDArray[np.int64],
    segment: NDArray[np.int64],
    industry: NDArray[np.int64],
    campaign_type: NDArray[np.int64],
) -> Floats:
    """True click rates of `items` (n, k) in contexts (n,), before hour and season."""
    effects = world.effects
    log_rate = (
        effects.everywhere[items]
        + effects.chance[items]
        + effects.segment[items, segment[:, None]]
        + effects.industry[items, industry[:, None]]
        + effects.campaign_type[items, campaign_type[:, None]]
    )
    tenants = world.picture_tenants[items // len(VARIANTS)]
    return np.asarray(effects.base[tenants, segment[:, None]] * np.exp(log_rate), np.float64)
