from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.evaluation.slices import SliceEffect, measure_slices, pool

SLICES, CAMPAIGNS_EACH = 40, 12


def effects(harm: NDArray[np.float64], seed: int, *, kinds: int = 1) -> list[SliceEffect]:
    """Slices with a true relative gain of `harm` each, measured on a dozen noisy campaigns."""
    generator = np.random.default_rng(seed)
    slices = np.repeat(np.arange(len(harm)), CAMPAIGNS_EACH)
    champion = generator.uniform(0.5, 1.5, len(slices))
    challenger = champion * (1 + harm[slices]) + generator.normal(0, 0.15, len(slices))
    labels = {f"kind{kind}": slices.astype(np.str_) for kind in range(kinds)}
    return measure_slices(champion, challenger, np.arange(len(slices)), labels, epsilon=0.005)


def test_many_small_slices_of_a_harmless_challenger_hardly_ever_block() -> None:
    blocked = sum(any(each.is_harmed for each in effects(np.zeros(SLICES), seed)) for seed in range(200))
    assert blocked <= 0.05 * 200


def test_without_pooling_they_would_nearly_always_block() -> None:
    naive = sum(
        any(each.own + 1.96 * each.own_error < -0.005 for each in effects(np.zeros(SLICES), seed))
        for seed in range(200)
    )
    assert naive >= 0.5 * 200


def test_one_slice_with_a_large_loss_is_found_among_many() -> None:
    harm = np.zeros(SLICES)
    harm[7] = -0.4
    others = 0
    for seed in range(30):
        found = [each.label for each in effects(harm, seed) if each.is_harmed]
        assert "7" in found
        others += len(found) - 1
    assert others <= 30  # of 1,170: the outlier makes a spread between slices plausible


def test_pooled_effects_are_nearer_to_the_truth_than_what_each_slice_says() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(0.02, 0.03, 60)
    errors = generator.uniform(0.02, 0.08, 60)
    own = truth + errors * generator.normal(size=60)
    pooled, pooled_errors = pool(own, errors)
    assert ((pooled - truth) ** 2).mean() < 0.6 * ((own - truth) ** 2).mean()
    assert 0.85 < np.mean(np.abs(pooled - truth) < 1.96 * pooled_errors) <= 1.0


def test_slices_without_spread_are_all_drawn_to_their_mean() -> None:
    pooled, errors = pool(np.full(5, 0.01), np.full(5, 0.02))
    assert pooled == pytest.approx(0.01)
    assert errors == pytest.approx(0.02 / np.sqrt(5))


def test_a_slice_of_four_campaigns_or_without_gain_is_left_out() -> None:
    champion = np.concatenate([np.ones(4), np.zeros(20), np.ones(20)])
    labels = np.repeat(["few", "nothing", "enough"], [4, 20, 20])
    found = measure_slices(champion, champion, np.arange(44), {"kind": labels}, epsilon=0.005)
    assert [each.label for each in found] == ["enough"]


def test_an_empty_label_is_no_slice() -> None:
    assert measure_slices(np.ones(9), np.ones(9), np.arange(9), {"kind": np.full(9, "")}, epsilon=0.1) == []


@pytest.mark.parametrize(("at_bound", "is_harmed"), [(-0.09, True), (0.1, False)])
def test_a_slice_that_position_could_explain_is_not_harmed(at_bound: float, is_harmed: bool) -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 400)
    champion, device = np.ones(400), np.repeat(["phone", "desk"], 200)
    found, there = (champion + np.where(device == "desk", change, 0.1) + noise for change in (-0.1, at_bound))
    (desk, phone) = measure_slices(
        champion, found, np.arange(400), {"device": device}, epsilon=0.005, bounds=[(champion, there)]
    )
    assert (desk.label, desk.is_harmed) == ("desk", is_harmed)
    assert not phone.is_harmed
    assert desk.pooled == pytest.approx(-0.1, abs=0.01)  # the best estimate stays
