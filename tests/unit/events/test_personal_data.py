from __future__ import annotations

import re
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterpress.events.contact_patterns import CANDIDATE
from letterpress.events.personal_data import mask_text, may_hold_contact, pseudonymise, pseudonymise_all

KEY = bytes(range(32))
TOKEN = re.compile(r"\[(email|phone):[0-9a-f]{16}\]")


def key() -> bytes:
    return KEY


def mask(text: str) -> str:
    """The text with tokens shortened to their kind, so that tests can say what is left."""
    return TOKEN.sub(r"<\1>", mask_text(text, key, Counter()))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("bob@example.com", "<email>"),
        ("Bob.Smith+spring@mail.example.co.uk", "<email>"),
        ("write to bob@example.com, or amy@example.org.", "write to <email>, or <email>."),
        ("<o'brien@example.com>", "<<email>>"),
        ("'bob@example.com'", "'<email>'"),
        ('"bob smith"@example.com', "<email>"),
        ("mailto:bob@example.com?subject=x", "mailto:<email>?subject=x"),
        ("https://example.com/u?mail=bob%40example.com&x=1", "https://example.com/u?mail=<email>&x=1"),
        ("bob%2540example.com", "<email>"),
        ("mailto%3Abob%40example.com", "mailto%3A<email>"),
        ("bob%2Bnews%40example%2Ecom", "<email>"),
        ("jörg@müller.example", "<email>"),
        ("用户@例子.公司", "<email>"),
        ("bob\uff20example.com", "<email>"),
        ("bob@xn--bcher-kva.example", "<email>"),
        ("root@[192.168.0.1]", "<email>"),
        ("picture-of-bob@example.com-3", "<email>-3"),
    ],
)
def test_an_address_is_found_in_whatever_it_is_wrapped(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+14155552671", "<phone>"),
        ("+1 (415) 555-2671", "<phone>"),
        ("call +49 (151) 234-567 89 now", "call <phone> now"),
        ("+1 415 555 2671 2026", "<phone> 2026"),
        ("id+4915123456789", "id<phone>"),
        ("%2B1%20415%20555%202671", "<phone>"),
        ("tel:%2B14155552671", "tel:<phone>"),
        ("\uff0b\uff14\uff19 \uff11\uff15\uff11 23456789", "<phone>"),
        ("0049 151 23456789", "<phone>"),
        ("(415) 555-2671", "<phone>"),
        ("415.555.2671", "<phone>"),
        ("1-800-555-1234", "<phone>"),
        ("user-415-555-2671", "user-<phone>"),
        ("415 555 2671", "<phone>"),
        ("0171 1234567", "<phone>"),
        ("(030) 123 456 78", "<phone>"),
        ("06 12 34 56 78", "<phone>"),
        ("020 7946 0958", "<phone>"),
        ("mobile 0171/1234567, office 030/12345678", "mobile <phone>, office <phone>"),
    ],
)
def test_a_number_is_found_as_people_write_it(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T00:00:00.243Z",
        "2026-01-05T00:00:00+01:00",
        "20260105T000000+0100",
        "05-01-2026",
        "01.02.2026 12",
        "01/02/2026",
        "0191e4f5-1234-4567-8901-abcdefabcdef",
        "019be58f0b8c625f891911d275f52646",
        "maple-2026-01-05-p0001-darken-40",
        "0.7320508075688772",
        "-0.0123456789",
        "1.2345678901e+08",
        "4155552671",
        "4915123456789",
        "00004155552671",
        "INV-0001234567",
        "0042-1234567",
        "114-3941689-8772232",
        "978-3-16-148410-0",
        "1.000.000,00",
        "+1,000,000",
        "EUR 1.299,00",
        "300 600 1200",
        "1200-800",
        "192.168.100.200",
        "12:00:00.000",
        "v1.22.333.4444",
        "hero@2x.png",
        "@handle",
        "a@b",
        "20% off, 40%",
        "lodash@4.17.21",
        "C++",
        "+20.5 % over 2025",
    ],
)
def test_times_ids_prices_and_pictures_are_no_contacts(text: str) -> None:
    found: Counter[str] = Counter()
    assert mask_text(text, key, found) == text
    assert not found


