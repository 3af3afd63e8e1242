from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterpress.events.codec import decode_line
from letterpress.events.types import AnyEvent, CampaignContext, Interaction, Item, Outcome, ShownItem, Slate
from letterpress.lake.masking import mask_event, mask_rows
from letterpress.lake.raw_columns import events_to_table
from letterpress.lake.tenant_keys import TenantKeys

AT = datetime(2026, 1, 5, 3, tzinfo=UTC)
MAIL, PHONE = "bob@example.com", "+1 415 555 2671"


@pytest.fixture
def keys(tmp_path: Path) -> TenantKeys:
    return TenantKeys(tmp_path / "keys")


def in_raw(events: list[AnyEvent], keys: TenantKeys) -> tuple[pa.Table, Counter[tuple[str, str, str]]]:
    name = str(events[0].__struct_config__.tag)
    return mask_rows(name, events_to_table(name, events, AT), keys)


TEXTS = st.sampled_from(
    [
        "plain",
        "2026-01-05",
        "0191e4f5-1234",
        MAIL,
        PHONE,
        f"id-{MAIL}",
        'say "hi"@example.com',
        "x%40y.org",
        "ä b",
    ]
)
MAPS = st.dictionaries(TEXTS, TEXTS, max_size=3)
JSON = st.recursive(
    st.one_of(TEXTS, st.integers(-5, 5), st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
ENVELOPE: dict[str, Any] = {
    "event_id": TEXTS,
    "tenant": TEXTS,
    "recommender": st.just("subject_line"),
    "occurred_at": st.just(AT),
    "received_at": st.just(AT),
    "extra": st.dictionaries(TEXTS, JSON, max_size=3),
}
CAMPAIGN = st.builds(CampaignContext, campaign_id=TEXTS, industry=st.none() | TEXTS, labels=MAPS)
SHOWN = st.builds(
    ShownItem, item_id=TEXTS, position=st.just(1), features=st.none() | st.just([0.5, None]) | st.just([])
)
EVENTS = st.one_of(
    st.builds(
        Item,
        **ENVELOPE,
        item_id=TEXTS,
        kind=st.just("subject"),
        source_id=st.none() | TEXTS,
        labels=MAPS,
        attributes=st.dictionaries(TEXTS, st.floats(0, 1), max_size=3),
    ),
    st.builds(
        Slate,
        **ENVELOPE,
        slate_id=TEXTS,
        campaign=CAMPAIGN,
        slot=TEXTS,
        policy=st.just("greedy"),
        items=st.lists(SHOWN, min_size=1, max_size=3),
        builder_id=st.none() | TEXTS,
    ),
    st.builds(Interaction, **ENVELOPE, slate_id=TEXTS, item_id=TEXTS, action=st.just("chosen")),
    st.builds(
        Outcome,
        **ENVELOPE,
        slate_id=TEXTS,
        item_id=TEXTS,
        kind=st.just("clicked"),
        recipient_id=st.none() | TEXTS,
    ),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_the_table_and_the_single_form_agree_and_both_are_done_after_once(
    keys: TenantKeys, events: list[AnyEvent]
) -> None:
    for event in events:
        table, found = in_raw([event], keys)
        alone, found_alone = mask_event(event, keys)
        written, again = in_raw([decode_line(msgspec.json.encode(alone))], keys)
        assert written.equals(table)
        assert found_alone == found
        assert not again
        for text in (MAIL, "x%40y.org", "415 555"):
            assert text not in str(table.to_pylist())


def test_rows_of_many_tenants_are_masked_each_with_its_key(keys: TenantKeys) -> None:
    events: list[AnyEvent] = [
        Outcome(
            event_id=f"e{number}",
            tenant=f"tenant-{number % 3}",
            recommender="subject_line",
            occurred_at=AT,
            slate_id=f"s-{MAIL}" if number % 5 == 0 else f"s{number}",
            item_id="i",
            kind="clicked",
            recipient_id=f"person-{number % 2}",
        )
        for number in range(60)
    ]
    rows, found = in_raw(events, keys)
    whole = [mask_event(event, keys)[0] for event in events]
    assert rows["recipient_id"].to_pylist() == [each.recipient_id for each in whole]  # type: ignore[union-attr]
    assert rows["slate_id"].to_pylist() == [each.slate_id for each in whole]  # type: ignore[union-attr]
    assert len(set(rows["recipient_id"].to_pylist())) == 6
    assert found == {("outcome", "slate_id", "email"): 12, ("outcome", "recipient_id", "identifier"): 60}


def test_clean_rows_are_the_same_table_and_need_no_key(keys: TenantKeys) -> None:
    event = Item(event_id="e", tenant="t", recommender="r", occurred_at=AT, item_id="i", kind="picture")
    table = events_to_table("item", [event], AT)
    masked, found = mask_rows("item", table, keys)
    assert masked is table
    assert not found
    assert mask_event(event, keys)[0] is event
    assert not keys.folder.exists()


def test_what_was_hashed_already_stays(keys: TenantKeys) -> None:
    event = Interaction(
        event_id="e",
        tenant="t",
        recommender="r",
        occurred_at=AT,
        slate_id="s",
        item_id="i",
        action="chosen",
        builder_id="h1:" + "ab" * 16,
    )
    rows, found = in_raw([event], keys)
    assert rows["builder_id"].to_pylist() == [event.builder_id]
    assert not found
