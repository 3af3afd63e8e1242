from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.features import sentence_model
from letterpress.features.sentence_store import SentenceStore, keep_sentences

DIMENSIONS = sentence_model.DIMENSIONS


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text whose vector was computed: a stand-in for the weights, which are an extra."""
    asked: list[str] = []

    def vector(text: str) -> NDArray[np.float32]:
        asked.append(text)
        return np.random.default_rng(len(text)).normal(size=DIMENSIONS).astype(np.float32)

    monkeypatch.setattr(sentence_model, "find_weights", lambda: Path("weights"))
    monkeypatch.setattr(sentence_model, "version", lambda _package: "1")
    monkeypatch.setattr(sentence_model, "_model", lambda: None)
    monkeypatch.setattr(sentence_model, "sentence_vector", vector)
    return asked


def test_a_text_is_computed_once_a_home_and_comes_back_with_the_same_bits(
    tmp_path: Path, computed: list[str]
) -> None:
    with keep_sentences(tmp_path):
        first = sentence_model.sentence_vectors(["one", "three", None, "one"])
        again = sentence_model.sentence_vectors(["three", "one", "seven"])

    assert sorted(computed) == ["one", "seven", "three"]
    assert again[:2].tobytes() == first[[1, 0]].tobytes()
    assert np.isnan(first[2]).all()
    assert first[3].tobytes() == first[0].tobytes()


def test_outside_of_a_home_nothing_is_kept(tmp_path: Path, computed: list[str]) -> None:
    sentence_model.sentence_vectors(["one"])
    sentence_model.sentence_vectors(["one"])
    assert computed == ["one", "one"]
    assert list(tmp_path.iterdir()) == []


def test_another_model_finds_nothing_of_the_old_one(
    tmp_path: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with keep_sentences(tmp_path):
        sentence_model.sentence_vectors(["one"])
        monkeypatch.setattr(sentence_model, "version", lambda _package: "2")
        sentence_model.sentence_vectors(["one"])
    assert computed == ["one", "one"]


def test_a_damaged_file_costs_time_and_is_written_anew(
    tmp_path: Path, computed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with keep_sentences(tmp_path):
        sentence_model.sentence_vectors(["one"])
        (file,) = tmp_path.iterdir()
        file.write_bytes(file.read_bytes()[:100])
        sentence_model.sentence_vectors(["one"])
        sentence_model.sentence_vectors(["one"])
    assert computed == ["one", "one"]
    assert "computed again" in caplog.text


def test_the_file_holds_no_text(tmp_path: Path) -> None:
    store = SentenceStore.open(tmp_path, "a model")
    store.add({"Dear Ada Lovelace": np.zeros(DIMENSIONS, np.float32)})
    store.save()
    assert b"Lovelace" not in store.path.read_bytes()
