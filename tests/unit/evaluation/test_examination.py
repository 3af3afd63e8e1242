from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.examination import Examination, estimate_examination
from letterpress.simulation.behaviour import choose, examination, show_uniformly
from letterpress.simulation.campaigns import make_slates
from letterpress.simulation.simulate import Plan, simulate
from letterpress.simulation.truth import Truth
from letterpress.simulation.world import World, build_world

Floats = NDArray[np.float64]
Log = tuple[NDArray[np.bool_], NDArray[np.int64], Floats, NDArray[np.int64], NDArray[np.int64]]
"""Choices, positions and propensities by row; offsets of slates, and the campaign of each."""
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
PLACES = 8


def log_of(chosen: NDArray[np.bool_], positions: NDArray[np.int64], propensities: Floats) -> Log:
    """Slates `(n, k)` as rows, two of each campaign."""
    offsets = np.arange(0, chosen.size + 1, chosen.shape[1])
    return chosen.ravel(), positions.ravel(), propensities.ravel(), offsets, np.arange(len(chosen)) // 2


def liked_on_their_own(slates: int, seen: Floats, *, explored: float, seed: int) -> Log:
    """Recipients who like each item on its own; a champion orders all but the `explored` slates."""
    generator = np.random.default_rng(seed)
    shape = slates, len(seen)
    appeal = generator.uniform(0.05, 0.6, shape)
    champions = np.argsort(-(appeal + 0.1 * generator.normal(size=shape)), axis=1).argsort(axis=1) + 1
    positions = np.argsort(generator.random(shape), axis=1).argsort(axis=1) + 1
    ordered = generator.random(slates) >= explored
    positions[ordered] = champions[ordered]
    chosen = (generator.random(shape) < seen[positions - 1]) & (generator.random(shape) < appeal)
    propensities = (1 - explored) * (positions == champions) + explored / shape[1]
    return log_of(chosen, positions, propensities)


def builders_choose(world: World, slates: int, *, explored: float, seed: int) -> Log:
    """Builders of the simulated editor; a champion that knows the items orders all but the `explored`."""
    generator = np.random.default_rng(seed)
    asked = make_slates(world, 0, int(BEGIN.timestamp() * 1000), slates, generator)
    items = show_uniformly(asked, generator)
    worth = world.effects.everywhere[items] + world.effects.chance[items]
    wanted = np.argsort(-worth, axis=1)
    ordered = generator.random(slates) >= explored
    items[ordered] = np.take_along_axis(items, wanted, axis=1)[ordered]
    in_place = np.where(ordered[:, None], True, wanted == np.arange(PLACES))
    propensities = (1 - explored) * in_place + explored / PLACES
    chosen = choose(world, asked, items, generator).chosen
    return log_of(chosen, np.tile(np.arange(1, PLACES + 1), (slates, 1)), propensities)


def holds(found: Examination, truth: Floats) -> bool:
    low, high = np.array(found.low), np.array(found.high)
    return bool(((low <= truth + 1e-9) & (truth <= high + 1e-9)).all())


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(3, 1)


