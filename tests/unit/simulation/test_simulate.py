"""The simulated log: the same seed, the same bytes; every line an event; truth beside it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from letterpress.errors import UsageError
from letterpress.events.codec import decode_line
from letterpress.events.types import AnyEvent, Campaign, Interaction, Item, Outcome, Slate
from letterpress.simulation.simulate import Plan, Summary, simulate
from letterpress.simulation.truth import Truth

START = datetime(2026, 1, 5, tzinfo=UTC)


def plan(**changes: Any) -> Plan:
    return Plan(**{"days": 3, "slates": 240, "seed": 3, "scenario": "steady", "start": START, **changes})


def read_lines(summary: Summary) -> list[bytes]:
    return [line for path in summary.files for line in gzip.decompress(path.read_bytes()).splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary, list[AnyEvent]]:
    out = tmp_path_factory.mktemp("steady")
    summary = simulate(plan(), out)
    return out, summary, [decode_line(line) for line in read_lines(summary)]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    steady: tuple[Path, Summary, list[AnyEvent]], tmp_path: Path
) -> None:
    simulate(plan(), tmp_path / "same")
    simulate(plan(seed=4, days=1), tmp_path / "other")
    assert contents(tmp_path / "same") == contents(steady[0])
    assert contents(tmp_path / "other") != contents(steady[0])
    simulate(plan(), tmp_path / "same")
    assert contents(tmp_path / "same") == contents(steady[0]), "again is the same log"
    with pytest.raises(
        UsageError, match=r"found events-2026-01-05\.jsonl\.gz and more of another simulation"
    ):
        simulate(plan(seed=4), tmp_path / "same")
    assert contents(tmp_path / "same") == contents(steady[0])


def test_a_day_of_several_chunks_has_every_campaign_once_and_its_slates_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("letterpress.simulation.plan.CHUNK_SLATES", 50)
    monkeypatch.setattr("letterpress.simulation.day_log.CHUNK_SLATES", 50)
    summary = simulate(plan(days=1, slates=170), tmp_path)
    events = [decode_line(line) for line in read_lines(summary)]
    assert len({event.event_id for event in events}) == len(events)
    slates = [event for event in events if isinstance(event, Slate)]
    campaigns = {event.campaign.campaign_id for event in events if isinstance(event, Campaign)}
    assert {slate.campaign.campaign_id for slate in slates} <= campaigns
    assert [slate.slate_id for slate in slates] == sorted(slate.slate_id for slate in slates)
    assert len(list((tmp_path / "truth" / "slates").iterdir())) == 4


def test_nothing_of_the_spool_is_left_and_no_file_is_half_written(
    steady: tuple[Path, Summary, list[AnyEvent]],
) -> None:
    out, summary, _ = steady
    assert {path.name for path in out.iterdir()} == {"truth", *(path.name for path in summary.files)}


def test_zst_holds_the_same_lines(steady: tuple[Path, Summary, list[AnyEvent]], tmp_path: Path) -> None:
    summary = simulate(plan(packing="zst"), tmp_path)
    assert [path.suffix for path in summary.files] == [".zst"] * 3
    with zstandard.open(summary.files[0], "rb") as stream:
        assert stream.read() == gzip.decompress(steady[1].files[0].read_bytes())


def test_every_line_is_counted_and_no_id_is_used_twice(steady: tuple[Path, Summary, list[AnyEvent]]) -> None:
    _, summary, events = steady
    assert Counter(event.__struct_config__.tag for event in events) == summary.events
    assert summary.events["slate"] > 230
    assert len({event.event_id for event in events}) == len(events)


def test_a_file_a_day_in_the_order_of_arrival_and_nothing_from_the_future(
    steady: tuple[Path, Summary, list[AnyEvent]],
) -> None:
    _, summary, _ = steady
    assert [path.name for path in summary.files] == [f"events-2026-01-0{day}.jsonl.gz" for day in (5, 6, 7)]
    for day, path in enumerate(summary.files):
        received = [decode_line(line).received_at for line in gzip.decompress(path.read_bytes()).splitlines()]
        times = [moment for moment in received if moment is not None]
        assert len(times) == len(received)
        assert times == sorted(times)
        assert START + timedelta(days=day) <= times[0]
        assert times[-1] < START + timedelta(days=day + 1)


def test_slates_are_uniform_and_come_after_their_items(steady: tuple[Path, Summary, list[AnyEvent]]) -> None:
    _, _, events = steady
    items = {event.item_id: event for event in events if isinstance(event, Item)}
    for slate in (event for event in events if isinstance(event, Slate)):
        assert [shown.position for shown in slate.items] == list(range(1, 9))
        assert {shown.propensity for shown in slate.items} == {1 / 24}
        assert slate.policy == "uniform"
        assert {items[shown.item_id].tenant for shown in slate.items} == {slate.tenant}
        assert len({items[shown.item_id].source_id for shown in slate.items}) == 1
        assert all(items[shown.item_id].occurred_at <= slate.occurred_at for shown in slate.items)


def test_what_was_chosen_and_the_originals_of_experiments_are_sent(
    steady: tuple[Path, Summary, list[AnyEvent]],
) -> None:
    out, summary, events = steady
    raw = [json.loads(line) for line in read_lines(summary)]
    chosen = {(e.slate_id, e.item_id) for e in events if isinstance(e, Interaction) and e.action == "chosen"}
    arms = Truth.open(out).experiments().to_pylist()
    controls = {(arm["slate_id"], arm["item_id"]) for arm in arms if arm["is_original"]}
    sent = {(e.slate_id, e.item_id) for e in events if isinstance(e, Outcome)}
    assert sent <= chosen | controls
    assert {line["experiment"]["original_arm"] for line in raw if "experiment" in line} == {
        item for _, item in controls
    }
    named = {(line["slate_id"], line["item_id"]) for line in raw if "experiment_id" in line}
    assert named <= {(arm["slate_id"], arm["item_id"]) for arm in arms}
    assert len(named) > 0.8 * len(arms)
    assert {2, 3, 4} >= set(Counter(arm["experiment_id"] for arm in arms).values())
    assert len(controls - chosen) > 0.1 * len({slate for slate, _ in chosen})


def test_no_more_click_than_open_than_were_delivered_and_all_is_known_within_days(
    steady: tuple[Path, Summary, list[AnyEvent]],
) -> None:
    _, _, events = steady
    early = {
        e.slate_id for e in events if isinstance(e, Slate) and e.occurred_at < START + timedelta(hours=12)
    }
    counts: dict[tuple[str, str], Counter[str]] = {}
    delays = []
    for event in events:
        if isinstance(event, Outcome) and event.slate_id in early:
            counts.setdefault((event.slate_id, event.item_id), Counter())[event.kind] += event.count
            if event.kind == "clicked":
                delays += [(event.occurred_at - START) / timedelta(hours=1)] * event.count
    for each in counts.values():
        assert each["clicked"] <= each["opened"] <= each["delivered"]
    assert {"delivered", "opened", "clicked", "converted", "unsubscribed", "bounced"} == {
        kind for each in counts.values() for kind in each
    }
    assert 0.05 < sum(delay > 36 for delay in delays) / len(delays) < 0.3


def test_higher_positions_are_chosen_more(tmp_path: Path) -> None:
    summary = simulate(plan(slates=1500), tmp_path)
    events = [decode_line(line) for line in read_lines(summary)]
    place = {
        (event.slate_id, shown.item_id): shown.position
        for event in events
        if isinstance(event, Slate)
        for shown in event.items
    }
    chosen = Counter(
        place[event.slate_id, event.item_id]
        for event in events
        if isinstance(event, Interaction) and event.action == "chosen"
    )
    assert chosen[1] > 1.2 * chosen[3] > 1.2 * chosen[8]


def test_the_truth_lies_beside_the_log_and_explains_the_clicks(tmp_path: Path) -> None:
    summary = simulate(plan(), tmp_path)
    truth = Truth.open(tmp_path).facts
    assert truth["events"] == dict(sorted(summary.events.items()))
    assert truth["examination"][0] == 1.0
    assert truth["propensity"] == 1 / 24
    effects = Truth.open(tmp_path).items().to_pylist()
    assert len({row["item_id"] for row in effects}) == summary.events["item"] == len(effects)
    assert all(abs(row["chance"]) < 0.3 for row in effects)


def test_another_start_hour_moves_everything(tmp_path: Path) -> None:
    summary = simulate(plan(start=START + timedelta(hours=7)), tmp_path)
    first = decode_line(read_lines(summary)[0])
    assert first.occurred_at == START + timedelta(hours=7)


def test_an_unknown_scenario_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UsageError, match="steady, covariate-drift"):
        plan(scenario="storm")


def test_the_day_of_the_drift_is_the_middle_unless_it_is_named() -> None:
    assert plan(days=5, scenario="clock-skew").drift_at == plan().begin + 2 * 86_400_000
    assert plan(days=5, scenario="clock-skew", drift_day=4).drift_at == plan().begin + 4 * 86_400_000


@pytest.mark.parametrize(
    "changes", [{"packing": "rar"}, {"days": 0}, {"slates": 0}, {"start": START + timedelta(minutes=5)}]
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        plan(**changes)
