"""Fits the rates of a model on slates that it did not learn from (ADR 0030).

A yes-or-no target is a row with one trial, and its chance depends on the position and on what else is
shown. A rate target is a row with as many trials as were delivered; a score is a share of one trial. Where
trials are only given to what a builder chose, rows say more than their features: the builder saw the item.
Items that were sent without being chosen, as controls of experiments are, tell how much more; predictions
are for what nobody chose yet.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from letterpress.datasets.gains import hits_and_trials
from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.isotonic import isotonic_table
from letterpress.evaluation.overdispersion import TYPICAL_SPREAD, faded_spread, fit_faded_spread
from letterpress.evaluation.repeated_rows import Belief, Singles, shared_share, spread_of_share
from letterpress.ranking.calibration import (
    Calibration,
    TargetRates,
    counted_rate,
    declared_calibration,
    declared_rates,
    log_odds,
)
from letterpress.ranking.held_out_scores import HALVES
from letterpress.ranking.predicted_rates import known_scores
from letterpress.recommenders import Recommender, Target

Floats = NDArray[np.float64]

FEWEST_ROWS, FEWEST_HITS, FEWEST_CAMPAIGNS = 200, 20, 10
"""Below these nothing is fitted, and what is declared stands."""
RIDGE = 4.0
"""Pulls weights to what they would be without further inputs: one for the table, none for the others."""
LEVEL_RIDGE = 100.0
"""Campaigns or items of one kind are believed to differ by a tenth from others."""
SELECTION_RIDGE = 25.0
"""A selection of 0.2 is believed possible before any control was seen."""
CHOICES, SCORES = Belief(0.2, 0.15), Belief(0.006, 0.006)
"""How far chances lie from their prediction, as a share of what a yes or no varies by; before counting."""
LEAST_DISPERSION = 1e-3
MOST_SHARE = 0.8
"""More would be chances of 0 and 1."""
ROUNDS, NEWTON_STEPS, CLOSE = 3, 30, 1e-9


class _Rows(NamedTuple):
    """What a target is fitted on: rows `(n,)` with trials."""

    inputs: Floats
    """`(n, m)`, and one more column for selection where it matters."""
    hits: Floats
    trials: Floats
    evidence: Floats
    campaigns: NDArray[np.integer]
    selection: int | None
    """The column of what is more selected than expected, where that matters."""
    looking: int | None
    """The column of the logarithm of the position that multiplies chances, of what is chosen."""


class _Fitted(NamedTuple):
    weights: Floats
    covariance: Floats
    predicted: Floats
    """`(n,)`"""
    spread: float
    fading: float


def fit_calibration(scored: Floats, held_out: TrainingSet, recommender: Recommender) -> Calibration:
    """The rates of a model, fitted on rows that it gave the scores `(n,)` without having learnt from them.

    As declared for targets of which too little was counted.
    """
    with threadpool_limits(1, user_api="blas"):  # the bits must not depend on how many threads share a sum
        return _fit_calibration(scored, held_out, recommender)


def _fit_calibration(scored: Floats, held_out: TrainingSet, recommender: Recommender) -> Calibration:
    bare = declared_calibration(recommender)
    if not held_out.outcomes:
        return bare
    scores = known_scores(scored)
    shared = shared_inputs(bare, held_out)
    found: dict[str, TargetRates] = {}
    for target in sorted(recommender.targets, key=lambda each: each.selected_by is not None):
        found[target.name] = _fit_target(recommender, target, scores, held_out, shared, found)
    return msgspec.structs.replace(bare, targets=tuple(found[target.name] for target in recommender.targets))


class SharedInputs(NamedTuple):
    """Inputs that all targets have: log odds of counted rates `(n, n_rates)`, and levels `(n, n_levels)`."""

    counted: Floats
    levels: Floats


def shared_inputs(calibration: Calibration, part: TrainingSet) -> SharedInputs:
    """The inputs of the rows of `part`; a missing rate is worth its centre, a missing level none."""
    counted = np.zeros((part.rows, len(calibration.rates)))
    for at, (name, centre) in enumerate(zip(calibration.rates, calibration.centres, strict=True)):
        rates = part.column(name).astype(np.float64)
        known = np.clip(rates, 1e-9, 1.0 - 1e-9)
        counted[:, at] = np.where(np.isnan(rates), 0.0, np.log(known / (1.0 - known)) - centre)
    met = [
        np.floor(part.column(each.feature) / np.float32(each.width))[:, None] == np.arange(each.count)
        for each in calibration.levels
    ]
    levels = np.concatenate(met, axis=1) if met else np.zeros((part.rows, 0))
    return SharedInputs(counted, levels.astype(np.float64))


def relative_scores(scores: Floats, part: TrainingSet) -> Floats:
    """Scores `(n,)` less the mean of their slate."""
    means = np.add.reduceat(scores, part.group_offsets[:-1]) / part.group_sizes
    relative: Floats = scores - np.repeat(means, part.group_sizes)
    return relative


def _fit_target(  # what all targets share is worked out once
    recommender: Recommender,
    target: Target,
    scores: Floats,
    part: TrainingSet,
    shared: SharedInputs,
    found: dict[str, TargetRates],
) -> TargetRates:
    declared = declared_rates(recommender, target)
    hits, trials = hits_and_trials(target, part.outcomes)
    campaigns = np.repeat(part.campaign_codes, part.group_sizes)
    used = trials > 0
    n_campaigns = len(np.unique(campaigns[used]))
    rarer = min(hits.sum(), (trials - hits).sum())
    if used.sum() < FEWEST_ROWS or rarer < FEWEST_HITS or n_campaigns < FEWEST_CAMPAIGNS:
        return declared
    chosen = relative_scores(scores, part) if target.is_choice else scores
    table = isotonic_table(chosen[used], hits[used], trials[used])
    levels = np.interp(chosen, table.scores, np.array([log_odds(rate) for rate in _open(table.rates)]))
    whole = _inputs(levels, shared, np.log(part.position) if target.is_choice else np.zeros(part.rows))
    selection = _selection(recommender, target, scores, part, shared, found)
    with_selection = whole if selection is None else np.c_[whole, selection]
    evidence = _evidence_of(recommender, target, part)
    size = whole.shape[1]
    position = size - shared.levels.shape[1] - 1
    looking = with_selection.shape[1] if target.is_choice else None
    inputs = with_selection if looking is None else np.c_[with_selection, np.log(part.position)]
    rows = _Rows(
        inputs[used],
        hits[used],
        trials[used],
        evidence[used],
        campaigns[used],
        selection=None if selection is None else size,
        looking=looking,
    )
    penalties = _penalties(inputs.shape[1], levels_from=position + 1, selection_from=size)
    is_single = target.denominator is None or target.scale is not None
    fitted = _fit(rows, penalties, is_single=is_single, weight=declared.evidence_weight)
    if not target.is_choice:  # position is no input of a rate, rather than one that nobody saw
        fitted.covariance[position, :] = fitted.covariance[:, position] = 0.0
    shift = 0.0 if selection is None else float(fitted.weights[size])
    if is_single:
        spread = _spread_of_singles(recommender, target, part, rows, fitted)
    else:  # what was selected differs from what was not; among all, that is spread as well
        spread = fitted.spread + (0.0 if selection is None else shift**2 * float((selection**2).mean()))
    return TargetRates(
        target=target.name,
        is_relative=target.is_choice,
        looking=None if looking is None else max(-float(fitted.weights[looking]), 0.0),
        scores=tuple(table.scores.tolist()),
        log_odds=tuple(map(log_odds, _open(table.rates).tolist())),
        weights=tuple(fitted.weights[:size].tolist()),
        covariance=tuple(tuple(row) for row in fitted.covariance[:size, :size].tolist()),
        spread=spread,
        fading=fitted.fading,
        evidence=declared.evidence,
        evidence_weight=declared.evidence_weight,
        selection=shift,
        facts={"rows": int(used.sum()), "hits": int(hits.sum()), "campaigns": n_campaigns},
    )


def _evidence_of(recommender: Recommender, target: Target, part: TrainingSet) -> Floats:
    """How often each item was counted before its slate `(n,)`; zeros where nothing of the kind is."""
    rate = counted_rate(recommender, target)
    if rate is None or f"item_{rate.denominator}" not in part.feature_names:
        return np.zeros(part.rows)
    return np.nan_to_num(part.column(f"item_{rate.denominator}").astype(np.float64))


def _penalties(n_inputs: int, *, levels_from: int, selection_from: int) -> Floats:
    """Of each input `(n_inputs,)`: none of the constant, and those of its kind of all others."""
    penalties = np.full(n_inputs, RIDGE)
    penalties[0], penalties[selection_from:] = 0.0, SELECTION_RIDGE
    penalties[levels_from:selection_from] = LEVEL_RIDGE
    return penalties


def _inputs(table: Floats, shared: SharedInputs, log_positions: Floats) -> Floats:
    return np.column_stack([np.ones(len(table)), table, shared.counted, log_positions, shared.levels])


def _open(rates: Floats) -> Floats:
    """Rates within what has odds: a block without any hit says that the rate is low, not zero."""
    lowest = rates[rates > 0].min(initial=0.5) / 2
    highest = 1 - (1 - rates)[rates < 1].min(initial=0.5) / 2
    return np.clip(rates, lowest, highest)


def selection_of(hits: Floats, expected: Floats) -> Floats:
    """How much more was selected than expected `(n,)`: what selection is weighted by."""
    return hits - expected


def _selection(
    recommender: Recommender,
    target: Target,
    scores: Floats,
    part: TrainingSet,
    shared: SharedInputs,
    found: dict[str, TargetRates],
) -> Floats | None:
    """Whether a row was selected less the chance that it would be `(n,)`; None where nobody selects."""
    if target.selected_by is None or not found[target.selected_by].facts:
        return None
    selected, _ = hits_and_trials(recommender.target(target.selected_by), part.outcomes)
    return selection_of(selected, mean_rates(found[target.selected_by], scores, part, shared))


def expected_rates(
    calibration: Calibration, scored: Floats, part: TrainingSet, recommender: Recommender
) -> dict[str, Floats]:
    """Rates `(n,)` by target that the log of `part` should show: of what was selected, because it was."""
    scores, shared = known_scores(scored), shared_inputs(calibration, part)
    found = {each.target: mean_rates(each, scores, part, shared) for each in calibration.targets}
    for each in calibration.targets:
        selector = recommender.target(each.target).selected_by
        if selector is not None and each.selection:
            selected, _ = hits_and_trials(recommender.target(selector), part.outcomes)
            odds = found[each.target] / (1.0 - found[each.target])
            odds *= np.exp(each.selection * selection_of(selected, found[selector]))
            found[each.target] = odds / (1.0 + odds)
    return found


def mean_rates(rates: TargetRates, scores: Floats, part: TrainingSet, shared: SharedInputs) -> Floats:
    """Predicted rates `(n,)` of whole slates."""
    chosen = relative_scores(scores, part) if rates.is_relative else scores
    levels = np.interp(chosen, rates.scores, rates.log_odds)
    inputs = _inputs(levels, shared, np.log(part.position))
    looked = 1.0 if rates.looking is None else part.position.astype(np.float64) ** -rates.looking
    return np.asarray(looked * _sigmoid(inputs @ np.array(rates.weights)), np.float64)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-values)), np.float64)


def _spread_of_singles(
    recommender: Recommender, target: Target, part: TrainingSet, rows: _Rows, fitted: _Fitted
) -> float:
    """The variance of the log odds of single outcomes about their prediction, told by items that come again.

    Both of a pair are of one half of the campaigns: no model that scored one has learnt from the other.
    """
    unselected = fitted.weights.copy()
    if rows.selection is not None:
        unselected[rows.selection] = 0.0
    known, looked = _chances(rows, unselected)
    used = hits_and_trials(target, part.outcomes)[1] > 0
    because_selected = fitted.predicted - looked * known
    halves = np.repeat(part.campaign_codes % HALVES, part.group_sizes)
    labels = [part.column(f"{label}_code") for label, _ in recommender.vocabularies]
    singles = Singles(
        seen=rows.hits - because_selected,
        known=known,
        looked=looked,
        groups=(part.item_codes.astype(np.int64) * HALVES + halves)[used],
        labels=[np.nan_to_num(each[used], nan=-1.0).astype(np.int64) for each in labels],
    )
    share = shared_share(singles, CHOICES if target.is_choice else SCORES)
    if target.is_choice:
        # Who chooses compares: the bar is off by what all others together are misjudged by.
        share *= 1.0 + 1.0 / max(part.rows / len(part) - 1.0, 1.0)
    return spread_of_share(known, min(share, MOST_SHARE))


def _dispersion(hits: Floats) -> float:
    """How much less single outcomes vary than a yes or no of their mean does, as a share: 1 of a yes or no.

    Beliefs are worth so much less beside them.
    """
    return max(float(hits.var() / (hits.mean() * (1.0 - hits.mean()))), LEAST_DISPERSION)


def _fit(rows: _Rows, beliefs: Floats, *, is_single: bool, weight: float) -> _Fitted:
    """Weights given the spread and the spread given the weights, in turns; of single trials weights alone."""
    spread, fading = TYPICAL_SPREAD, 0.0
    dispersion = _dispersion(rows.hits) if is_single else 1.0
    penalties = beliefs * dispersion
    for _ in range(1 if is_single else ROUNDS):
        spreads = faded_spread(spread, fading, rows.evidence, weight)
        solved = _solve(rows, np.zeros(len(spreads)) if is_single else spreads, penalties)
        known, looked = _chances(rows, solved.weights)
        if not is_single:
            spread, fading = fit_faded_spread(known, rows.hits, rows.trials, rows.evidence, weight)
    inverse = np.linalg.inv(solved.curvature)
    _, clusters = np.unique(rows.campaigns, return_inverse=True)
    by_campaign = np.zeros((int(clusters.max()) + 1, rows.inputs.shape[1]))
    np.add.at(by_campaign, clusters, solved.pulls)
    # What is believed beforehand counts as observations too: a weekday that nobody saw is doubted most.
    pulled = by_campaign.T @ by_campaign + np.diag(penalties) * dispersion
    return _Fitted(solved.weights, inverse @ pulled @ inverse, looked * known, spread, fading)


class _Solved(NamedTuple):
    weights: Floats
    curvature: Floats
    """`(m, m)`"""
    pulls: Floats
    """`(n, m)`: of each row on each weight."""


def _solve(rows: _Rows, spreads: Floats, penalties: Floats) -> _Solved:
    """Weights by Fisher's scoring.

    A row weighs as much as its counting and its spread let it: many trials of one row are not as many rows.
    """
    believed = np.zeros(len(penalties))
    believed[1] = 1.0
    weights = believed.copy()
    for _ in range(NEWTON_STEPS):
        known, looked = _chances(rows, weights)
        rates = looked * known
        moved = _moved_odds(rows, known, rates)
        room = np.maximum(rows.trials * rates * (1.0 - rates), 1e-12)
        trust = 1.0 / (1.0 + room * spreads)
        pulls = moved * (trust * (rows.hits - rows.trials * rates))[:, None]
        curvature = moved.T @ (moved * (room * trust)[:, None]) + np.diag(penalties)
        step = np.linalg.solve(curvature, pulls.sum(0) - penalties * (weights - believed))
        weights = weights + np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < CLOSE:
            break
    return _Solved(weights, curvature, pulls)


def _chances(rows: _Rows, weights: Floats) -> tuple[Floats, Floats]:
    """Of each row `(n,)` the chance of those who look, and that anybody looks."""
    chances = rows.inputs @ weights
    if rows.looking is None:
        return _sigmoid(chances), np.ones(len(chances))
    by_looks = rows.inputs[:, rows.looking] * weights[rows.looking]
    return _sigmoid(chances - by_looks), np.exp(np.minimum(by_looks, 0.0))


def _moved_odds(rows: _Rows, known: Floats, rates: Floats) -> Floats:
    """How far each weight moves the log odds of each row `(n, m)`."""
    if rows.looking is None:
        return rows.inputs
    moved = rows.inputs * ((1.0 - known) / (1.0 - rates))[:, None]
    moved[:, rows.looking] = rows.inputs[:, rows.looking] / (1.0 - rates)
    return moved
