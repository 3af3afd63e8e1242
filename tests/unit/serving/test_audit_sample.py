"""Which slates say what was asked for, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from letterpress.ranking.exploration import seed_of
from letterpress.recommenders import get_recommender
from letterpress.serving.audit_sample import AuditSample, describe_items, is_sampled
from letterpress.serving.messages import RequestItem

PICTURES = get_recommender("image_enhancement")


def test_a_share_of_slates_is_sampled_and_exploration_has_no_say_in_it() -> None:
    seeds = [seed_of(f"slate-{number}") for number in range(20_000)]
    explored = sorted(seeds)[:1000]
    assert 0.045 < sum(is_sampled(seed, 0.05) for seed in seeds) / len(seeds) < 0.055
    assert 20 < sum(is_sampled(seed, 0.05) for seed in explored) < 90
    assert all(is_sampled(seed, 1.0) for seed in seeds)
    assert not any(is_sampled(seed, 0.0) for seed in seeds)


def test_the_first_slates_of_every_hour_are_sampled_until_there_are_enough_vectors() -> None:
    audit, start = AuditSample(0.0, 200), datetime(2026, 1, 5, 10, tzinfo=UTC)
    taken = [audit.takes("busy", 1, start + timedelta(minutes=number), 8) for number in range(120)]
    assert taken == [*([True] * 25), *([False] * 35)] * 2
    assert audit.takes("rare", 1, start + timedelta(minutes=119), 8), "the busy one took none of its own"
    assert audit.takes("busy", 1, start + timedelta(hours=9), 8)
    whole = AuditSample(1.0, 0)
    assert all(whole.takes("busy", seed_of(f"slate-{number}"), start, 8) for number in range(100))


def test_only_what_features_look_at_is_kept_of_items_that_are_shown() -> None:
    items = [
        RequestItem(item_id="a", attributes={"warmth": 0.5, "price": 9.0}, labels={"enhancement": "warm"}),
        RequestItem(item_id="b", labels={"enhancement": "cool", "alt": "a beach"}),
        RequestItem(item_id="c"),
    ]
    described = describe_items(PICTURES, items, ["c", "a"])
    assert described is not None
    assert [(each.item_id, each.attributes, each.labels) for each in described] == [
        ("a", {"warmth": 0.5}, {"enhancement": "warm"})
    ]
    assert describe_items(PICTURES, None, ["c", "a"]) == []


def test_a_request_with_a_contact_in_a_text_stays_out_of_the_sample() -> None:
    lines = [RequestItem(item_id="a", labels={"text": "Write to jo@example.com today"})]
    assert describe_items(get_recommender("subject_line"), lines, ["a"]) is None


def test_texts_of_any_script_are_in_the_sample_as_long_as_nothing_in_them_is_a_contact() -> None:
    subject_line = get_recommender("subject_line")
    texts = ["🎉 Nur heute: 20 % für Grüße", "新年快乐", "Скидки до вечера", "“Quoted”"]
    lines = [RequestItem(item_id=text, labels={"text": text}) for text in texts]
    described = describe_items(subject_line, lines, texts)
    assert described is not None
    assert [each.labels["text"] for each in described] == texts
    for contact in ("🎉 jo@grüße.example.com", "Ruf an: \uff0b49 30 1234 5678"):
        with_contact = [*lines, RequestItem(item_id="a", labels={"text": contact})]
        assert describe_items(subject_line, with_contact, ["a"]) is None
