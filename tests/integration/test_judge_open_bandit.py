from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import ModelRefusedError, NotEnoughDataError
from letterpress.orchestration.bootstrap_champion import bootstrap_champion
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.evaluate_policy import evaluate_policy
from letterpress.orchestration.import_logs import import_logs
from letterpress.orchestration.judge_challenger import judge_challenger
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.release_challenger import release_challenger
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.settings import Settings

PRODUCTS = "open_bandit"
CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))

pytestmark = pytest.mark.reference_data


@pytest.fixture(scope="module")
def log() -> Path:
    settings = Settings()
    folder = settings.reference_data or settings.project.parent / "shared" / "data"
    if not (folder / "open_bandit").is_dir():
        pytest.skip(f"the reference data is absent: no {folder.name}/open_bandit beside the checkout")
    return folder / "open_bandit"


def test_with_38_clicks_the_challenger_is_refused_for_lack_of_evidence(log: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var")
    import_logs(settings, "open-bandit", [str(log / "random" / "all")], land_only=False)
    build_features(settings)
    publish_features(settings, clock=CLOCK)
    assert bootstrap_champion(settings, PRODUCTS, clock=CLOCK)["model"] == "open_bandit/1"
    trained = train_challenger(settings, PRODUCTS)
    verdict = judge_challenger(settings, PRODUCTS, trained["version"], clock=CLOCK)
    assert not verdict["promoted"]
    assert verdict["reason"].startswith("not enough evidence: expected at least 30 matched clicks")
    assert "effective sample size" in verdict["reason"]
    assert "38 clicks in " in verdict["reason"]
    with pytest.raises(ModelRefusedError, match="not enough evidence"):
        release_challenger(settings, PRODUCTS, trained["version"], clock=CLOCK)


def test_a_well_supported_policy_gets_its_estimate(log: Path) -> None:
    result = evaluate_policy(Settings(), log / "random" / "all", "open-bandit", "uniform")
    assert result["snips"]["mean"] == pytest.approx(0.0038)
    assert result["effective_sample_size"] == pytest.approx(10_000)


def test_a_policy_whose_weight_lies_on_two_rows_gets_a_refusal_instead_of_a_number(log: Path) -> None:
    with pytest.raises(NotEnoughDataError, match=r"effective sample size 2\.1, largest weight 2\.174e\+04"):
        evaluate_policy(Settings(), log / "bts" / "women", "open-bandit", "uniform")
