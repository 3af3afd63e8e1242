"""What a linear model of texts is, and how it scores: by the log of the click rate that it expects.

The text says what to expect, the item's own counts say what came: the expected rate is a gamma prior of a
learned shape, so that a line nobody has seen is ranked by its text, and one seen often by its clicks.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.errors import ModelRefusedError
from letterpress.log import logger

Floats = NDArray[np.float64]


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weights of named features, and the log rate where all features are at their means."""

    features: tuple[str, ...]
    weights: tuple[float, ...]
    means: tuple[float, ...]
    log_rate: float


class LinearHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model of a `linear` bundle, written as JSON."""

    whole: Weights
    """Used where every feature of it is known."""
    counted: Weights | None
    """Used for rows whose sentence features are missing, as without the package that makes them."""
    shape: float
    """Of the gamma prior: how many clicks the text's expectation is worth."""
    rate_feature: str | None = None
    """The item's shrunken click rate and the trials under it; None for text alone."""
    trials_feature: str | None = None
    prior_rate: float = 0.0
    prior_weight: float = 0.0

    def encode(self) -> bytes:
        return msgspec.json.encode(self, order="sorted")

    @classmethod
    def decode(cls, content: bytes) -> LinearHead:
        """The head written by `encode`.

        Raises:
            ModelRefusedError: the bytes are none.
        """
        try:
            return msgspec.json.decode(content, type=cls)
        except msgspec.DecodeError as error:
            raise ModelRefusedError(f"expected a linear model, found: {error}; train again.") from error


def posterior_log_rate(expected: Floats, shape: float, clicks: Floats, trials: Floats) -> Floats:
    """Log of the mean click rate `(n,)` after `clicks` of `trials`, of a gamma prior with mean `expected`.

    >>> nothing_seen = posterior_log_rate(np.array([0.02]), 20.0, np.zeros(1), np.zeros(1))
    >>> much_seen = posterior_log_rate(np.array([0.02]), 20.0, np.array([5e3]), np.array([1e5]))
    >>> np.exp([nothing_seen[0], much_seen[0]]).round(3).tolist()
    [0.02, 0.05]
    """
    posterior: Floats = np.log((clicks + shape) / (trials + shape / expected))
    return posterior


class LinearScorer:
    """Scores by a linear head; a row without any text expects the mean."""

    def __init__(self, head: LinearHead, features: tuple[str, ...]) -> None:
        self._head = head
        self._whole = _Columns(head.whole, features)
        self._counted = None if head.counted is None else _Columns(head.counted, features)
        self._evidence = [
            features.index(name) for name in (head.rate_feature, head.trials_feature) if name is not None
        ]
        self._has_warned = False

    def score(self, features: NDArray[np.float32]) -> Floats:
        log_rates = self._whole.log_rates(features)
        missing = np.isnan(log_rates)
        if missing.any() and self._counted is not None:
            log_rates[missing] = self._counted.log_rates(features[missing])
            self._warn_once(int((missing & ~np.isnan(log_rates)).sum()))
        log_rates[np.isnan(log_rates)] = self._head.whole.log_rate
        if not self._evidence:
            return log_rates
        clicks, trials = self._counts(features)
        return posterior_log_rate(np.exp(log_rates), self._head.shape, clicks, trials)

    def _counts(self, features: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Clicks and trials `(n,)`, back from the shrunken rate."""
        rates, trials = (
            np.nan_to_num(features[:, column].astype(np.float64), nan=missing)
            for column, missing in zip(self._evidence, (self._head.prior_rate, 0.0), strict=True)
        )
        clicks = rates * (trials + self._head.prior_weight) - self._head.prior_rate * self._head.prior_weight
        clicks[trials == 0] = 0.0  # the rate was rounded to single precision
        return np.maximum(clicks, 0.0), trials

    def _warn_once(self, rows: int) -> None:
        if rows and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "linear_scorer rows=%d scored by counts of words alone: the sentence model is not installed "
                "(the extra `text`), and the ranking is worse without it",
                rows,
            )


class _Columns:
    def __init__(self, weights: Weights, features: tuple[str, ...]) -> None:
        at = {name: column for column, name in enumerate(features)}
        absent = [name for name in weights.features if name not in at]
        if absent:
            raise ModelRefusedError(
                f"expected the features of the model, found none called {absent[0]}; train again."
            )
        self._columns = np.array([at[name] for name in weights.features], np.intp)
        self._weights = np.array(weights.weights, np.float64)
        self._means = np.array(weights.means, np.float64)
        self._log_rate = weights.log_rate

    def log_rates(self, features: NDArray[np.float32]) -> Floats:
        away = features[:, self._columns].astype(np.float64) - self._means
        # Row by row, so that a row has the same bits alone and among others.
        rates: Floats = (away * self._weights).sum(axis=1) + self._log_rate
        return rates
