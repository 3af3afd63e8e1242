"""Features of texts: counted alike in batch and for a request, and missing where they cannot be known."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from letterpress.datasets.score_table import features_of_table
from letterpress.events.types import CampaignContext
from letterpress.features import attribute_rows, columns_for_request, compute_features, feature_names
from letterpress.features import sentence_model as model
from letterpress.features.columns import COUNT_NAMES, WINDOWS
from letterpress.features.text_counts import TEXT_COUNTS, count_text
from letterpress.features.text_view import SENTENCE_PREFIX
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


def for_request(texts: list[str]) -> NDArray[np.float32]:
    columns = columns_for_request(
        SUBJECT_LINE,
        CampaignContext(campaign_id="c"),
        attribute_rows(SUBJECT_LINE, [{}] * len(texts)),
        [{"text": text} for text in texts],
        {"item": np.zeros((len(texts), len(WINDOWS) * len(COUNT_NAMES)), np.int64)},
        datetime(2026, 1, 5, tzinfo=UTC),
    )
    return compute_features(SUBJECT_LINE, columns)


def counted(text: str) -> dict[str, float]:
    return dict(zip([each.name for each in TEXT_COUNTS], count_text(text), strict=True))


def test_batch_and_request_agree_bit_for_bit() -> None:
    batch = features_of_table(pa.table({"text": TEXTS}), SUBJECT_LINE)
    alone = np.concatenate([for_request([text]) for text in TEXTS])
    assert batch.tobytes() == for_request(TEXTS).tobytes() == alone.tobytes()


def test_what_a_reader_would_count_is_counted() -> None:
    found = counted(TEXTS[1])
    assert found["text_emoji"] == found["text_brackets"] == found["text_exclamations"] == 1
    assert found["text_begins_number"] == found["text_has_number"] == found["text_capital_words"] == 1
    assert counted(TEXTS[0])["text_ends_ellipsis"] == counted(TEXTS[0])["text_ellipses"] == 1
    assert counted(TEXTS[0])["text_gap_words"] == 3  # what, this, next


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
