"""Names in texts of raw: what is found, what is overwritten, and what must not be taken along."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from letterpress.lake.mentions import Names, Overwriting, names_of
from letterpress.lake.subject import Subject
from letterpress.lake.tenant_keys import TenantKeys

SECRET = bytes(32)
FORGOTTEN = r"\[forgotten:[0-9a-f]{16}\]"
some_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=4, max_size=12)


def overwriting(*plain: str, sure: tuple[str, ...] = ()) -> Overwriting:
    return Overwriting(Names(frozenset(sure), frozenset(plain)), SECRET)


def test_a_name_is_a_whole_word_and_a_token_stands_anywhere() -> None:
    write = overwriting("u-4711", sure=("[email:0123456789abcdef]",))
    assert re.fullmatch(rf"to {FORGOTTEN}, not u-47112", write.text("to u-4711, not u-47112", "slot"))
    assert re.fullmatch(rf"x{FORGOTTEN}y", write.text("x[email:0123456789abcdef]y", "slot"))


def test_equal_names_become_equal_tokens_and_other_names_others() -> None:
    write = overwriting("u-4711", "u-4712")
    assert write.text("u-4711", "item_id") == write.text("u-4711", "event_id") != write.text("u-4712", "slot")


def test_what_would_outgrow_an_identifier_becomes_one_token() -> None:
    assert re.fullmatch(FORGOTTEN, overwriting("u-4711").text("u-4711 " * 20, "item_id"))


def test_a_document_loses_a_name_in_keys_texts_and_numbers_and_stays_a_document() -> None:
    document = '{"471100":[1,471100,{"to":"471100"}],"ratio":4711.5,"yes":true}'
    written = overwriting("471100").value(document, "extra")
    assert re.fullmatch(
        rf'{{"ratio":4711.5,"yes":true,"{FORGOTTEN}":\[1,"{FORGOTTEN}",{{"to":"{FORGOTTEN}"}}\]}}', written
    ) or re.fullmatch(
        rf'{{"{FORGOTTEN}":\[1,"{FORGOTTEN}",{{"to":"{FORGOTTEN}"}}\],"ratio":4711.5,"yes":true}}', written
    ), written


@given(name=some_text, before=st.text(max_size=3), after=st.text(max_size=3))
def test_whatever_the_exact_search_finds_the_quick_one_finds(name: str, before: str, after: str) -> None:
    names = Names(frozenset(), frozenset([name]))
    text = before + name + after
    if names.pattern.search(text):
        assert pc.match_substring_regex(pa.array([text]), names.candidate)[0].as_py()
        assert name not in overwriting(name).text(text, "extra") or name in "[forgotten:0123456789abcdef]"


def test_a_name_that_is_too_short_is_not_searched_for(tmp_path: Path) -> None:
    assert not names_of(Subject("abc"), ["abc"], TenantKeys(tmp_path))
    assert names_of(Subject("abcd"), ["abcd"], TenantKeys(tmp_path)).plain == {"abcd"}
