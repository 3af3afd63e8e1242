"""The bad-data drill: every damage is caught by name before anything is trained, clean data by nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.gate_drill import DAMAGE, run_drill, write_weeks_before

from letterpress.lake.ledger import open_ledger
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.settings import Settings
from letterpress.simulation.damage import DAMAGES

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
CLEAN_SEEDS = (11, 12, 13)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weeks_before(tmp_path_factory.mktemp("weeks"), seed=7)


@pytest.mark.parametrize("scenario", [name for name in DAMAGE if name != "steady"])
def test_the_damage_of_a_scenario_is_caught_by_name(scenario: str, weeks: Path, tmp_path: Path) -> None:
    drill = run_drill(scenario, weeks, tmp_path / "home", seed=8)

    assert drill.caught == DAMAGE[scenario]
    assert drill.ingested["reasons"] == dict(drill.summary.damaged)
    assert drill.ingested["duplicate"] == drill.summary.duplicates.total()
    assert drill.ingested["raw"] == drill.summary.n_events


@pytest.mark.parametrize("seed", CLEAN_SEEDS)
def test_clean_data_passes_without_a_warning(seed: int, weeks: Path, tmp_path: Path) -> None:
    assert run_drill("steady", weeks, tmp_path / "home", seed=seed).caught == {}


def test_every_kind_of_damaged_line_ends_in_quarantine_under_its_own_reason(tmp_path: Path) -> None:
    """One file for each kind, beside a good line each."""
    settings = Settings(home=tmp_path / "home")
    settings.paths.landing.mkdir(parents=True)
    line = (
        b'{"type":"interaction","event_id":"e%d","tenant":"t","recommender":"image_enhancement",'
        b'"occurred_at":"2026-01-05T03:00:00Z","received_at":"2026-01-05T03:00:01Z","slate_id":"s",'
        b'"item_id":"i","action":"chosen"}'
    )
    for number, (_, _, damage) in enumerate(DAMAGES):
        good = line % number
        (settings.paths.landing / f"damage-{number:02}.jsonl").write_bytes(
            good + b"\n" + damage(good) + b"\n"
        )

    ingested = ingest_landing(settings)

    assert ingested["raw"] == ingested["quarantined"] == len(DAMAGES)
    with open_ledger(settings.paths) as ledger:
        codes = ledger.execute("select code from reasons join files using (file_id) order by path").fetchall()
    assert [code for (code,) in codes] == [code for _, code, _ in DAMAGES]
