from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.open_bandit import (
    N_PRODUCTS,
    greedy,
    lacks,
    read_rows,
    reference_folder,
    thompson,
    uniform,
    value_of,
)

from letterpress.errors import NotEnoughDataError, NotYetThereError
from letterpress.evaluation.snips import PolicyValue, estimate_policy_value
from letterpress.evaluation.support import Asked, missing_support
from letterpress.settings import Settings


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return reference_folder(Settings())
    except NotYetThereError as error:
        pytest.skip(str(error))


@pytest.mark.reference_data
@pytest.mark.parametrize("campaign", sorted(N_PRODUCTS))
@pytest.mark.parametrize("behaviour", ["random", "bts"])
def test_estimates_agree_with_the_reference_library_on_open_bandit(
    folder: Path, behaviour: str, campaign: str
) -> None:
    golden = json.loads((folder / "obp_reference.json").read_text())[campaign]
    golden = golden[f"random_from_{behaviour}_logs"]
    require_agreement(value_of(read_rows(folder, behaviour, campaign), uniform(campaign), rounds=50), golden)


@pytest.mark.reference_data
def test_a_policy_rebuilt_from_its_prior_agrees_too(folder: Path) -> None:
    golden = json.loads((folder / "obp_reference.json").read_text())["men"]["bts_from_random_logs"]
    rows = read_rows(folder, "random", "men")
    require_agreement(value_of(rows, thompson(folder, "men"), rounds=50), golden)


def require_agreement(value: PolicyValue, golden: dict[str, Any]) -> None:
    assert value.ips is not None
    assert value.snips is not None
    assert value.dr is not None
    assert value.ips.mean == pytest.approx(golden["ipw"][0], rel=1e-9)
    assert value.snips.mean == pytest.approx(golden["snipw"][0], rel=1e-9)
    assert value.effective_sample_size == pytest.approx(golden["ess"], rel=1e-9)
    assert value.largest_weight == pytest.approx(golden["max_w"], rel=1e-9)
    assert golden["dr"][1] <= value.dr.mean <= golden["dr"][2]


@pytest.mark.reference_data
def test_an_estimate_that_rests_on_two_rows_is_called_unsupported(folder: Path) -> None:
    lacking = lacks(value_of(read_rows(folder, "bts", "women"), uniform("women"), rounds=50))
    assert lacking is not None
    assert "effective sample size 2.1" in lacking
    assert "such rows" in lacking


@pytest.mark.reference_data
@pytest.mark.parametrize("campaign", sorted(N_PRODUCTS))
def test_a_greedy_policy_that_hardly_a_click_matched_is_refused(folder: Path, campaign: str) -> None:
    rows = read_rows(folder, "random", campaign)
    lacking = lacks(value_of(rows, greedy(rows, campaign), rounds=50))
    assert lacking is not None
    assert "expected at least 30 matched clicks" in lacking


def test_a_policy_that_is_the_log_itself_has_the_value_of_the_log() -> None:
    rewards = (np.random.default_rng(1).random(500) < 0.1).astype(float)
    value = estimate_policy_value(rewards, np.full(500, 0.2), np.full(500, 0.2), seed=1)
    assert value.snips is not None
    assert value.snips.mean == pytest.approx(rewards.mean())
    assert value.effective_sample_size == pytest.approx(500)
    assert missing_support(value, Asked(100, 10, 0.95)) is None


def test_the_estimate_is_near_the_truth_of_a_known_world() -> None:
    generator = np.random.default_rng(6)
    rates, logging = np.array([0.05, 0.1, 0.4]), np.array([0.6, 0.3, 0.1])
    wanted = np.array([0.1, 0.2, 0.7])
    actions = generator.choice(3, size=40_000, p=logging)
    rewards = (generator.random(40_000) < rates[actions]).astype(float)
    value = estimate_policy_value(rewards, logging[actions], wanted[actions], seed=1, rounds=500)
    assert value.snips is not None
    assert value.snips.low < rates @ wanted < value.snips.high
    assert value.mean_weight == pytest.approx(1.0, abs=0.05)


def test_a_policy_that_no_row_matched_has_no_estimate() -> None:
    value = estimate_policy_value(np.ones(5), np.full(5, 0.5), np.zeros(5), seed=1)
    assert value.snips is None
    assert value.effective_sample_size == 0
    assert "clicks at all" in str(missing_support(value, Asked(1, 1, 0.95)))


@pytest.mark.parametrize("propensity", [0.0, np.nan, -0.1, 1.5])
def test_a_propensity_that_cannot_be_used_is_refused_with_the_count(propensity: float) -> None:
    logged = np.array([0.5, propensity, propensity])
    with pytest.raises(NotEnoughDataError, match="found 2 without"):
        estimate_policy_value(np.ones(3), logged, np.ones(3), seed=1)


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="found none"):
        estimate_policy_value(np.array([]), np.array([]), np.array([]), seed=1)
