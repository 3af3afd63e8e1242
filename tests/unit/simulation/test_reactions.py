"""What recipients do: totals that fit each other, delays of hours to days, and single acts for some sends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import Shown, choose, examination, show_uniformly
from letterpress.simulation.campaigns import HOUR, Slates, make_slates
from letterpress.simulation.reactions import (
    BOUNCED,
    CLICKED,
    CONVERTED,
    DELIVERED,
    LAST_OUTCOME_HOURS,
    OPENED,
    SINGLE_SHARE,
    UNSUBSCRIBED,
    Outcomes,
    bot_recipients,
    send_and_react,
)
from letterpress.simulation.scenarios import world_on
from letterpress.simulation.world import BOUNCE_RATE, World, build_world

BEGIN = 1_767_571_200_000  # Monday, 2026-01-05
Day = tuple[World, Slates, Shown, Outcomes]


def live_a_day(world: World, n_slates: int) -> Day:
    rng = np.random.default_rng(1)
    slates = make_slates(world, 0, BEGIN, n_slates, rng)
    shown = choose(world, slates, show_uniformly(slates, rng), rng)
    return world, slates, shown, send_and_react(slates, shown, rng)


@pytest.fixture(scope="module")
def day() -> Day:
    return live_a_day(build_world(3, 1), 3000)


def total(outcomes: Outcomes, kind: int) -> int:
    return int(outcomes.count[outcomes.kind == kind].sum())


def test_rates_of_all_kinds_are_those_declared(day: Day) -> None:
    *_, outcomes = day
    delivered = total(outcomes, DELIVERED)
    rates = [total(outcomes, kind) / delivered for kind in (OPENED, CLICKED, UNSUBSCRIBED, BOUNCED)]
    assert rates == pytest.approx([0.21, 0.015, 0.0008, BOUNCE_RATE], rel=0.12)
    assert total(outcomes, CONVERTED) / total(outcomes, CLICKED) == pytest.approx(0.06, rel=0.12)


def test_outcomes_come_hours_to_days_after_the_send(day: Day) -> None:
    _, slates, _, outcomes = day
    clicks = outcomes.kind == CLICKED
    hours = (outcomes.at - slates.send_at[outcomes.slate]) / HOUR
    after = [float(outcomes.count[clicks & (hours > each)].sum()) for each in (0, 2, 24, 48)]
    assert np.array(after) / after[0] == pytest.approx([1.0, 0.5, 0.15, 0.06], abs=0.03)
    assert hours.max() < LAST_OUTCOME_HOURS
    assert np.all(outcomes.received_at > outcomes.at)


def test_a_declared_share_of_sends_is_told_one_recipient_at_a_time(day: Day) -> None:
    _, slates, _, outcomes = day
    single = outcomes.recipient >= 0
    assert np.unique(outcomes.slate[single]).size / len(slates) == pytest.approx(SINGLE_SHARE, rel=0.7)
    assert set(outcomes.count[single].tolist()) == {1}
    assert set(outcomes.kind[single].tolist()) >= {OPENED, CLICKED}
    identity = np.stack([outcomes.slate, outcomes.position, outcomes.kind, outcomes.recipient])[:, single]
    assert np.unique(identity, axis=1).shape[1] == single.sum()
    acts = {
        kind: set(map(tuple, identity[[0, 1, 3]][:, identity[2] == kind].T)) for kind in (OPENED, CLICKED)
    }
    assert acts[CLICKED] < acts[OPENED]


def test_the_arms_of_an_experiment_are_two_to_four_with_the_original_and_equal_shares(day: Day) -> None:
    _, _, shown, outcomes = day
    arms = (shown.sent & shown.is_experiment[:, None]).sum(1)
    assert set(arms[shown.is_experiment].tolist()) == {2, 3, 4}
    assert np.all((shown.sent & (shown.items % len(VARIANTS) == 0)).any(1)[shown.is_experiment])
    assert not np.any(shown.control[~shown.is_experiment])
    assert shown.is_experiment.mean() == pytest.approx(0.27, abs=0.05)
    sent = np.isin(outcomes.kind, (DELIVERED, BOUNCED))
    sizes = np.zeros(shown.items.shape)
    np.add.at(sizes, (outcomes.slate[sent], outcomes.position[sent]), outcomes.count[sent])
    for row in np.flatnonzero(shown.is_experiment)[:100].tolist():
        of_arm = sizes[row][shown.sent[row]]
        assert of_arm.max() - of_arm.min() < 8 * np.sqrt(of_arm.mean())


def test_builders_examine_positions_with_the_known_probability() -> None:
    world = build_world(3, 1)
    flat = replace(world, effects=replace(world.effects, taste=np.zeros_like(world.effects.taste)))
    _, _, shown, _ = live_a_day(flat, 6000)
    chosen = shown.chosen.mean(0)
    assert chosen[0] > chosen[3] > chosen[7]
    assert chosen[7] / chosen[0] == pytest.approx(float(examination(np.array([8]))[0]), rel=0.3)


def test_machines_open_and_click_all_that_they_get_within_minutes() -> None:
    world = world_on(build_world(3, 1), "bots", 0, BEGIN, 0)
    _, slates, shown, outcomes = live_a_day(world, 3000)
    bots = {tenant: set(bot_recipients(3, tenant, shown.conditions).tolist()) for tenant in range(6)}
    single = np.flatnonzero((outcomes.recipient >= 0) & (outcomes.kind == CLICKED)).tolist()
    by_bots = [
        row for row in single if int(outcomes.recipient[row]) in bots[int(slates.tenant[outcomes.slate[row]])]
    ]
    assert len(by_bots) > 0.3 * len(single)
    assert max(outcomes.at[row] - slates.send_at[outcomes.slate[row]] for row in by_bots) <= HOUR / 20


def test_what_a_day_does_to_the_world_depends_on_the_day_alone() -> None:
    world = build_world(3, 1)
    assert world_on(world, "steady", 9, BEGIN, 0) is world
    assert world_on(world, "concept-drift-abrupt", 4, BEGIN, 5) is world
    one, other = (world_on(world, "concept-drift-abrupt", day, BEGIN, 5) for day in (5, 9))
    assert np.array_equal(one.effects.segment, other.effects.segment)
    assert abs(np.corrcoef(one.effects.segment[:, 0], world.effects.segment[:, 0])[0, 1]) < 0.7
