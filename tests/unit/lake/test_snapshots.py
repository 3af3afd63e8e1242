from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from letterpress.clock import ManualClock
from letterpress.errors import NotYetThereError, StorageError
from letterpress.lake.known_items import ItemDescription
from letterpress.lake.ledger import commit_batch
from letterpress.lake.recent_slates import hash_name
from letterpress.lake.snapshots import (
    COUNT_NAMES,
    ENTITIES,
    KEY_SEPARATOR,
    WINDOWS,
    Snapshot,
    SnapshotInfo,
    SnapshotSpec,
    publish_snapshot,
    read_current,
)
from letterpress.settings import Home

SPEC = {
    "pictures": SnapshotSpec(("brightness", "contrast"), ("item_choose_rate",), "5ce3a"),
    "subjects": SnapshotSpec((), ("item_choose_rate",), "0b1e7"),
}
MARTS = f"""
    create table ftr_item_hours as
        select 'pictures' as recommender, tenant, item_id, as_of_at::timestamptz as as_of_at,
            {", ".join(f"n::bigint + {place} as {name}" for place, name in enumerate(COUNT_NAMES))}
        from (values
            ('t1', 'b', '2026-01-05 11:00:00+00', 100), ('t1', 'b', '2026-01-05 12:00:00+00', 1000),
            ('t1', 'a', '2026-01-05 11:00:00+00', 1), ('t0', 'z', '2026-01-05 10:00:00+00', 7)
        ) as hours (tenant, item_id, as_of_at, n);
    create table ftr_item_segment_hours as
        select *, 'new' as segment from ftr_item_hours where item_id = 'a';
    create table ftr_enhancement_industry_hours as
        select * exclude (tenant, item_id), 'warm' as enhancement, 'food' as industry
        from ftr_item_hours where item_id = 'z';
    create table ftr_enhancement_hours as select * exclude (industry) from ftr_enhancement_industry_hours;
    create table ftr_tenant_hours as select * exclude (item_id) from ftr_item_hours where tenant = 't0';
    create table ftr_send_hour_hours as select *, 9::bigint as send_hour from ftr_tenant_hours;
    create table dim_items as
        select 'pictures' as recommender, tenant, item_id, 'variant' as item_kind, source_id,
            attributes, map {{'enhancement': item_id}} as item_labels,
            timestamptz '2026-01-05 09:30:00+00' as known_at
        from (values
            ('t1', 'b', 'p1', map {{'brightness': 0.25, 'contrast': 0.5}}),
            ('t0', 'z', null, map {{'contrast': 0.75}}),
            ('t1', 'a', 'p1', null)
        ) as items (tenant, item_id, source_id, attributes);
    create table fct_slate_items as
        select 'pictures' as recommender, 't1' as tenant, 's1' as slate_id, item_id, '2026-01-05T10' as hour,
            timestamptz '2026-01-05 10:00:00+00' as shown_at, shown_as_of_at::timestamptz as shown_as_of_at,
            chosen_as_of_at::timestamptz as chosen_as_of_at, timestamptz '2026-01-06 15:00:00+00' as send_at,
            segment, item_id as enhancement, 'food' as industry
        from (values
            ('a', 'new', '2026-01-05 11:00:00+00', '2026-01-05 12:00:00+00'),
            ('b', null, '2026-01-05 11:00:00+00', null),
            ('c', 'new', '2026-01-05 13:00:00+00', null)
        ) as slates (item_id, segment, shown_as_of_at, chosen_as_of_at);
    create table stg_letterpress__interactions as
        select 'pictures' as recommender, 't1' as tenant, event_id, '2026-01-05T10' as stored_as, slate_id,
            'a' as item_id, timestamptz '2026-01-05 10:05:00+00' as occurred_at, 'chosen' as action,
            timestamptz '2026-01-05 10:10:00+00' as received_at
        from (values ('e1', 's1'), ('e0', 'not seen yet')) as interactions (event_id, slate_id);
    create table stg_letterpress__outcomes as
        select * replace ('e2' as event_id, timestamptz '2026-01-05 12:00:00+00' as received_at),
            'clicked' as kind, cast(3 as bigint) as amount
        from stg_letterpress__interactions where slate_id = 's1';
    create table training_examples as
        select 'pictures' as recommender, 't1' as tenant, slate_id, item_id, position,
            timestamptz '2026-01-05 10:00:00+00' as shown_at
        from (values ('s2', 'a', 2), ('s2', 'b', 1), ('s1', 'a', 1)) as rows (slate_id, item_id, position);
"""  # noqa: S608


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a snapshot that tests only read."""
    home = Home(root=tmp_path_factory.mktemp("published"))
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'").fetchall()
        connection.execute(MARTS).fetchall()
    publish(home)
    return home


@pytest.fixture
def home(published: Home, tmp_path: Path) -> Home:
    """A copy of it that a test may change."""
    shutil.copytree(published.root, tmp_path, dirs_exist_ok=True)
    return Home(root=tmp_path)


def publish(home: Home, at: datetime = datetime(2026, 1, 6, tzinfo=UTC), **options: Any) -> SnapshotInfo:
    clock = ManualClock(at)
    return publish_snapshot(home, SPEC, clock, threads=1, **options)


def current_folder(home: Home) -> Path:
    current = read_current(home)
    assert current is not None
    return home.snapshots / current.snapshot


def change_warehouse(home: Home, statement: str) -> None:
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute(statement).fetchall()


def test_counts_are_sums_and_unknown_keys_are_zeros(published: Home) -> None:
    snapshot = Snapshot.open(published)
    keys = [f"t1{KEY_SEPARATOR}b", "never seen", f"t0{KEY_SEPARATOR}z"]
    counts = snapshot.counts("pictures", "item", keys)
    assert counts.dtype == np.int64
    assert counts[:, :6].tolist() == [
        [1100 + 2 * place for place in range(6)],
        [0] * 6,
        [7, 8, 9, 10, 11, 12],
    ]
    key = KEY_SEPARATOR.join(("t1", "a", "new"))
    assert snapshot.counts("pictures", "item_segment", [key])[0, 0] == 1
    assert snapshot.counts("pictures", "enhancement_industry", [f"warm{KEY_SEPARATOR}food"])[0, 0] == 7
    assert snapshot.counts("pictures", "send_hour", [f"t0{KEY_SEPARATOR}9"])[0, 0] == 7
    assert snapshot.counts("subjects", "item", keys).sum() == 0


def shown_of_b(home: Home) -> int:
    return int(Snapshot.open(home).counts("pictures", "item", [f"t1{KEY_SEPARATOR}b"])[0, 0])


@pytest.mark.parametrize(("minute", "as_of", "shown"), [(0, 12, 1100), (59, 12, 1100), (-1, 11, 100)])
def test_counts_are_of_whole_hours_that_are_over(home: Home, minute: int, as_of: int, shown: int) -> None:
    shutil.rmtree(home.snapshots)
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    info = publish(home, noon + timedelta(minutes=minute))
    assert info.manifest.as_of == noon.replace(hour=as_of)
    assert shown_of_b(home) == shown


def test_what_is_not_built_yet_holds_the_counts_back(home: Home) -> None:
    shutil.rmtree(home.snapshots)
    received = datetime(2026, 1, 5, 11, 10, tzinfo=UTC)
    commit_batch(home, [], {("pictures", "2026-01-05T10"): received}, [], received)
    assert publish(home).manifest.as_of == datetime(2026, 1, 5, 11, tzinfo=UTC)
    assert shown_of_b(home) == 100


def test_an_event_from_long_ago_takes_nothing_away_that_is_served(home: Home) -> None:
    ages_ago = datetime(2001, 1, 1, tzinfo=UTC)
    commit_batch(home, [], {("pictures", "2026-01-05T10"): ages_ago}, [], ages_ago)
    assert publish(home).manifest.as_of == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert shown_of_b(home) == 1100


def test_counts_are_kept_for_every_window_from_its_midnight_on(home: Home) -> None:
    """Midnight belongs to the day before: what arrived in its last hour."""
    change_warehouse(
        home,
        """
        delete from ftr_item_hours;
        insert into ftr_item_hours
        select 'pictures', 't1', 'b', arrived::timestamptz, n, 0, 0, 0, 0, 3_000_000_000
        from (values
            ('2026-02-10 06:00:00+00', 1), ('2026-02-09 01:00:00+00', 2), ('2026-02-09 00:00:00+00', 4),
            ('2026-02-03 01:00:00+00', 8), ('2026-02-03 00:00:00+00', 16),
            ('2026-01-13 01:00:00+00', 32), ('2026-01-13 00:00:00+00', 64)
        ) as hours (arrived, n)
        """,
    )
    publish(home, datetime(2026, 2, 10, 6, 30, tzinfo=UTC))
    counts = Snapshot.open(home).counts("pictures", "item", [f"t1{KEY_SEPARATOR}b"])[0]
    assert dict(zip(WINDOWS, counts[::6].tolist(), strict=True)) == {
        "birth": 127,
        "28d": 63,
        "7d": 15,
        "1d": 3,
    }
    assert counts[5::6].tolist() == [n * 3_000_000_000 for n in (7, 6, 4, 2)]


def test_no_keys_give_no_rows(published: Home) -> None:
    assert Snapshot.open(published).counts("pictures", "item", []).shape == (0, 24)


def test_items_are_found_by_tenant_and_by_name(published: Home) -> None:
    items = Snapshot.open(published).items("pictures")
    assert [items.item_id(row) for row in items.rows("t1")] == ["a", "b"]
    assert len(items.rows("nobody")) == 0
    row, unknown = items.find("t1", ["b", "z"]).tolist()
    assert items.attributes[row].tolist() == [0.25, 0.5]
    assert items.describe(row) == ItemDescription("variant", "p1", {"enhancement": "b"})
    assert unknown == len(items)
    (last,) = items.find("t0", ["z"]).tolist()
    assert np.isnan(items.attributes[last, 0])
    assert items.describe(last).source_id is None


def test_counts_are_found_by_the_row_of_the_item_too(published: Home) -> None:
    snapshot = Snapshot.open(published)
    rows = snapshot.items("pictures").rows("t1")
    assert snapshot.item_counts("pictures", rows)[:, 0].tolist() == [1, 1100]


def test_the_training_set_keeps_slates_together_in_order(published: Home) -> None:
    table = pq.read_table(Snapshot.open(published).training_path("pictures"))
    assert table["slate_id"].to_pylist() == ["s1", "s2", "s2"]
    assert table["item_id"].to_pylist() == ["a", "b", "a"]


def test_equal_content_has_an_equal_id(home: Home) -> None:
    again = publish(home)
    assert not again.is_new
    assert again.snapshot == current_folder(home).name
    assert again.manifest.as_of == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert again.manifest.recommenders["pictures"].rows == {
        "item": 3,
        "item_segment": 1,
        "enhancement_industry": 1,
        "enhancement": 1,
        "tenant": 1,
        "send_hour": 1,
        "items": 3,
        "recent": 2,
        "training": 3,
    }


def test_only_the_last_few_are_kept_and_nothing_half_written_stays(home: Home) -> None:
    names = []
    for count in range(4):
        change_warehouse(home, f"update ftr_item_hours set shown = shown + {count + 1}")  # noqa: S608
        names.append(publish(home, kept=2).snapshot)
    folders = {path.name for path in home.snapshots.iterdir() if path.is_dir()}
    assert folders == set(names[-2:])
    current = read_current(home)
    assert current is not None
    assert (current.snapshot, current.history) == (names[-1], (names[-2],))
    assert Snapshot.open(home, names[-2]).snapshot_id == names[-2]


@pytest.mark.parametrize(
    "name", ["item.npy", "item.slots.npy", "item.text.npy", "items.npy", "items.described.text.npy"]
)
def test_a_changed_file_is_refused_by_name(home: Home, name: str) -> None:
    folder = current_folder(home)
    victim = folder / "pictures" / name
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    victim.write_bytes(content)
    with pytest.raises(StorageError, match=name):
        Snapshot.open(home)


def test_a_file_cut_short_is_refused(home: Home) -> None:
    folder = current_folder(home)
    victim = folder / "pictures" / "training.parquet"
    victim.write_bytes(victim.read_bytes()[:-10])
    snapshot = Snapshot.open(home)
    with pytest.raises(StorageError, match=r"training\.parquet"):
        snapshot.training_path("pictures")


def test_a_missing_file_is_refused(home: Home) -> None:
    folder = current_folder(home)
    (folder / "subjects" / "item.npy").unlink()
    with pytest.raises(StorageError, match=r"item\.npy"):
        Snapshot.open(home)


def test_an_altered_manifest_is_refused(home: Home) -> None:
    folder = current_folder(home)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("5ce3a", "5ce3b"))
    with pytest.raises(StorageError, match="manifest"):
        Snapshot.open(home)


def test_a_foreign_schema_is_refused(published: Home) -> None:
    assert (
        Snapshot.open(published, schema_hashes={"pictures": "5ce3a"}).entry("pictures").schema_hash == "5ce3a"
    )
    with pytest.raises(StorageError, match="feature schema other"):
        Snapshot.open(published, schema_hashes={"pictures": "other"})


def test_a_damaged_snapshot_is_healed_by_publishing_again(home: Home) -> None:
    folder = current_folder(home)
    (folder / "pictures" / "item.npy").unlink()
    assert publish(home).is_new
    assert Snapshot.open(home).snapshot_id == folder.name


def test_no_snapshot_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotYetThereError, match="letterpress features"):
        Snapshot.open(Home(root=tmp_path))


def test_a_snapshot_of_another_name_is_answered_with_those_that_exist(home: Home) -> None:
    with pytest.raises(NotYetThereError, match=f"found 'nope' and there only {current_folder(home).name}"):
        Snapshot.open(home, "nope")


def test_a_current_that_is_no_json_is_refused_and_replaced(home: Home) -> None:
    folder = current_folder(home)
    (home.snapshots / "current.json").write_text("{")
    with pytest.raises(StorageError, match=r"current\.json"):
        Snapshot.open(home)
    publish(home)
    assert json.loads((home.snapshots / "current.json").read_text())["snapshot"] == folder.name


def test_publishing_without_marts_leaves_the_current_snapshot(home: Home) -> None:
    folder = current_folder(home)
    change_warehouse(home, "drop table dim_items")
    with pytest.raises(StorageError, match="dim_items"):
        publish(home)
    assert Snapshot.open(home).snapshot_id == folder.name
    assert {path.name for path in home.snapshots.iterdir()} == {folder.name, "current.json"}


def test_publishing_without_a_warehouse_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotYetThereError, match="letterpress ingest"):
        publish(Home(root=tmp_path))


def test_an_unknown_recommender_is_named(published: Home) -> None:
    with pytest.raises(StorageError, match="calls_to_action"):
        Snapshot.open(published).items("calls_to_action")


def test_recent_slates_are_found_with_the_keys_of_what_is_counted(published: Home) -> None:
    snapshot = Snapshot.open(published)
    recent = snapshot.recent("pictures")
    row, unsegmented = recent.find(hash_name("t1", "s1", "a")), recent.find(hash_name("t1", "s1", "b"))
    assert row is not None
    assert unsegmented is not None
    assert recent.find(hash_name("t1", "s1", "c")) is None, "it was not known yet"
    assert (recent.chosen[row], recent.chosen[unsegmented]) == (True, False)
    assert recent.hours[row] == datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp() / 3600
    places = {entity: place for place, entity in enumerate(ENTITIES)}
    items, segments = (snapshot.keys_of("pictures", each) for each in ("item", "item_segment"))
    assert items.keys[recent.keys[row, places["item"]]] == f"t1{KEY_SEPARATOR}a"
    assert segments.keys[recent.keys[row, places["item_segment"]]] == KEY_SEPARATOR.join(("t1", "a", "new"))
    assert recent.keys[unsegmented, places["item_segment"]] == len(segments), (
        "nobody counts without a segment"
    )


def test_reactions_that_are_counted_are_known_by_their_ids(published: Home) -> None:
    recent = Snapshot.open(published).recent("pictures")
    assert recent.has_counted(hash_name("t1", "interaction", "e1"))
    assert not recent.has_counted(hash_name("t1", "outcome", "e1"))
    assert not recent.has_counted(hash_name("t1", "outcome", "e2")), "it arrived with the hour that follows"
    assert len(Snapshot.open(published).recent("subjects").reactions) == 0


def test_reactions_to_slates_that_have_not_arrived_wait_in_the_snapshot(published: Home) -> None:
    at = datetime(2026, 1, 5, 10, 10, tzinfo=UTC).timestamp()
    assert Snapshot.open(published).recent("pictures").waiting.tolist() == [
        [
            hash_name("pictures", "t1", "not seen yet"),
            hash_name("t1", "not seen yet", "a"),
            at * 1e6,
            at // 3600,
            COUNT_NAMES.index("chosen"),
            1,
        ]
    ]
