"""Features of texts: counted alike in batch and for a request, and missing where they cannot be known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from letterpress.datasets.score_table import _completed, features_of_table
from letterpress.events.types import CampaignContext
from letterpress.features import (
    attribute_rows,
    columns_for_batch,
    columns_for_request,
    compute_features,
    feature_names,
)
from letterpress.features import sentence_model as model
from letterpress.features.columns import COUNT_NAMES, WINDOWS, Columns
from letterpress.features.text_counts import TEXT_COUNTS, count_text
from letterpress.features.text_view import SENTENCE_PREFIX, text_view
from letterpress.recommenders import get_recommender

SUBJECT_LINE = get_recommender("subject_line")
TEXTS = [
    "You Won't Believe What This Dad Did Next...",
    "5 reasons to say YES \U0001f389 (today only!)",
    "“Quoted” — naïve",
    "新年",
    "?",
    "x" * 5000,
]
needs_weights = pytest.mark.skipif(model.find_weights() is None, reason="the extra `text` is not installed")


def request_columns(texts: Sequence[str | None]) -> Columns:
    return columns_for_request(
        SUBJECT_LINE,
        CampaignContext(campaign_id="c"),
        attribute_rows(SUBJECT_LINE, [{}] * len(texts)),
        [{} if text is None else {"text": text} for text in texts],
        {"item": np.zeros((len(texts), len(WINDOWS) * len(COUNT_NAMES)), np.int64)},
        datetime(2026, 1, 5, tzinfo=UTC),
    )


def for_request(texts: Sequence[str | None]) -> NDArray[np.float32]:
    return compute_features(SUBJECT_LINE, request_columns(texts))


def batch_columns(texts: Sequence[str | None]) -> Columns:
    table = pa.table({"text": pa.array(texts, pa.string())})
    return columns_for_batch(SUBJECT_LINE, _completed(table, SUBJECT_LINE))


def text_features(columns: Columns) -> NDArray[np.float32]:
    """What the view `text` alone fills `(n, n_features)`: sentences cost 10 ms a text."""
    view = text_view(SUBJECT_LINE)
    out = np.empty((len(view.features), columns.n_rows), np.float32)
    view.fill(columns, out)
    return np.ascontiguousarray(out.T)


def counted(text: str) -> dict[str, float]:
    return dict(zip([each.name for each in TEXT_COUNTS], count_text(text), strict=True))


def test_batch_and_request_agree_bit_for_bit() -> None:
    batch = features_of_table(pa.table({"text": TEXTS}), SUBJECT_LINE)
    alone = np.concatenate([for_request([text]) for text in TEXTS])
    assert batch.tobytes() == for_request(TEXTS).tobytes() == alone.tobytes()


ANY_TEXT = (
    st.none() | st.text(max_size=200) | st.sampled_from(["", "🎉" * 60, "👩\u200d👩\u200d👧", "x?" * 3000])
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=12))
def test_whatever_is_written_batch_and_request_count_alike(texts: list[str | None]) -> None:
    alone = np.concatenate([text_features(request_columns([text])) for text in texts])
    assert text_features(batch_columns(texts)).tobytes() == alone.tobytes()


def test_a_hundred_thousand_texts_have_the_bits_of_their_requests() -> None:
    """Slates of one and of 33, in which every eighth text has signs of any script and some are empty."""
    rng = np.random.default_rng(11)
    words = np.array(["You", "won't", "BELIEVE", "5", "free,", "best!", "video…", "why?", "(naïve)", "🎉"])
    signs = np.array(
        [chr(code) for code in (*range(33, 0x600), *range(0x4E00, 0x4F00), *range(0x1F600, 0x1F650))]
    )

    def draw() -> str:
        if rng.random() < 0.125:
            return "".join(rng.choice(signs, rng.integers(0, 12)))
        return " ".join(words[rng.integers(0, len(words), rng.integers(1, 6))])

    pool = [draw() for _ in range(20_000)]
    slates = [
        [pool[at] for at in rng.integers(0, len(pool), 1 if number % 4 == 0 else 33)]
        for number in range(4000)
    ]
    requested = np.concatenate([text_features(request_columns(texts)) for texts in slates])
    together = text_features(batch_columns([text for texts in slates for text in texts]))
    assert len(together) == 100_000
    assert together.tobytes() == requested.tobytes()


def test_what_a_reader_would_count_is_counted() -> None:
    found = counted(TEXTS[1])
    assert found["text_emoji"] == found["text_brackets"] == found["text_exclamations"] == 1
    assert found["text_begins_number"] == found["text_has_number"] == found["text_capital_words"] == 1
    assert counted(TEXTS[0])["text_ends_ellipsis"] == counted(TEXTS[0])["text_ellipses"] == 1
    assert counted(TEXTS[0])["text_gap_words"] == 3  # what, this, next


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("{{first_name}}, your boots are back", 1),
        ("Hi {{ contact.first_name | default: 'friend' }}!", 1),
        ("*|FNAME|* and *|LNAME|*", 2),
        ("%%name%%: 20 % off", 1),
        ("${name}, {$name}, {NAME}, <%= name %>", 4),
        ("50%% off, 20%% more {} {{}} [VIDEO] *bold* 5 < 6 % 2 > 1", 0),
        ("{{" * 3000 + "*|" * 3000, 0),
    ],
)
def test_places_that_are_filled_for_each_reader_are_counted(text: str, fields: int) -> None:
    assert counted(text)["text_merge_fields"] == fields


@pytest.mark.parametrize("text", ["", " ", "?!", "\u0000", "\ud83d", "🎉" * 50])
def test_no_text_is_too_odd_to_count(text: str) -> None:
    assert np.isfinite(count_text(text)).all()


def test_a_missing_text_is_missing_everywhere() -> None:
    features = features_of_table(pa.table({"text": pa.array([None, "Hello"], pa.string())}), SUBJECT_LINE)
    texts = [
        at
        for at, name in enumerate(feature_names(SUBJECT_LINE))
        if name.startswith(("text_", SENTENCE_PREFIX))
    ]
    assert np.isnan(features[0, texts]).all()


def test_without_the_weights_sentences_are_missing_and_counts_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model, "find_weights", lambda: None)
    features = for_request(["Hello there"])[0]
    is_sentence = np.array([name.startswith(SENTENCE_PREFIX) for name in feature_names(SUBJECT_LINE)])
    assert np.isnan(features[is_sentence]).all()
    assert np.isfinite(features[~is_sentence]).all()


@needs_weights
def test_sentences_that_mean_the_same_are_near_each_other() -> None:
    def meaning(text: str) -> NDArray[np.float32]:
        last: NDArray[np.float32] = model.layer_means(text)[-1]
        return last / np.linalg.norm(last)

    dog, puppy, tax = map(
        meaning, ("A dog runs home.", "The puppy is running home.", "Taxes rose again in May.")
    )
    assert dog @ puppy > 0.6
    assert dog @ tax < 0.3
    assert model.sentence_vector("A dog runs home.").shape == (model.DIMENSIONS,)
    assert (1 - 1e-5) < np.linalg.norm(meaning("")) < (1 + 1e-5)


def test_a_safetensors_file_is_read_by_its_offsets() -> None:
    numbers = np.arange(6, dtype=np.float32)
    header = b'{"__metadata__":{},"b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},' \
             b'"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},' \
             b'"i":{"dtype":"I64","shape":[0],"data_offsets":[24,24]}}'  # fmt: skip
    found = model.read_safetensors(len(header).to_bytes(8, "little") + header + numbers.tobytes())
    assert found["a"].tolist() == [[0, 1], [2, 3]]
    assert found["b"].tolist() == [4, 5]
    assert "i" not in found
