"""Who and what there is in the simulated world: tenants with their pictures, and the true effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

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

BASE_CLICK_RATE = 0.015
FIRST_PICTURES = 8
"""Pictures that every tenant has when the log begins."""
NEW_PICTURES = 2
"""Pictures that every tenant adds on each day of the log."""

_SPREAD = {"everywhere": 0.05, "segment": 0.15, "industry": 0.08, "campaign_type": 0.07, "chance": 0.03}
"""Standard deviation of each part of the log click rate among the variants of one picture; together 0.19."""
_TASTE_SPREAD = 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effects:
    """Log effects on the click rate, one row an item: what the simulation knows and the pipeline must learn.

    `rate = base[tenant, segment] * exp(everywhere + chance + segment[s] + industry[i] + campaign_type[c])`
    """

    everywhere: Floats
    chance: Floats
    segment: Floats
    industry: Floats
    campaign_type: Floats
    taste: Floats
    """(n_items, n_campaign_types): what builders like beside clicks, in standard deviations."""
    base: Floats
    """(n_tenants, n_segments) click rates."""


@dataclass(frozen=True, slots=True)
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

    @property
    def n_items(self) -> int:
        return len(self.picture_ids) * len(VARIANTS)

    def item_ids(self) -> list[str]:
        return [f"{picture}-{variant.name}" for picture in self.picture_ids for variant in VARIANTS]


@cache
def build_world(seed: int, days: int) -> World:
    """The world of `seed` with pictures for `days` days. A longer world begins with the shorter one."""
    n_pictures = FIRST_PICTURES + NEW_PICTURES * days
    picture_ids, tenants, came, attributes = [], [], [], []
    for number in range(n_pictures):
        for tenant, name in enumerate(TENANTS):
            rng = np.random.default_rng((seed, 1, tenant, number))
            picture_ids.append(f"{name}-{seed}-p{number:04d}")
            tenants.append(tenant)
            came.append((number - FIRST_PICTURES) // NEW_PICTURES)
            attributes.extend(measure_picture(make_picture(rng)))
    rng = np.random.default_rng((seed, 2))
    industries = np.stack([rng.permutation(len(INDUSTRIES))[:2] for _ in TENANTS])
    return World(
        seed=seed,
        picture_ids=picture_ids,
        picture_tenants=np.array(tenants),
        picture_days=np.array(came),
        attributes=attributes,
        effects=_make_effects(attributes, rng, seed),
        tenant_industries=industries,
    )


def _make_effects(attributes: list[dict[str, float]], rng: np.random.Generator, seed: int) -> Effects:
    basis = _basis(attributes)

    def linear(columns: int, spread: float) -> Floats:
        return _scale(basis @ rng.normal(0.0, 1.0, (basis.shape[1], columns)), spread)

    base = BASE_CLICK_RATE * np.exp(rng.normal(0.0, 0.15, (len(TENANTS), len(SEGMENTS))))
    everywhere = linear(1, _SPREAD["everywhere"])[:, 0]
    segment = linear(len(SEGMENTS), _SPREAD["segment"])
    industry = linear(len(INDUSTRIES), _SPREAD["industry"])
    campaign_type = linear(len(CAMPAIGN_TYPES), _SPREAD["campaign_type"])
    taste = linear(len(CAMPAIGN_TYPES), _TASTE_SPREAD)
    chance = np.random.default_rng((seed, 3)).normal(0.0, _SPREAD["chance"], len(attributes))
    return Effects(everywhere, chance, segment, industry, campaign_type, taste, base)


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
    """True click rates of `items` (n, k) in contexts (n,)."""
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
