from __future__ import annotations

import pytest

from letterpress.features.wordpiece import WordPieces, split_words

PIECES = WordPieces(
    {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "news": 3, "letter": 4, "##letter": 5, "!": 6, "a": 7}
)


def test_the_longest_known_piece_comes_first() -> None:
    assert PIECES.encode("Newsletter, a letter!", 20) == [1, 3, 5, 0, 7, 4, 6, 2]


def test_a_word_with_an_unknown_rest_is_unknown_as_a_whole() -> None:
    assert PIECES.encode("newsroom", 20) == [1, 0, 2]


def test_a_long_text_is_cut_and_keeps_its_end_mark() -> None:
    assert PIECES.encode("a " * 50, 5) == [1, 7, 7, 7, 2]


def test_a_word_of_a_thousand_letters_is_unknown_and_costs_nothing() -> None:
    assert PIECES.encode("a" * 1000, 20) == [1, 0, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n ", []),
        ("It's 50%", ["it", "'", "s", "50", "%"]),
        ("naïve\u00a0CAFÉ", ["naive", "cafe"]),
        ("a\u200bb\x00c", ["abc"]),
        ("新年 ok", ["新", "年", "ok"]),
        ("\u201cHi\u2026\u201d", ["\u201c", "hi", "\u2026", "\u201d"]),
    ],
)
def test_words_are_plain_small_and_apart_from_punctuation(text: str, words: list[str]) -> None:
    assert list(split_words(text)) == words