@pytest.mark.parametrize(("slates", "explored"), [(3000, 1.0), (12_000, 0.25)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_builders_look_at_is_recovered_though_a_choice_above_takes_from_those_below(
    world: World, slates: int, explored: float, seed: int
) -> None:
    truth = examination(np.arange(1, PLACES + 1))
    found = estimate_examination(*builders_choose(world, slates, explored=explored, seed=seed))
    assert found.seen == pytest.approx(truth, rel=0.1)
    assert holds(found, truth)
    assert found.slates == pytest.approx(slates * explored, rel=0.05)


def test_a_simulated_log_gives_the_examination_that_is_written_in_its_truth(tmp_path: Path) -> None:
    summary = simulate(Plan(2, 2000, 5, "steady", BEGIN), tmp_path, processes=1)
    slates: dict[str, dict[str, Any]] = {}
    chosen: set[tuple[str, str]] = set()
    for path in summary.files:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for event in map(json.loads, lines):
                if event["type"] == "slate":
                    slates[event["slate_id"]] = event
                elif event["type"] == "interaction" and event["action"] == "chosen":
                    chosen.add((event["slate_id"], event["item_id"]))
    rows = [(name, each) for name, slate in slates.items() for each in slate["items"]]
    campaigns = [slate["campaign"]["campaign_id"] for slate in slates.values()]
    found = estimate_examination(
        np.array([(name, each["item_id"]) in chosen for name, each in rows]),
        np.array([each["position"] for _, each in rows]),
        np.array([each["propensity"] for _, each in rows]),
        np.cumsum([0, *(len(slate["items"]) for slate in slates.values())]),
        np.unique(campaigns, return_inverse=True)[1],
    )
    truth = np.array(Truth.open(tmp_path).facts["examination"])
    assert found.seen == pytest.approx(truth, rel=0.1)
    assert holds(found, truth)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_power_is_recovered_where_items_are_liked_on_their_own(power: float) -> None:
    truth = np.arange(1.0, PLACES + 1) ** -power
    found = estimate_examination(*liked_on_their_own(20_000, truth, explored=0.2, seed=3))
    assert found.shape == "power"
    assert found.seen == pytest.approx(truth, rel=0.1)
    assert holds(found, truth)


def test_a_layout_that_is_no_power_gets_a_chance_for_each_place() -> None:
    truth = np.array([1.0, 0.95, 0.4, 0.38, 0.7, 0.65, 0.2, 0.2])  # two columns, and a picture that draws
    found = estimate_examination(*liked_on_their_own(12_000, truth, explored=1.0, seed=3))
    assert found.shape == "free"
    assert found.seen == pytest.approx(truth, rel=0.1)
    assert holds(found, truth)


def test_without_the_chances_the_order_of_the_champion_looks_like_position() -> None:
    truth = np.arange(1.0, PLACES + 1) ** -0.5
    chosen, positions, _, offsets, campaigns = liked_on_their_own(4000, truth, explored=0.2, seed=3)
    naive = estimate_examination(chosen, positions, np.full(len(chosen), 1 / PLACES), offsets, campaigns)
    assert naive.high[-1] < truth[-1] / 1.5


def test_as_few_slates_as_a_champion_explores_in_a_week_give_a_wide_interval(world: World) -> None:
    few = estimate_examination(*builders_choose(world, 6000, explored=0.05, seed=1))
    many = estimate_examination(*builders_choose(world, 6000, explored=1.0, seed=1))
    assert few.high[-1] - few.low[-1] > 3 * (many.high[-1] - many.low[-1])
    assert holds(few, examination(np.arange(1, PLACES + 1)))


def test_a_place_below_all_that_were_told_apart_is_worth_what_the_last_of_them_is() -> None:
    found = Examination.by_power(0.5, 0.4, 0.6, 4)
    assert found.weights(np.array([1, 4, 40])).tolist() == [1.0, 2.0, 2.0]
    assert found.weights(np.array([4]), "low") == pytest.approx([4**0.6])


def test_a_log_without_propensities_choices_or_shuffled_slates_is_refused() -> None:
    chosen, positions, propensities, offsets, campaigns = liked_on_their_own(
        100, np.ones(PLACES), explored=0.5, seed=3
    )
    with pytest.raises(NotEnoughDataError, match="log propensities"):
        estimate_examination(chosen, positions, np.full_like(propensities, np.nan), offsets, campaigns)
    with pytest.raises(NotEnoughDataError, match="found 0 positions"):
        estimate_examination(chosen & False, positions, propensities, offsets, campaigns)
    with pytest.raises(NotEnoughDataError, match="in 0 such slates"):
        estimate_examination(chosen, positions, np.ones_like(propensities), offsets, campaigns)
