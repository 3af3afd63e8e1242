"""Splits a text into the word pieces of an uncased BERT vocabulary (Devlin et al., 2019)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

MAX_WORD_CHARACTERS = 100
UNKNOWN, START, END = "[UNK]", "[CLS]", "[SEP]"
_CONTINUED = "##"
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)
"""Chinese characters stand alone, because nobody writes spaces between them."""


class WordPieces:
    """The pieces of a vocabulary. Equal to the reference tokenizer on every headline that we compared."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._ids = dict(vocabulary)
        self._unknown, self._start, self._end = (self._ids[name] for name in (UNKNOWN, START, END))

    def encode(self, text: str, max_pieces: int) -> list[int]:
        """Ids of the pieces between the marks of start and end, `max_pieces` at most with the marks.

        >>> pieces = WordPieces({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "let": 3, "##ter": 4, "!": 5})
        >>> pieces.encode("Letter !?", 10)
        [1, 3, 4, 5, 0, 2]
        """
        ids = [piece for word in split_words(text) for piece in self._pieces_of(word)]
        return [self._start, *ids[: max_pieces - 2], self._end]

    def _pieces_of(self, word: str) -> list[int]:
        """The longest known piece first, again and again; the unknown mark where one fails."""
        if len(word) > MAX_WORD_CHARACTERS:
            return [self._unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = _CONTINUED if start else ""
            end = len(word)
            while end > start and prefix + word[start:end] not in self._ids:
                end -= 1
            if end == start:
                return [self._unknown]
            found.append(self._ids[prefix + word[start:end]])
            start = end
        return found


def split_words(text: str) -> Iterator[str]:
    """Words and single punctuation marks, in small letters and without accents.

    >>> list(split_words("Café?  YES"))
    ['cafe', '?', 'yes']
    """
    plain = unicodedata.normalize("NFD", _cleaned(text)).lower()
    word = ""
    for character in plain:
        if unicodedata.category(character) == "Mn":
            continue
        if character == " " or _stands_alone(character):
            if word:
                yield word
            if character != " ":
                yield character
            word = ""
        else:
            word += character
    if word:
        yield word


def _cleaned(text: str) -> str:
    """The text without control characters, and with every kind of space as a space."""
    return "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cn", "Co", "Cs")
    )


def _stands_alone(character: str) -> bool:
    code = ord(character)
    if code < 128:
        return not character.isalnum() and code > 32
    return unicodedata.category(character).startswith("P") or any(
        low <= code <= high for low, high in _IDEOGRAPHS
    )
