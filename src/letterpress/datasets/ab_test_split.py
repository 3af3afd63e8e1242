"""Splits a table of A/B tests: by time where its weeks part the tests well, else by the names of tests."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from letterpress.datasets.temporal_split import Split, require_all, temporal_split
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError

VALID_SHARE = 0.2
LEARNT_SHARE = 0.6
"""Of all tests: a split by time that leaves fewer to learn from is none."""


def split_tests(whole: TrainingSet, *, test_share: float, gap_hours: int, fewest_judged: int = 0) -> Split:
    """The newest `test_share` of tests to judge on, or as many by name where weeks do not part them.

    A table may name no week, or two, or have nine tests of ten in one: what is of one week cannot be split by
    time, and most tests would be left out or judged on. Where the share holds fewer than `fewest_judged`
    tests that verdicts may rest on, it is as large as it must be to hold them.

    Raises:
        NotEnoughDataError: one of the three parts is empty either way.
    """
    try:
        split = temporal_split(
            whole,
            test_share=test_share,
            valid_share=VALID_SHARE,
            gap_hours=gap_hours,
            fewest_judged=fewest_judged,
        )
    except NotEnoughDataError:
        return split_by_name(whole, test_share=test_share, fewest_judged=fewest_judged)
    if len(split.train) + len(split.valid) < LEARNT_SHARE * len(whole):
        return split_by_name(whole, test_share=test_share, fewest_judged=fewest_judged)
    return split


def split_by_name(
    whole: TrainingSet, *, test_share: float, valid_share: float = VALID_SHARE, fewest_judged: int = 0
) -> Split:
    """The same shares of a log that tells no time, by the checksum of each slate's name.

    A slate that was learnt from stays so while others are added, so that no later model is judged on what an
    earlier one learnt from: the place from which slates are judged on only rises. There is no gap, because
    nothing comes after anything.

    Raises:
        NotEnoughDataError: one of the three is empty.
    """
    places = np.array([crc32(name.encode()) / 2**32 for name in whole.slate_ids.tolist()])
    start = 1 - test_share
    judged = np.sort(places[whole.is_judged])
    if 0 < fewest_judged <= len(judged):
        start = min(start, judged[-fewest_judged])
    is_test = places >= start
    is_valid = ~is_test & (places >= start * (1 - valid_share))
    split = Split(whole.take(~is_test & ~is_valid), whole.take(is_valid), whole.take(is_test))
    require_all(split, whole, 0)
    return split
