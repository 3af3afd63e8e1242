"""The dbt project on real DuckDB: labels, known-at counts, and increments that equal a full refresh."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise, product
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from bench.features import contents
from bench.peers import features
from tests.integration.small_world import HOURS_OF_VISIT, World, arrival, make_log

from letterpress.errors import BrokenError, GateFailedError, NotEnoughDataError, UsageError
from letterpress.events.session import SESSION_COUNTS, SESSION_SPAN
from letterpress.events.types import AnyEvent, CampaignContext, Interaction, Outcome, Slate
from letterpress.features import entity_keys
from letterpress.features.columns import count_column
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_schema import partition_path
from letterpress.lake.snapshots import COUNT_NAMES, ENTITIES, WINDOWS, Snapshot
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.build_features import (
    build_features,
    run_dbt,
    write_manifest,
)
from letterpress.orchestration.publish_features import publish_features
from letterpress.recommenders import RECOMMENDERS
from letterpress.settings import FeatureSettings, Settings

WriteRaw = Callable[[Path, Iterable[AnyEvent]], None]
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)
MARTS = (
    "fct_slate_items",
    "fct_outcomes",
    "fct_email_scores",
    "fct_experiments",
    "dim_items",
    "dim_campaigns",
    "dim_tenants",
    "ftr_item_hours",
    "ftr_item_segment_hours",
    "ftr_enhancement_industry_hours",
    "ftr_enhancement_hours",
    "ftr_tenant_hours",
    "ftr_send_hour_hours",
    "ftr_slate_sessions",
    "training_examples",
)
PART = 20
"""Slates."""
STARTS = {
    "birth": "timestamptz '-infinity'",
    **{
        window: f"date_trunc('day', shown.at - interval 1 hour) - interval {window[:-1]} day"
        for window in WINDOWS[1:]
    },
}
EXAMPLES = """(
    select examples.*, least(date_trunc('hour', shown_at), shown_as_of_at - interval 1 hour) as known_until
    from training_examples as examples
    inner join (select recommender, tenant, slate_id, item_id, shown_as_of_at from fct_slate_items)
        using (recommender, tenant, slate_id, item_id)
)"""
"""With the hour before which things had to arrive: of the slate, or of its arrival if its clock is ahead."""
TARGETS = ("chosen", "delivered", "clicked", "converted", "unsubscribed", "email_score")


@pytest.fixture(scope="module")
def log(start: datetime) -> list[AnyEvent]:
    return make_log(start)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, log: list[AnyEvent], write_raw: WriteRaw) -> Settings:
    """A home in which the whole log was built by one run, in parts of a few slates."""
    settings = Settings(home=tmp_path_factory.mktemp("built"), build_part_slates=PART)
    write_raw(settings.paths.raw, log)
    result = build_features(settings)
    assert result["models"] == 26
    assert result["tests"] > 20
    return settings


def run_models(settings: Settings, range_text: str | None = None) -> None:
    changed = HourRange.parse(range_text) if range_text else None
    run_dbt(settings, ["run"], changed)


def read_table(settings: Settings, query: str) -> pa.Table:
    with connect_warehouse(settings.paths, read_only=True, threads=2) as connection:
        return connection.sql(query).to_arrow_table()


def read_marts(settings: Settings) -> dict[str, pa.Table]:
    return {mart: read_table(settings, f"from {mart} order by all") for mart in MARTS}


def mark_all_rows(settings: Settings) -> None:
    """Leave a trace in every row, which a row that is written again loses."""
    with connect_warehouse(settings.paths, read_only=False, threads=2) as connection:
        connection.execute("update fct_slate_items set model = 'marked'").fetchall()
        connection.execute("update training_examples set policy = 'marked'").fetchall()
        connection.execute("update ftr_item_hours set shown = shown + 1000").fetchall()


def hours_with(settings: Settings, condition: str, table: str = "fct_slate_items") -> set[str]:
    found = read_table(settings, f"select distinct hour from {table} where {condition}")  # noqa: S608
    return set(found["hour"].to_pylist())


def settled_at(settings: Settings) -> datetime:
    """Slates shown until then have a score."""
    table = read_table(settings, "select max(as_of_at) - interval 48 hours as settled_at from fct_outcomes")
    settled: datetime = table["settled_at"][0].as_py()
    return settled


def slate_keys(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["tenant"].to_pylist(), table["slate_id"].to_pylist(), strict=True))


def hour_of(event: AnyEvent) -> datetime:
    return event.occurred_at.replace(minute=0, second=0, microsecond=0)


@pytest.mark.parametrize(("seed", "threads"), [(1, 1), (2, 2)])
def test_increments_in_any_order_equal_a_full_refresh(
    seed: int, threads: int, built: Settings, log: list[AnyEvent], write_raw: WriteRaw, tmp_path: Path
) -> None:
    """Blocks of hours in any order; one is built twice, and models by themselves after another range."""
    settings = Settings(home=tmp_path, threads=threads)
    hours = sorted({hour_of(event) for event in log})
    cuts = sorted(random.Random(seed).sample(range(1, len(hours)), 3))
    blocks = [hours[start:end] for start, end in pairwise((0, *cuts, len(hours)))]
    random.Random(seed).shuffle(blocks)
    present: set[datetime] = set()
    for block in (*blocks, blocks[0]):
        present |= set(block)
        write_raw(settings.paths.raw, [event for event in log if hour_of(event) in present])
        run_models(settings, HourRange(block[0], block[-1] + HOUR).key)
    alone = HourRange(blocks[1][0], blocks[1][-1] + HOUR)
    run_dbt(settings, ["run", "--select", "ftr_item_hours", "training_examples"], alone)
    assert read_marts(settings) == read_marts(built)


def test_all_of_history_is_written_again_in_parts(built: Settings, tmp_path: Path) -> None:
    shutil.copytree(built.home, tmp_path, dirs_exist_ok=True)
    settings = Settings(home=tmp_path, build_part_slates=PART)
    log = settings.paths.log / "dbt" / "dbt.log"
    log.unlink()

    run_dbt(settings, ["run", "--select", "fct_slate_items"], None)

    slates = len(set(slate_keys(read_table(built, "from fct_slate_items"))))
    assert read_marts(settings) == read_marts(built)
    assert log.read_text().count("by name (with shown as (") >= slates / PART / 2 > 1


def test_a_late_event_rewrites_the_hour_of_its_slate_only(
    built: Settings, log: list[AnyEvent], write_raw: WriteRaw, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    shutil.copytree(built.home, tmp_path, dirs_exist_ok=True)
    slate = min((event for event in log if isinstance(event, Slate)), key=lambda event: event.occurred_at)
    at = max(event.occurred_at for event in log) + 30 * HOUR
    late = Outcome(
        event_id="late",
        tenant=slate.tenant,
        recommender=slate.recommender,
        occurred_at=at,
        slate_id=slate.slate_id,
        item_id=slate.items[0].item_id,
        kind="converted",
        count=5,
    )
    mark_all_rows(settings)
    settled = settled_at(settings)
    write_raw(settings.paths.raw, [late])
    result = build_features(settings, HourRange(hour_of(late), hour_of(late) + HOUR).key)
    assert result["range"] == HourRange(hour_of(late), hour_of(late) + HOUR).key
    its_hour = hour_of(slate).strftime("%Y-%m-%dT%H")
    assert hours_with(settings, "model is null") == {its_hour}
    assert len(hours_with(settings, "model = 'marked'")) > 10
    counted = read_table(settings, "from ftr_item_hours where shown < 1000")
    assert 0 < counted.num_rows < read_table(settings, "from ftr_item_hours").num_rows / 4
    assert hour_of(late) + HOUR in set(counted["as_of_at"].to_pylist())
    newly_scored = f"delivered > 0 and shown_at > '{settled}' and shown_at <= '{settled_at(settings)}'"
    expected = {its_hour} | hours_with(settings, newly_scored, "training_examples")
    assert hours_with(settings, "policy != 'marked'", "training_examples") == expected
    assert len(hours_with(settings, "policy = 'marked'", "training_examples")) > 10
    converted = read_table(settings, "select sum(converted) as n from training_examples").to_pylist()
    assert converted == [{"n": 5}]


def test_an_outcome_that_comes_before_its_slate_waits_and_joins_later(
    start: datetime, write_raw: WriteRaw, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    world = World(start, seed=5)
    world.describe_items("t", 0.0)
    world.show_slate("t", 1.0)
    slate = next(event for event in world.events if isinstance(event, Slate))
    early = [event for event in world.events if not isinstance(event, Slate)]
    clicked = sum(each.count for each in early if isinstance(each, Outcome) and each.kind == "clicked")
    write_raw(settings.paths.raw, early)
    run_models(settings)
    assert read_table(settings, "from fct_slate_items").num_rows == 0
    write_raw(settings.paths.raw, [slate])
    run_models(settings, HourRange(hour_of(slate), hour_of(slate) + HOUR).key)
    assert read_table(settings, "select sum(clicked) as n from fct_outcomes").to_pylist() == [{"n": clicked}]
    assert clicked > 0


@pytest.fixture(scope="module")
def cut(
    tmp_path_factory: pytest.TempPathFactory, log: list[AnyEvent], write_raw: WriteRaw, start: datetime
) -> tuple[Settings, datetime]:
    """A home built of what had arrived before the hour in which all tenants are visited, and that hour."""
    hour = start + HOURS_OF_VISIT * HOUR
    settings = Settings(home=tmp_path_factory.mktemp("cut"))
    write_raw(settings.paths.raw, [event for event in log if arrival(event) < hour])
    run_models(settings)
    return settings, hour


def test_what_arrives_later_never_changes_what_was_known(
    built: Settings, cut: tuple[Settings, datetime]
) -> None:
    """Rows of the log as it stood at a moment are those of the whole log, whatever times its events carry."""
    known = f"select * exclude ({', '.join(TARGETS)}) from training_examples order by all"  # noqa: S608
    then, now = read_table(cut[0], known), read_table(built, known)
    keys = [slate_keys(table) for table in (then, now)]
    was_there = pa.array([key in set(keys[0]) for key in keys[1]])
    assert 20 < then.num_rows < now.num_rows
    assert then == now.filter(was_there)


def test_a_snapshot_serves_the_counts_that_training_says_were_known(
    built: Settings, cut: tuple[Settings, datetime]
) -> None:
    """What a request in this hour gets from the newest snapshot is what its row is trained on later."""
    settings, hour = cut
    publish_features(settings)
    snapshot = Snapshot.open(settings.paths)
    rows = read_table(built, f"from {EXAMPLES} where known_until = '{hour:%Y-%m-%dT%H:00:00Z}'").to_pylist()
    assert len({row["hour"] for row in rows}) > 1, "a clock that is not ours"
    for row in rows:
        labels = [dict(row["item_labels"] or ())]
        campaign = CampaignContext(
            campaign_id="c", segment=row["segment"], industry=row["industry"], send_at=row["send_at"]
        )
        for entity in ENTITIES:
            keys = entity_keys(entity, row["tenant"], campaign, [row["item_id"]], labels)
            served = snapshot.counts("image_enhancement", entity, keys)[0].tolist()
            known = [row[count_column(entity, *each[::-1])] for each in product(WINDOWS, COUNT_NAMES)]
            assert served == known
    assert sum(row["item_delivered"] for row in rows) > 0


def test_a_sender_whose_clock_is_ahead_fails_no_test_of_the_build(built: Settings) -> None:
    """`built` passed them, with outcomes that were known before their slates say that they were shown."""
    early = read_table(built, "select distinct tenant from fct_outcomes where as_of_at <= shown_at")
    assert early["tenant"].to_pylist() == ["ahead"]


def test_windows_hold_what_arrived_in_so_many_whole_days_and_today(built: Settings) -> None:
    """Counted anew for each training row from what became known when, one condition a window."""
    for entity, keys in ENTITIES.items():
        same = " and ".join(f"told.{key} = shown.{key}" for key in keys)
        told = ", ".join(
            f"coalesce(sum(told.{count}) filter ("
            f"where told.as_of_at > {start}), 0)::bigint as {count_column(entity, count, window)}"
            for window, start in STARTS.items()
            for count in COUNT_NAMES
        )
        stored = ", ".join(count_column(entity, *each[::-1]) for each in product(WINDOWS, COUNT_NAMES))
        counted = read_table(
            built,
            f"""
            with shown as (
                select *, known_until as at, item_labels['enhancement'] as enhancement,
                    date_part('hour', send_at) as send_hour
                from {EXAMPLES}
            )
            select shown.slate_id, shown.item_id, {told}
            from shown left join int_slate_item_counts as told
                on {same} and told.as_of_at <= shown.at
            group by all order by all
            """,  # noqa: S608
        )
        query = f"select slate_id, item_id, {stored} from training_examples order by all"  # noqa: S608
        assert read_table(built, query) == counted
        differ = f"select count(*) filter (where {entity}_shown > {entity}_shown_28d) as old"
        differ += f", count(*) filter (where {entity}_shown_7d > {entity}_shown_1d) as recent"
        (found,) = read_table(built, f"{differ} from training_examples").to_pylist()
        assert min(found.values()) > 0


def test_a_hand_written_script_makes_the_same_rows(built: Settings, tmp_path: Path) -> None:
    """All marts a second time, in SQL that shares no line with the models."""
    script = tmp_path / "script.duckdb"
    features.main(str(built.paths.raw), str(script), "1", "1GB")
    tables = [mart for mart in MARTS if mart != "fct_outcomes"]
    found = contents(built.paths.warehouse, tables)
    assert contents(script, tables) == found
    assert min(rows for rows, _ in found.values()) > 0


def first_slates(log: list[AnyEvent]) -> list[Slate]:
    """The first copy of each slate of a session."""
    slates = sorted((each for each in log if isinstance(each, Slate) and each.session_id), key=arrival)
    return list({(each.tenant, each.slate_id): each for each in reversed(slates)}.values())


def session_moves(log: list[AnyEvent], slates: list[Slate]) -> list[tuple[str, str, datetime]]:
    """(tenant, what, when it became known) of all that sessions did; all of a tenant are one."""
    moves = [(each.tenant, "asked", arrival(each)) for each in slates]
    by_id = {(each.tenant, each.slate_id): each for each in slates}
    told: dict[tuple[str, str, str, str], datetime] = {}
    for each in log:
        if not isinstance(each, Interaction) or (each.tenant, each.slate_id) not in by_id:
            continue
        if hour_of(by_id[each.tenant, each.slate_id]) <= hour_of(each):
            key = (each.tenant, each.slate_id, each.item_id, each.action)
            told[key] = min(arrival(each), told.get(key, arrival(each)))
    for (tenant, slate_id, _, action), at in told.items():
        shown = arrival(by_id[tenant, slate_id])
        if abs(at - shown) <= SESSION_SPAN:
            moves.append((tenant, action, max(at, shown)))
    return moves


def test_the_pace_of_a_session_is_what_it_did_in_the_half_hour_before(
    built: Settings, log: list[AnyEvent]
) -> None:
    """Counted anew, move by move."""
    slates = first_slates(log)
    moves, expected = session_moves(log, slates), {}
    for slate in slates:
        until = min(slate.occurred_at, arrival(slate))
        before = [move for move in moves if move[0] == slate.tenant and move[2] < until]
        recent = [(what, at) for _, what, at in before if at >= until - SESSION_SPAN]
        asked, chosen = ([at for what, at in recent if what == name] for name in ("asked", "chosen"))
        since = min([at for _, at in recent], default=until)
        edits = len(recent) - len(asked)
        expected[slate.tenant, slate.slate_id] = (
            len(asked),
            len(chosen),
            edits,
            (until - since) // MICROSECOND,
        )
    names = ", ".join(SESSION_COUNTS)
    rows = read_table(built, f"select distinct tenant, slate_id, {names} from training_examples")  # noqa: S608
    found = {tuple(row.values())[:2]: tuple(row.values())[2:] for row in rows.to_pylist()}
    assert {key: pace for key, pace in found.items() if pace[0] is not None} == expected
    assert len(found) > len(expected) > 20
    most = [max(pace[place] for pace in expected.values()) for place in range(3)]
    assert most[0] > 2, "a visit asks more than once"
    assert min(most) > 0


def test_a_publication_lag_takes_the_last_hours_away(
    built: Settings, log: list[AnyEvent], write_raw: WriteRaw, tmp_path: Path
) -> None:
    """What imported logs would have been served: snapshots come so many hours late."""
    settings = Settings(home=tmp_path, features=FeatureSettings(publication_lag_hours=2))
    write_raw(settings.paths.raw, log)
    run_models(settings)
    query = f"""
        select tenant, item_id, known_until + interval {{}} hour as at, max(item_shown) as n
        from {EXAMPLES} group by all order by all
    """  # noqa: S608
    late, prompt = (
        {(row["tenant"], row["item_id"], row["at"]): row["n"] for row in read_table(each, sql).to_pylist()}
        for each, sql in ((settings, query.format(0)), (built, query.format(2)))
    )
    both = late.keys() & prompt.keys()
    assert len(both) > 10
    assert {key: late[key] for key in both} == {key: prompt[key] for key in both}


def test_a_build_that_fails_leaves_the_rows_as_they_were(built: Settings, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    shutil.copytree(built.home, tmp_path, dirs_exist_ok=True)
    before = read_marts(settings)
    hours = read_table(settings, "select distinct hour from fct_slate_items order by hour").to_pylist()
    victim = partition_path(settings.paths.raw, "image_enhancement", hours[3]["hour"], "outcome")
    whole = victim.read_bytes()
    victim.write_bytes(whole[:200] + bytes(len(whole) - 400) + whole[-200:])
    with pytest.raises(BrokenError, match="int_slates_touched"):
        run_models(settings, f"{hours[0]['hour']}--{hours[-1]['hour']}")
    assert read_marts(settings) == before


def test_a_broken_rule_is_named_and_refused(start: datetime, write_raw: WriteRaw, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    world = World(start, seed=1)
    world.show_slate("t", 1.0)
    slate = next(event for event in world.events if isinstance(event, Slate))
    slate.items[0].position = 0
    write_raw(settings.paths.raw, world.events)
    with pytest.raises(GateFailedError, match="position"):
        build_features(settings)


@pytest.mark.parametrize("range_text", [None, "2026-01-05T03--2026-01-05T04"])
def test_rules_hold_on_fixed_rows_whatever_hours_are_built(built: Settings, range_text: str | None) -> None:
    changed = HourRange.parse(range_text) if range_text else None
    results = run_dbt(built, ["test", "--select", "test_type:unit"], changed)
    assert len(results) >= 4
    assert {each["status"] for each in results} == {"pass"}


def test_an_empty_raw_is_told_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughDataError, match="letterpress ingest"):
        build_features(Settings(home=tmp_path))


def test_a_range_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="yesterday"):
        build_features(Settings(home=tmp_path), "yesterday")


def test_the_manifest_lists_every_mart_and_nothing_is_written_into_the_checkout(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    project = settings.project / "dbt"
    before = sorted(project.rglob("*"))
    manifest = msgspec.json.decode(write_manifest(settings).read_bytes())
    assert {f"model.letterpress.{mart}" for mart in MARTS} <= manifest["nodes"].keys()
    exposed = {name.rpartition(".")[2] for name in manifest["exposures"]}
    assert exposed == {"ranking_service", *RECOMMENDERS}
    assert sorted(project.rglob("*")) == before
