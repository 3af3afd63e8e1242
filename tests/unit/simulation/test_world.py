"""The simulated world: the declared words, and a truth that can be learned."""

from __future__ import annotations

import numpy as np

from letterpress.images.enhancements import VARIANTS
from letterpress.images.visual_features import VISUAL_FEATURES
from letterpress.recommenders.image_enhancement import IMAGE_ENHANCEMENT
from letterpress.simulation import world as definition
from letterpress.simulation.behaviour import SLATE_SIZE
from letterpress.simulation.world import build_world, click_rates


def test_its_words_are_those_that_the_recommender_declares() -> None:
    assert IMAGE_ENHANCEMENT.name == definition.RECOMMENDER
    assert IMAGE_ENHANCEMENT.slate_size == SLATE_SIZE
    assert IMAGE_ENHANCEMENT.attributes == VISUAL_FEATURES
    assert dict(IMAGE_ENHANCEMENT.vocabularies) == {
        "industry": definition.INDUSTRIES,
        "campaign_type": definition.CAMPAIGN_TYPES,
        "goal": definition.GOALS,
        "segment": definition.SEGMENTS,
    }


def test_a_longer_world_begins_with_the_shorter_one() -> None:
    short, long = build_world(3, 1), build_world(3, 2)
    n_items = short.n_items
    assert long.item_ids()[:n_items] == short.item_ids()
    assert long.attributes[:n_items] == short.attributes
    for name in ("everywhere", "chance", "segment", "industry", "campaign_type", "taste", "conversion"):
        assert np.array_equal(getattr(long.effects, name)[:n_items], getattr(short.effects, name))
    assert np.array_equal(long.effects.base, short.effects.base)


def test_click_rates_are_near_the_declared_rate_and_spread() -> None:
    world = build_world(3, 3)
    rng = np.random.default_rng(1)
    picture = rng.integers(0, len(world.picture_ids), 500)
    items = picture[:, None] * len(VARIANTS) + np.arange(len(VARIANTS))
    segment, industry, campaign_type = (rng.integers(0, size, 500) for size in (5, 8, 5))
    rates = click_rates(world, items, segment, industry, campaign_type)
    assert 0.010 < rates.mean() < 0.022
    relative_spread = (rates.std(1) / rates.mean(1)).mean()
    assert 0.15 < relative_spread < 0.25


def test_which_variant_is_best_depends_on_the_segment() -> None:
    world = build_world(3, 3)
    items = np.arange(len(VARIANTS))[None, :].repeat(5, 0)
    fixed = np.zeros(5, np.int64)
    rates = click_rates(world, items, np.arange(5), fixed, fixed)
    assert len(set(rates.argmax(1).tolist())) > 1
