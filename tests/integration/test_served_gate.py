"""Every critical expectation on served predictions catches the fault that it is for, by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.events.types import AnyEvent, CampaignContext, ShownItem, Slate
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_schema import RAW_SCHEMAS, partition_path
from letterpress.lake.served_facts import ServedContext, Serving, make_served_tables
from letterpress.quality.suites import read_suite
from letterpress.ranking.exploration import POLICY, choose_order, seed_of
from letterpress.settings import Settings

WriteRaw = Callable[[Path, list[AnyEvent]], None]
GateFailures = Callable[..., dict[str, str]]
ServedFailures = Callable[..., dict[str, str]]
Change = Callable[[Slate], Slate]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
AT = datetime(2026, 1, 5, 3, tzinfo=UTC)
HOURS = HourRange.parse("2026-01-05T03--2026-01-05T04")
RECOMMENDER, MODEL, HASH = "image_enhancement", "image_enhancement/1", "5ce3a"
EPSILON, CANDIDATES, PLACES = 0.05, 12, 4


def served_slate(number: int) -> Slate:
    """A slate as the service logs it."""
    rng = np.random.default_rng(number)
    scores = rng.normal(size=CANDIDATES)
    slate_id = f"slate-{number}"
    choice = choose_order(scores, PLACES, EPSILON, seed_of(slate_id))
    places = [
        ShownItem(
            item_id=f"item-{row}",
            position=place,
            score=float(scores[row]),
            propensity=propensity,
            features=[0.5, None if row % 10 == 0 else 1.0],
        )
        for place, (row, propensity) in enumerate(zip(choice.order, choice.propensity, strict=True), 1)
    ]
    return Slate(
        event_id=slate_id,
        tenant="tenant",
        recommender=RECOMMENDER,
        occurred_at=AT + timedelta(seconds=number),
        received_at=AT + timedelta(seconds=number),
        slate_id=slate_id,
        campaign=CampaignContext(campaign_id="campaign"),
        slot="hero",
        policy=POLICY,
        items=places,
        model=MODEL,
        snapshot="0123456789abcdef",
        seed=seed_of(slate_id),
        feature_schema=HASH,
    )


def change_items(**changes: Callable[[ShownItem], Any]) -> Change:
    def changed(slate: Slate) -> Slate:
        items = [
            msgspec.structs.replace(item, **{name: make(item) for name, make in changes.items()})
            for item in slate.items
        ]
        return msgspec.structs.replace(slate, items=items)

    return changed


def set_field(**values: Any) -> Change:
    return lambda slate: msgspec.structs.replace(slate, **values)


FAULTS: dict[str, Change] = {
    "served_slates.positions_have_no_gaps": change_items(position=lambda item: item.position * 2),
    "served_slates.scores_are_finite": change_items(score=lambda item: None),
    "served_slates.propensities_are_probabilities": change_items(propensity=lambda item: None),
    "served_slates.propensities_fit_the_policy": change_items(
        propensity=lambda item: 0.25 * item.position / 4
    ),
    "served_slates.orders_follow_the_scores": change_items(score=lambda item: float(item.position)),
    "served_slates.models_are_known": set_field(model="image_enhancement/99"),
    "served_slates.snapshots_are_named": set_field(snapshot=None),
    "served_slates.vectors_have_the_declared_length": change_items(features=lambda item: [0.5]),
    "served_features.features_are_as_known_as_in_training": change_items(features=lambda item: [None, 1.0]),
}
WARNINGS: dict[str, Change] = {
    "served_slates.schemas_are_the_declared_ones": set_field(feature_schema="an-older-one"),
    "served_exploration.shuffles_are_as_frequent_as_declared": lambda slate: msgspec.structs.replace(
        slate, seed=(slate.seed or 0) // 10
    ),
    "served_features.features_are_hardly_less_known_than_in_training": change_items(
        features=lambda item: [0.5, None if item.position == 1 else 1.0]
    ),
}


@pytest.fixture
def served_failures(gate_failures: GateFailures, write_raw: WriteRaw, tmp_path: Path) -> ServedFailures:
    """Runs the gate on 400 slates, all changed alike; the model's training set knows nine in ten values."""

    def run(change: Change = lambda slate: slate, *only: str) -> dict[str, str]:
        home = Settings(home=tmp_path / "var").paths
        write_raw(home.raw, [change(served_slate(number)) for number in range(400)])
        training = tmp_path / "training.parquet"
        vectors = [[0.5, None if number % 10 == 0 else 1.0] for number in range(1000)]
        pq.write_table(pa.table({"logged_features": vectors, "logged_schema_hash": [HASH] * 1000}), training)
        context = ServedContext(
            {RECOMMENDER: Serving(HASH, ("brightness", "warmth"), EPSILON, training)},
            POLICY,
            lambda names: {MODEL} & set(names),
        )
        database = tmp_path / "facts.duckdb"
        return gate_failures(
            "served_predictions", database, make_served_tables(home, HOURS, database, context), only
        )

    return run


def test_a_fault_is_planted_for_every_critical_expectation() -> None:
    critical = {
        f"{table}.{each.name}"
        for table, expectations in read_suite(Settings().project, "served_predictions").tables.items()
        for each in expectations
        if each.severity == "critical"
    }

    assert set(FAULTS) == critical


def test_what_the_service_logs_passes_without_a_warning(served_failures: ServedFailures) -> None:
    assert served_failures() == {}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_what_was_served_is_caught_by_name(name: str, served_failures: ServedFailures) -> None:
    found = served_failures(FAULTS[name], name.partition(".")[0])

    assert [failed for failed, severity in found.items() if severity == "critical"] == [name]


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_only_odd_warns(name: str, served_failures: ServedFailures) -> None:
    assert served_failures(WARNINGS[name], name.partition(".")[0]) == {name: "warning"}


def test_slates_of_others_are_not_looked_at(served_failures: ServedFailures) -> None:
    strangers = set_field(model=None, policy="uniform", snapshot=None, seed=None, feature_schema=None)

    assert served_failures(strangers) == {}


def test_a_score_that_is_no_number_is_seen_in_the_file_itself(
    gate_failures: GateFailures, write_raw: WriteRaw, tmp_path: Path
) -> None:
    """No codec lets it through, so it is written past them."""
    home = Settings(home=tmp_path / "var").paths
    write_raw(home.raw, [served_slate(1)])
    path = partition_path(home.raw, RECOMMENDER, "2026-01-05T03", "slate")
    rows = pq.read_table(path, partitioning=None).to_pylist()
    rows[0]["items"][0]["score"] = float("nan")
    pq.write_table(pa.Table.from_pylist(rows, schema=RAW_SCHEMAS["slate"]), path)
    database = tmp_path / "facts.duckdb"
    context = ServedContext({RECOMMENDER: Serving(HASH, ("a", "b"), EPSILON)}, POLICY)

    made = make_served_tables(home, HOURS, database, context)
    found = gate_failures("served_predictions", database, made, ("served_slates",))

    assert found["served_slates.scores_are_finite"] == "critical"
