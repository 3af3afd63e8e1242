"""What of a log's gains is owed to the place where an item was shown, and gains freed of it.

A builder chooses among what was looked at, and only what was chosen is sent. So everything that a chosen item
gained, what its recipients did too, passed through that look once: recipients see no slate, and what they do
is not freed a second time. What was sent without being chosen owes its place nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.examination import Bound, Examination, estimate_examination
from letterpress.evaluation.shown_choices import ordered_share, unknown_share
from letterpress.recommenders import Recommender

NEGLIGIBLE_SHARE = 0.01
"""Of slates that a policy ordered, below which position can sway neither trees nor a verdict."""
MOST_WEIGHT = 10.0
"""What a gain may count at most in training: rarer looks are too few to learn from one by one."""


def is_by_choice(part: TrainingSet, recommender: Recommender) -> NDArray[np.bool_]:
    """Rows `(n,)` that gained by being chosen from the slate; without logged choices all that gained."""
    for target in recommender.targets:
        if target.is_choice and target.numerator in part.outcomes:
            return np.asarray(np.nan_to_num(part.outcomes[target.numerator]) > 0)
    return np.asarray(part.gains > 0)


def examination_of(parts: Sequence[TrainingSet], recommender: Recommender) -> Examination | None:
    """The position bias of a log that some policy ordered; None where all of it was in random order.

    Raises:
        NotEnoughDataError: the log was ordered, and its randomness does not tell how far position counts;
            or it does not say whether it was ordered.
    """
    whole = [part for part in parts if len(part)]

    def share(of_part: Callable[[NDArray[np.floating], NDArray[np.int64]], float]) -> float:
        counts = [of_part(part.propensity, part.group_offsets) * len(part) for part in whole]
        return sum(counts) / sum(map(len, whole))

    if share(ordered_share) < NEGLIGIBLE_SHARE:
        if (unknown := share(unknown_share)) >= NEGLIGIBLE_SHARE:
            raise NotEnoughDataError(
                f"expected propensities above 0 that tell whether a policy ordered the slates, found none in "
                f"{unknown:.0%} of them, so that an order could be praised for its own places; log "
                "propensities with the slates, `letterpress ingest`, and train again."
            )
        return None
    sizes = np.concatenate([part.group_sizes for part in whole])
    return estimate_examination(
        np.concatenate([is_by_choice(part, recommender) for part in whole]),
        np.concatenate([part.position for part in whole]),
        np.concatenate([part.propensity for part in whole]),
        np.r_[0, np.cumsum(sizes)],
        np.concatenate([part.campaign_codes for part in whole]),
    )


@dataclass(frozen=True, slots=True)
class PositionBias:
    """What the places of a log's slates did to the gains of its choices."""

    examination: Examination
    recommender: Recommender

    def freed(self, part: TrainingSet, bound: Bound = "seen") -> NDArray[np.float64]:
        """Gains `(n,)` over the examination, or its bound, of what was chosen; others as they are."""
        owed = is_by_choice(part, self.recommender)
        weights = np.where(owed, self.examination.weights(part.position, bound), 1.0)
        freed: NDArray[np.float64] = part.gains.astype(np.float64) * weights
        return freed

    def freed_set(self, part: TrainingSet) -> TrainingSet:
        """The part with such gains, which may exceed 1."""
        return replace(part, gains=self.freed(part).astype(np.float32))


def position_bias_of(parts: Sequence[TrainingSet], recommender: Recommender) -> PositionBias | None:
    """The position bias of a log that some policy ordered; None where all of it was in random order.

    Raises:
        NotEnoughDataError: as `examination_of` does.
    """
    found = examination_of(parts, recommender)
    return None if found is None else PositionBias(found, recommender)


def free_of_position(split: Split, recommender: Recommender) -> Split:
    """The split whose trees learn from, and are stopped by, gains freed of position.

    Examination is estimated on `train` alone, and `test` stays as it is: whoever judges frees it. Nothing
    changes where the log was in random order, or is of single slots. Where examination cannot be told, gains
    stay as they are, and the card says why: no such log can be judged either.
    """
    if recommender.judge != "ndcg":
        return split
    try:
        found = examination_of([split.train], recommender)
    except NotEnoughDataError as error:
        return _with_facts(split, {"freed": False, "reason": str(error)})
    if found is None:
        return split
    top = min(1.0 / min(found.seen), MOST_WEIGHT)
    train, valid = (_freed(part, recommender, found, top) for part in (split.train, split.valid))
    facts = {"freed": True, **found.as_numbers(), "largest_weight": round(top, 4)}
    return _with_facts(split._replace(train=train, valid=valid), facts)


def _freed(part: TrainingSet, recommender: Recommender, found: Examination, top: float) -> TrainingSet:
    """The part with gains over examination, and over the largest weight, so that they stay in 0..1."""
    gains = np.minimum(PositionBias(found, recommender).freed(part), top * part.gains) / top
    return replace(part, gains=gains.astype(np.float32))


def _with_facts(split: Split, facts: dict[str, Any]) -> Split:
    train, valid, test = (replace(part, position_bias=facts) for part in split)
    return Split(train, valid, test)
