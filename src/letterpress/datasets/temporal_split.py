"""Splits a training set by time, so that a model is judged on slates after those that it learned from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import MICROSECONDS_PER_HOUR, TrainingSet
from letterpress.errors import NotEnoughDataError


class Split(NamedTuple):
    """Three sets in the order of time; no campaign is in two of them."""

    train: TrainingSet
    valid: TrainingSet
    test: TrainingSet


def temporal_split(
    whole: TrainingSet,
    *,
    test_share: float = 0.25,
    valid_share: float = 0.2,
    gap_hours: int,
    keep_campaigns_whole: bool = True,
    fewest_judged: int = 0,
) -> Split:
    """The newest `test_share` of slates to judge on; of the rest, the newest `valid_share` to stop early on.

    A campaign belongs to the set in which its first slate falls; its slates outside of that set's time
    are left out, and so are slates in the `gap_hours` before the test, whose outcomes were not all in when
    a model for the test's first day would have been trained. Where that share holds fewer than
    `fewest_judged` slates that verdicts may rest on, it is as large as it must be to hold them.

    Raises:
        NotEnoughDataError: one of the three is empty.
    """
    if len(whole) == 0:
        raise NotEnoughDataError("expected slates to train on, found none; ingest a log first.")
    shown = whole.shown_at
    first = _first_shown(whole) if keep_campaigns_whole else shown
    test_start = np.sort(shown)[_cut(len(whole), 1 - test_share)]
    judged = np.sort(shown[whole.is_judged])
    if 0 < fewest_judged <= len(judged):
        test_start = min(test_start, judged[-fewest_judged])
    before_gap = shown < test_start - gap_hours * MICROSECONDS_PER_HOUR
    learnable = np.sort(shown[before_gap])
    valid_start = learnable[_cut(len(learnable), 1 - valid_share)] if len(learnable) else test_start
    split = Split(
        train=whole.take(before_gap & (shown < valid_start)),
        valid=whole.take(before_gap & (first >= valid_start)),
        test=whole.take(first >= test_start),
    )
    require_all(split, whole, gap_hours)
    return split


def is_by_time(split: Split) -> bool:
    """Whether all that is judged on is later than all that is learnt from."""
    learnt = [part.shown_at.max() for part in (split.train, split.valid) if len(part)]
    return bool(split.test.shown_at.min() > max(learnt))


def _cut(count: int, share: float) -> int:
    return min(count - 1, round(count * share))


def _first_shown(whole: TrainingSet) -> NDArray[np.int64]:
    """When the campaign of each slate `(g,)` had its first slate."""
    first = np.full(int(whole.campaign_codes.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, whole.campaign_codes, whole.shown_at)
    return first[whole.campaign_codes]


def require_all(split: Split, whole: TrainingSet, gap_hours: int) -> None:
    """Refuse a split of `whole` of which a part is empty.

    Raises:
        NotEnoughDataError: one is.
    """
    empty = [name for name, part in split._asdict().items() if len(part) == 0]
    if empty:
        hours = (whole.shown_at.max() - whole.shown_at.min()) / MICROSECONDS_PER_HOUR
        raise NotEnoughDataError(
            f"expected slates to train, to stop early and to judge on, {gap_hours} h apart; found "
            f"{len(whole)} slates of {len(np.unique(whole.campaign_codes))} campaigns within {hours:.0f} h, "
            f"which leaves none for {' and '.join(empty)}. Collect a longer log with more campaigns."
        )
