from __future__ import annotations

import numpy as np
import pytest

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import SLATE_SIZE, examination
from letterpress.simulation.campaigns import DAY, HOUR, Slates, make_slates
from letterpress.simulation.regret import RegretByHour, find_references, format_table, slate_value
from letterpress.simulation.world import Floats, World, build_world, click_rates

BEGIN = 20_000 * DAY


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(3, 2)


@pytest.fixture(scope="module")
def slates(world: World) -> Slates:
    return make_slates(world, 1, BEGIN, 3_000, np.random.default_rng(0))


@pytest.fixture(scope="module")
def rates(world: World, slates: Slates) -> Floats:
    """(n_slates, n_variants) of each slate's picture."""
    variants = slates.picture[:, None] * len(VARIANTS) + np.arange(len(VARIANTS))
    return click_rates(world, variants, slates.segment, slates.industry, slates.campaign_type)


def total_regret(world: World, slates: Slates, shown: Floats) -> RegretByHour:
    """`shown` are the rates of what each slate showed, by position."""
    references, regret = find_references(world, slates), RegretByHour()
    for row, at in enumerate(slates.at.tolist()):
        regret.add(at, "m/1", shown[row], references, row)
    return regret


def test_the_best_order_has_no_regret(world: World, slates: Slates, rates: Floats) -> None:
    best = -np.sort(-rates, axis=1)[:, :SLATE_SIZE]
    row = total_regret(world, slates, best).total.to_row()
    assert row["regret"] == pytest.approx(0, abs=1e-12)
    assert row["top_regret"] == pytest.approx(0, abs=1e-12)


def test_shuffled_slates_have_the_regret_that_is_told_for_chance(
    world: World, slates: Slates, rates: Floats
) -> None:
    shuffled = np.random.default_rng(1).permuted(rates, axis=1)[:, :SLATE_SIZE]
    row = total_regret(world, slates, shuffled).total.to_row()
    assert row["random_regret"] > 0.1
    assert row["regret"] == pytest.approx(row["random_regret"], abs=0.003)


def test_the_order_without_context_lies_between_chance_and_the_best(world: World, slates: Slates) -> None:
    references = find_references(world, slates)
    assert (references.popular <= references.best + 1e-12).all()
    assert references.random.sum() < references.popular.sum() < references.best.sum()


def test_no_other_order_is_worth_more_than_the_best(rates: Floats) -> None:
    best = slate_value(-np.sort(-rates[0])[:SLATE_SIZE])
    random = np.random.default_rng(2)
    assert all(slate_value(random.permutation(rates[0])[:SLATE_SIZE]) <= best for _ in range(200))


def test_a_short_slate_misses_what_its_empty_places_would_have_brought(
    world: World, slates: Slates, rates: Floats
) -> None:
    best = -np.sort(-rates, axis=1)[:, :SLATE_SIZE]
    references, regret = find_references(world, slates), RegretByHour()
    regret.add(BEGIN, "m/1", best[0][:1], references, 0)
    regret.add(BEGIN, "m/1", np.empty(0), references, 1)
    weights = examination(np.arange(1, SLATE_SIZE + 1))
    expected = 1 - best[0][0] / (best[0] @ weights + best[1] @ weights)
    assert regret.total.to_row()["regret"] == pytest.approx(expected)


def test_hours_come_in_order_and_add_up_with_the_failed_ones(
    world: World, slates: Slates, rates: Floats
) -> None:
    regret = total_regret(world, slates, rates[:, :SLATE_SIZE])
    regret.add_failure(BEGIN + 30 * HOUR)
    rows = regret.rows()
    assert [row["hour"] for row in rows] == sorted(row["hour"] for row in rows)
    assert sum(row["slates"] for row in rows) == 3_000
    assert (rows[-1]["failed"], rows[-1]["regret"]) == (1, None)
    assert "100" not in format_table(rows, regret.total.to_row()).splitlines()[-2]
