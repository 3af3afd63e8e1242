"""Whether a log can tell what a policy is worth: enough of it, and of everything that the policy does.

Weighting moves what was logged. What a policy does and the log never did is in no row, so an estimate is
silent about it, and its interval is as tight as if it did not exist.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.snips import PolicyValue

CERTAIN_ERRORS = 3.0
"""Standard errors by which the mean weight must leave 1 before that is no accident."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The least evidence for an estimate, fixed before anything was measured."""

    effective_sample_size: float
    matched_clicks: int
    covered: float
    """Least share of what the policy does that the log did too."""


def covered_share(
    actions: NDArray[np.integer], positions: NDArray[np.integer], policy: NDArray[np.floating]
) -> float:
    """The policy's mass on what was logged at least once at that position, averaged over the rows' positions.

    `actions` and `positions` `(n,)` count from zero; `policy` is `(n_actions, n_positions)`. Actions that
    were never logged need no row in it: what a position lacks to 1 is theirs.

    >>> policy = np.array([[0.1, 0.5], [0.1, 0.5]])
    >>> round(covered_share(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), policy), 3)
    0.6
    """
    logged = np.zeros(policy.shape, dtype=np.bool_)
    logged[actions, positions] = True
    return float((policy * logged).sum(axis=0)[positions].mean())


def missing_support(value: PolicyValue, asked: Asked) -> str | None:
    """What the evidence lacks, in a sentence with the traffic that it would take; None when it suffices."""
    enough_size = value.effective_sample_size >= asked.effective_sample_size
    if not (enough_size and value.matched_clicks >= asked.matched_clicks):
        return _too_little(value, asked)
    if value.covered is not None and value.covered < asked.covered:
        return (
            f"expected a log that did at least {asked.covered:.0%} of what the policy does, found "
            f"{value.covered:.1%}: the rest was never logged at its position, and no number of such rows "
            "tells what it is worth. Let the log explore what the policy shows, and try again."
        )
    away = abs(value.mean_weight - 1.0)
    if away > 1.0 - asked.covered and not away <= CERTAIN_ERRORS * value.mean_weight_error:
        return (
            f"expected weights with a mean of 1, found {value.mean_weight:.3f} (standard error "
            f"{value.mean_weight_error:.3f}): the log did not choose by the propensities that it names, or "
            "never does what the policy does. Log the propensity with which each item was drawn for its "
            "position, and name every item that could be shown."
        )
    return None


def _too_little(value: PolicyValue, asked: Asked) -> str:
    found = (
        f"{value.clicks} clicks in {value.rows} rows, {value.matched_clicks} of them on what the policy "
        f"would show; effective sample size {value.effective_sample_size:.1f}, largest weight "
        f"{value.largest_weight:.4g}"
    )
    needed = f"{asked.matched_clicks} matched clicks and an effective sample size of "
    needed += f"{asked.effective_sample_size:g}"
    rows = rows_needed(value, asked)
    traffic = "clicks at all" if rows is None else f"about {rows:,} such rows"
    return f"expected at least {needed}; found {found}. It needs {traffic}, or a log that explores more."


def rows_needed(value: PolicyValue, asked: Asked) -> int | None:
    """Rows of the same log that would reach both bars, by proportion; None when no rate is known.

    Where no click matched, the log's own click rate stands in for the policy's.
    """
    if value.effective_sample_size == 0 or value.clicks == 0:
        return None
    matched_rate = value.matched_rows / value.rows
    click_rate = value.clicks / value.rows * matched_rate
    if value.matched_clicks:
        click_rate = value.matched_clicks / value.rows
    for_size = value.rows * asked.effective_sample_size / value.effective_sample_size
    return math.ceil(max(for_size, asked.matched_clicks / click_rate))
