"""Training examples as arrays: one row an item in a slate, slates in the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.feature_rows import joined_rows, taken_rows
from letterpress.errors import NotEnoughDataError

MICROSECONDS_PER_HOUR = 3_600_000_000
Counted = NDArray[np.int64] | NDArray[np.float64]
"""Counts, or scores of which NaN is not known yet."""
_BY_ROW = ("features", "gains", "clicks", "position", "propensity", "item_codes")
_BY_SLATE = ("slate_ids", "campaign_codes", "shown_at")


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows `(n,)` are items, groups `(g,)` are slates; group `i` is rows `offsets[i]:offsets[i + 1]`."""

    feature_names: tuple[str, ...]
    features: NDArray[np.float32]
    """`(n, n_features)`; NaN is missing."""
    gains: NDArray[np.float32]
    clicks: NDArray[np.int64]
    position: NDArray[np.int32]
    propensity: NDArray[np.float64]
    """NaN where the log has none."""
    item_codes: NDArray[np.int32]
    item_ids: NDArray[np.object_]
    """`(n_items,)`: what `item_codes` point into."""
    group_offsets: NDArray[np.int64]
    slate_ids: NDArray[np.object_]
    campaign_codes: NDArray[np.int32]
    shown_at: NDArray[np.int64]
    """Microseconds since 1970, UTC, `(g,)`."""
    recomputed_rows: int = 0
    """Rows whose features were not logged under the current schema and were computed from known counts."""
    unripe_slates: int = 0
    """Slates left out because the window of a target had not closed."""
    trials: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """How often each row was delivered `(n,)`; empty where nobody asks."""
    outcomes: Mapping[str, Counted] = field(default_factory=dict)
    """Counts `(n,)` that the targets are made of, by column; empty where nobody asks."""
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """What each slate counts in training `(g,)`, 1 on average; empty: all alike. No verdict asks for it."""
    distrusted: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """Slates that teach but do not judge `(g,)`: A/B tests that are distrusted or hold an arm twice.

    Empty: none is known.
    """
    position_bias: Mapping[str, Any] = field(default_factory=dict)
    """What was found of the log's position bias, and whether gains are freed of it; empty: there is none."""

    def __len__(self) -> int:
        """The number of slates."""
        return len(self.shown_at)

    @property
    def rows(self) -> int:
        return len(self.gains)

    @property
    def group_sizes(self) -> NDArray[np.int64]:
        return np.diff(self.group_offsets)

    @property
    def is_weighted(self) -> bool:
        """Whether slates count differently in training."""
        return len(self.weights) > 0

    @property
    def is_judged(self) -> NDArray[np.bool_]:
        """Whether verdicts may rest on a slate `(g,)`."""
        return ~self.distrusted if len(self.distrusted) else np.ones(len(self), np.bool_)

    def judged(self) -> TrainingSet:
        """The slates that verdicts may rest on."""
        return self if self.is_judged.all() else self.take(self.is_judged)

    @property
    def slate_weights(self) -> NDArray[np.float64]:
        """What each slate counts in training `(g,)`: ones where all count alike."""
        return self.weights if self.is_weighted else np.ones(len(self))

    @property
    def row_weights(self) -> NDArray[np.float64]:
        """The weight of its slate for every row `(n,)`."""
        return np.repeat(self.slate_weights, self.group_sizes)

    def column(self, feature: str) -> NDArray[np.float32]:
        """The values `(n,)` of one feature."""
        return self.features[:, self.feature_names.index(feature)]

    def take(self, chosen: NDArray[np.bool_]) -> TrainingSet:
        """The slates where `chosen` `(g,)` is true, in the same order; views where they adjoin."""
        return self._taken(np.repeat(chosen, self.group_sizes), chosen, self.group_sizes[chosen])

    def take_rows(self, chosen: NDArray[np.bool_]) -> TrainingSet:
        """The rows where `chosen` `(n,)` is true, in the same order; slates without any are left out."""
        sizes = np.add.reduceat(chosen.astype(np.int64), self.group_offsets[:-1])
        return self._taken(chosen, sizes > 0, sizes[sizes > 0])

    def _taken(
        self, rows: NDArray[np.bool_], slates: NDArray[np.bool_], sizes: NDArray[np.int64]
    ) -> TrainingSet:
        kept: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in _BY_ROW:
            kept[name] = taken_rows(kept[name], rows)
        kept["outcomes"] = {name: counts[rows] for name, counts in self.outcomes.items()}
        kept["trials"] = self.trials[rows] if len(self.trials) else self.trials
        for name in _BY_SLATE:
            kept[name] = kept[name][slates]
        kept["weights"] = self.weights[slates] if self.is_weighted else self.weights
        kept["distrusted"] = self.distrusted[slates] if len(self.distrusted) else self.distrusted
        kept["group_offsets"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return TrainingSet(**kept)

    @classmethod
    def joined(cls, parts: Sequence[TrainingSet]) -> TrainingSet:
        """The slates of `parts`, which came of one set, one part after the other."""
        whole: dict[str, Any] = {
            name: joined_rows([getattr(part, name) for part in parts])
            for name in (*_BY_ROW, "trials", *_BY_SLATE)
        }
        counts = {name: np.concatenate([part.outcomes[name] for part in parts]) for name in parts[0].outcomes}
        sizes = np.concatenate([part.group_sizes for part in parts])
        if any(part.is_weighted for part in parts):
            whole["weights"] = np.concatenate([part.slate_weights for part in parts])
        if any(len(part.distrusted) for part in parts):
            whole["distrusted"] = np.concatenate([~part.is_judged for part in parts])
        return replace(
            parts[0], **whole, outcomes=counts, group_offsets=np.concatenate([[0], np.cumsum(sizes)])
        )

    def require(self, minimum: int, what: str) -> None:
        """Refuse a set of fewer than `minimum` slates.

        Raises:
            NotEnoughDataError: there are fewer.
        """
        if len(self) < minimum:
            raise NotEnoughDataError(
                f"expected at least {minimum} slates to {what}, found {len(self)}; "
                "collect more of the log and run again."
            )
