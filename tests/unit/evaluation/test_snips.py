from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.snips import estimate_policy_value, missing_support
from letterpress.settings import Settings

N_PRODUCTS = {"all": 80, "men": 34, "women": 46}


def reference_folder() -> Path:
    settings = Settings()
    folder = settings.reference_data or settings.project.parent / "shared" / "data"
    if not (folder / "open_bandit").is_dir():
        pytest.skip(f"the reference data is absent: no {folder.name}/open_bandit beside the checkout")
    return folder / "open_bandit"


def read_log(folder: Path, policy: str, campaign: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    packed = (folder / policy / campaign / f"{campaign}.csv.gz").read_bytes()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    clicks = np.array([float(row["click"]) for row in rows])
    return clicks, np.array([float(row["propensity_score"]) for row in rows])


@pytest.mark.reference_data
@pytest.mark.parametrize("campaign", sorted(N_PRODUCTS))
@pytest.mark.parametrize("behaviour", ["random", "bts"])
def test_ips_and_snips_equal_the_reference_library_on_open_bandit(behaviour: str, campaign: str) -> None:
    folder = reference_folder()
    golden = json.loads((folder / "obp_reference.json").read_text())[campaign]
    golden = golden[f"random_from_{behaviour}_logs"]
    clicks, logged = read_log(folder, behaviour, campaign)
    value = estimate_policy_value(
        clicks, logged, np.full(len(clicks), 1 / N_PRODUCTS[campaign]), seed=1, rounds=200
    )
    assert value.ips is not None
    assert value.snips is not None
    assert value.ips.mean == pytest.approx(golden["ipw"][0], rel=1e-9)
    assert value.snips.mean == pytest.approx(golden["snipw"][0], rel=1e-9)
    assert value.effective_sample_size == pytest.approx(golden["ess"], rel=1e-9)
    assert value.largest_weight == pytest.approx(golden["max_w"], rel=1e-9)


@pytest.mark.reference_data
def test_an_estimate_that_rests_on_two_rows_is_called_unsupported() -> None:
    clicks, logged = read_log(reference_folder(), "bts", "women")
    value = estimate_policy_value(clicks, logged, np.full(len(clicks), 1 / 46), seed=1, rounds=200)
    lacking = missing_support(value, min_effective_sample_size=1000, min_matched_clicks=30)
    assert lacking is not None
    assert "effective sample size 2.1" in lacking


def test_a_policy_that_is_the_log_itself_has_the_value_of_the_log() -> None:
    rewards = (np.random.default_rng(1).random(500) < 0.1).astype(float)
    value = estimate_policy_value(rewards, np.full(500, 0.2), np.full(500, 0.2), seed=1)
    assert value.snips is not None
    assert value.snips.mean == pytest.approx(rewards.mean())
    assert value.effective_sample_size == pytest.approx(500)
    assert missing_support(value, min_effective_sample_size=100, min_matched_clicks=10) is None


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
    assert "clicks at all" in str(missing_support(value, min_effective_sample_size=1, min_matched_clicks=1))


@pytest.mark.parametrize("propensity", [0.0, np.nan, -0.1, 1.5])
def test_a_propensity_that_cannot_be_used_is_refused_with_the_count(propensity: float) -> None:
    logged = np.array([0.5, propensity, propensity])
    with pytest.raises(NotEnoughDataError, match="found 2 without"):
        estimate_policy_value(np.ones(3), logged, np.ones(3), seed=1)


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="found none"):
        estimate_policy_value(np.array([]), np.array([]), np.array([]), seed=1)