def test_equal_values_get_equal_tokens_and_other_tenants_other_ones() -> None:
    one, two = mask_text("bob@example.com", key, Counter()), mask_text("x bob@example.com", key, Counter())
    assert two == f"x {one}"
    assert mask_text("amy@example.com", key, Counter()) != one
    assert mask_text("bob@example.com", lambda: b"other" * 7, Counter()) != one


def test_what_was_found_is_counted_by_kind() -> None:
    found: Counter[str] = Counter()
    mask_text("bob@example.com amy@example.com +14155552671", key, found)
    assert found == {"email": 2, "phone": 1}


def test_an_id_that_would_grow_too_long_becomes_one_token() -> None:
    text = " ".join(f"{letter}@b.co" for letter in "abcdefghijklmnopqrstuvwxyz")[:199]
    masked = mask_text(text, key, Counter())
    assert re.fullmatch(r"\[masked:[0-9a-f]{16}\]", masked)


def test_no_key_is_asked_for_a_clean_text() -> None:
    def refuse() -> bytes:
        raise AssertionError

    assert mask_text("maple-1-p0001", refuse, Counter()) == "maple-1-p0001"


@pytest.mark.parametrize("text", ["a", "@", "a@", "+1 ", "+1234567 ", "01 ", "01 2345 ", "0", '"@', "a.b@c."])
def test_a_text_made_to_be_slow_takes_time_that_grows_with_its_length_only(text: str) -> None:
    mask_text("01 02 03 04 05 +12345678", key, Counter())  # loads what is known of every country
    begin = time.process_time()
    mask_text(text * (100_000 // len(text)), key, Counter())
    assert time.process_time() - begin < 2.0


CONTACT = st.sampled_from(
    ["bob@example.com", "b%40x.org", "+1 415 555 2671", "(415) 555-2671", "0171 1234567", "+4915123456789"]
)
PIECES = st.lists(
    st.one_of(CONTACT, st.text(max_size=12), st.text(alphabet='0123456789+-./() @%24Ab"', max_size=30)),
    max_size=6,
).map("".join)


@settings(max_examples=60)
@given(PIECES)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = mask_text(text, key, Counter())
    assert mask_text(once, key, Counter()) == once


@settings(max_examples=60)
@given(PIECES)
def test_the_quick_look_never_misses_what_the_close_one_finds(text: str) -> None:
    if re.search(CANDIDATE, text):
        assert may_hold_contact(text.encode(errors="surrogatepass"))


@settings(max_examples=300)
@given(
    before=st.text("05a ()-./", max_size=4),
    number=st.sampled_from(
        ["(030) 12 34 56", "030) 12 34 56", "030 12-34-56", "(415) 555-2671", "+49 30 123456"]
    ),
)
def test_the_quick_look_sees_a_number_behind_whatever_stands_before_it(before: str, number: str) -> None:
    if re.search(CANDIDATE, before + number):
        assert may_hold_contact((before + number).encode())


@pytest.mark.parametrize("text", ["5(030) 12 34 56", "room 5(030) 12 34 56", "5)030 12 34 56"])
def test_the_quick_look_sees_a_number_in_parentheses_behind_a_digit(text: str) -> None:
    assert "<phone>" in mask(text)
    assert may_hold_contact(text.encode())


@settings(max_examples=60)
@given(st.lists(PIECES, min_size=1, max_size=4))
def test_the_quick_look_at_several_texts_sees_each(texts: list[str]) -> None:
    if any(re.search(CANDIDATE, text) for text in texts):
        assert may_hold_contact("\n".join(texts).encode(errors="surrogatepass"))


def test_a_pseudonym_is_a_keyed_hash_and_stays_what_it_is() -> None:
    once = pseudonymise("recipient-7", KEY)
    assert re.fullmatch(r"h1:[0-9a-f]{32}", once)
    assert pseudonymise(once, KEY) == once
    assert pseudonymise("recipient-7", bytes(32)) != once
    assert pseudonymise("h1:" + "0" * 31, KEY) != "h1:" + "0" * 31


@pytest.mark.parametrize("length", [1, 32, 64, 65, 200])
def test_many_pseudonyms_are_those_of_each_whatever_the_length_of_the_key(length: int) -> None:
    key = bytes(range(7, 7 + length))
    values = ["bob", "", "Zoë", "a" * 200]
    assert pseudonymise_all(values, key) == [pseudonymise(value, key) for value in values]
