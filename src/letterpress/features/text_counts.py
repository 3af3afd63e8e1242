"""What can be counted in a subject line: length, punctuation, capitals, and words of several kinds."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

_WORD = re.compile(r"[^\W_][\w$%'\u2019-]*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_MERGE_FIELD = re.compile(
    r"""
    \{\{[^{}]{1,80}\}\} | \$?\{\$?[A-Za-z_][\w.]{0,80}\}  # {{ first_name }}, ${name}, {$name}, {NAME}
    | \*\|[^|*]{1,80}\|\* | %%[\w.]{1,80}%% | <%[^%]{1,80}%>  # *|FNAME|*, %%name%%, <%= name %>
    """,
    re.VERBOSE,
)
"""Places that a sender fills for each reader, as the usual programs write them.

Their length is bounded, so that no text can be made slow to read.
"""
_SYLLABLE = re.compile(r"[aeiouy]+")

WORD_KINDS: dict[str, str] = {
    "gap": "this these here here's what why how when who watch see look wait find turns happens happened "
    "reason reasons thing things something secret guess until next",
    "you": "you your you're you'll yours you've",
    "self": "i i'm my me i've i'd we our us we're",
    "he": "he his him he's man guy men boy boys dad father husband son",
    "she": "she her she's woman women girl girls mom mother wife daughter",
    "they": "they their them they're people kids children",
    "negative": "not never no don't didn't can't won't isn't doesn't wrong worst bad awful hate terrible "
    "problem without nobody nothing",
    "positive": "best amazing awesome beautiful love brilliant great perfect hilarious incredible wonderful "
    "happy good epic genius",
    "strong": "really so very most just only ever actually totally absolutely literally seriously every all",
    "feeling": "cry crying tears heart laugh shocking horrifying heartbreaking chills angry scared shame "
    "disgusting creepy sad",
    "medium": "video photo photos picture pictures song chart map ad commercial clip comic speech poem film",
    "joining": "but then and because if",
    "past": "was were had did got made said told took",
    "modal": "should could would might can will must may",
    "amount": "one two three four five ten minutes minute seconds years year",
    "harm": "die died dead death kill killed killing gun war rape abuse cancer",
    "money": "money dollars rich poor pay paid tax job jobs free sale off save",
    "body": "sex sexy naked gay lesbian body bodies",
}
"""Words by kind, in small letters."""
_KINDS: dict[str, list[str]] = {}
for _kind_name, _kind_words in WORD_KINDS.items():
    for _kind_word in dict.fromkeys(_kind_words.split()):
        _KINDS.setdefault(_kind_word, []).append(_kind_name)

FIRST_WORDS = [
    "the",
    "this",
    "a",
    "here",
    "what",
    "why",
    "how",
    "if",
    "when",
    "watch",
    "he",
    "she",
    "they",
    "i",
    "these",
    "it",
    "you",
    "some",
    "there",
    "one",
    "two",
    "in",
    "my",
    "is",
]


@dataclass(frozen=True)
class Text:
    """A text with its words."""

    text: str

    @cached_property
    def words(self) -> list[str]:
        return _WORD.findall(self.text)

    @cached_property
    def small_words(self) -> list[str]:
        return [word.lower().replace("\u2019", "'") for word in self.words]

    @cached_property
    def first_word(self) -> str:
        """In small letters; empty for a text without words."""
        return self.small_words[0] if self.words else ""

    @cached_property
    def kinds(self) -> Counter[str]:
        """How many words are of each of `WORD_KINDS`: one look at a word tells of all."""
        return Counter(kind for word in self.small_words for kind in _KINDS.get(word, ()))

    def share(self, count: int) -> float:
        """`count` over the number of words; zero for a text without words."""
        return count / max(len(self.words), 1)


@dataclass(frozen=True, slots=True)
class TextCount:
    """One number that is taken of a text."""

    name: str
    unit: str
    description: str
    of: Callable[[Text], float]


def _characters(name: str, characters: str, words: str) -> TextCount:
    return TextCount(
        f"text_{name}",
        "count",
        f"How many {words}.",
        lambda text: float(sum(map(text.text.count, characters))),
    )


def _kind(name: str, words: str) -> TextCount:
    return TextCount(
        f"text_{name}_words",
        "count",
        f"How many of: {words}.",
        lambda text: float(text.kinds[name]),
    )


def _first(word: str) -> TextCount:
    return TextCount(
        f"text_begins_{word}",
        "0/1",
        f"Whether the first word is `{word}`.",
        lambda text: float(text.first_word == word),
    )


def _ending(name: str, ending: str) -> TextCount:
    return TextCount(
        f"text_ends_{name}",
        "0/1",
        f"Whether it ends with `{ending}`.",
        lambda text: float(text.text.rstrip().endswith(ending)),
    )


def _plain(name: str, unit: str, description: str, of: Callable[[Text], float]) -> TextCount:
    return TextCount(f"text_{name}", unit, description, of)


def _mean(values: Iterable[int], text: Text) -> float:
    return text.share(sum(values))


def _is_emoji(character: str) -> bool:
    return ord(character) > 0x2000 and unicodedata.category(character) == "So"


TEXT_COUNTS: tuple[TextCount, ...] = (
    _plain("characters", "count", "Characters.", lambda text: float(len(text.text))),
    _plain(
        "length_squared",
        "1e4",
        "Characters squared: too long is as bad as too short.",
        lambda text: len(text.text) ** 2 / 1e4,
    ),
    _plain("words", "count", "Words.", lambda text: float(len(text.words))),
    _plain(
        "sentences", "count", "Ends of sentences.", lambda text: float(len(_SENTENCE_END.findall(text.text)))
    ),
    _plain(
        "word_length", "characters", "Mean length of a word.", lambda text: _mean(map(len, text.words), text)
    ),
    _plain(
        "longest_word",
        "characters",
        "The longest word.",
        lambda text: float(max(map(len, text.words), default=0)),
    ),
    _plain(
        "long_word_share",
        "share",
        "Share of words of 8 letters or more.",
        lambda text: text.share(sum(len(word) > 7 for word in text.words)),
    ),
    _plain(
        "syllables",
        "count",
        "Mean syllables of a word, by its groups of vowels.",
        lambda text: _mean((len(_SYLLABLE.findall(word)) for word in text.small_words), text),
    ),
    _plain(
        "different_share",
        "share",
        "Share of words that are not repeated.",
        lambda text: text.share(len(set(text.small_words))),
    ),
    _plain(
        "capital_words",
        "count",
        "Words in capital letters.",
        lambda text: float(sum(word.isupper() and len(word) > 1 for word in text.words)),
    ),
    _plain(
        "title_share",
        "share",
        "Share of words that begin with a capital letter.",
        lambda text: text.share(sum(word[:1].isupper() for word in text.words)),
    ),
    _plain(
        "has_number", "0/1", "Whether a digit occurs.", lambda text: float(any(map(str.isdigit, text.text)))
    ),
    _plain(
        "begins_number", "0/1", "Whether it begins with a digit.", lambda text: float(text.text[:1].isdigit())
    ),
    _plain(
        "merge_fields",
        "count",
        "Places filled for each reader, such as {{first_name}}, *|FNAME|* or %%name%%.",
        lambda text: float(len(_MERGE_FIELD.findall(text.text))),
    ),
    _plain("emoji", "count", "Pictographs.", lambda text: float(sum(map(_is_emoji, text.text)))),
    _plain(
        "ellipses",
        "count",
        "Three dots, in one character or in three.",
        lambda text: float(text.text.count("...") + text.text.count("…")),
    ),
    _characters("questions", "?", "question marks"),
    _characters("exclamations", "!", "exclamation marks"),
    _characters("commas", ",", "commas"),
    _characters("apostrophes", "'\u2019", "apostrophes"),
    _characters("quotes", '"“”', "quotation marks"),
    _characters("stars", "*", "asterisks"),
    _characters("colons", ":", "colons"),
    _characters("full_stops", ".", "full stops"),
    _characters("dashes", "-\u2013\u2014", "dashes"),
    _characters("brackets", "([", "opening brackets"),
    _characters("currency", "$€£", "signs of currency"),
    _ending("full_stop", "."),
    _ending("question", "?"),
    _ending("exclamation", "!"),
    _ending("ellipsis", "..."),
    *(_kind(name, words) for name, words in WORD_KINDS.items()),
    *(_first(word) for word in FIRST_WORDS),
)


def count_text(text: str) -> list[float]:
    """The numbers of `TEXT_COUNTS`, in their order.

    >>> names = [each.name for each in TEXT_COUNTS]
    >>> count_text("What Happens Next?")[names.index("text_gap_words")]
    3.0
    """
    looked_at = Text(text)
    return [each.of(looked_at) for each in TEXT_COUNTS]
