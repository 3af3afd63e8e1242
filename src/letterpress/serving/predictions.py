"""What is predicted of the items that are shown: rates of every target, and the lift over the original."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.ranking.predicted_rates import RATE, known_scores
from letterpress.serving.candidates import Candidates
from letterpress.serving.loaded import LoadedModel
from letterpress.serving.messages import PredictedRate

DECIMALS = 7
"""Of rates and lifts: more would be sent and mean nothing."""

Predicted = tuple[dict[str, PredictedRate], float | None]


def predict_shown(
    model: LoadedModel,
    candidates: Candidates,
    features: NDArray[np.float32],
    scores: NDArray[np.float64],
    order: list[int],
) -> list[Predicted]:
    """Rates by target and the lift of the rows `order` of the candidates, in that order.

    The lift is null where the request has no original of the item's source.
    """
    originals = _originals(model, candidates)
    rows = order + [row for row in originals.values() if row not in order]
    known = known_scores(scores).take(rows)
    relative = known - np.add.reduce(known[: len(order)]) / len(order)
    shown = features.take(rows, axis=0)
    positions = np.arange(1.0, len(rows) + 1.0)
    rates = model.rates.predict(known, relative, shown, positions)
    names = model.rates.targets
    compared = names.index(model.recommender.lift_target.name)
    at_top = rates
    if originals and model.recommender.lift_target.denominator is None:  # two places tell no lift
        at_top = model.rates.predict(known, relative, shown, np.ones(len(rows)))
    lift_rates: list[float] = at_top[:, compared, RATE].tolist()
    told: list[Any] = rates[: len(order)].round(DECIMALS).tolist()
    places = {row: place for place, row in enumerate(rows)}
    sources = candidates.source_ids
    found = []
    for place, row in enumerate(order):
        original = originals.get(sources[row])
        lift = None
        if original is not None:
            lift = round(lift_rates[place] / lift_rates[places[original]] - 1.0, DECIMALS)
        predicted = {name: PredictedRate(*rate) for name, rate in zip(names, told[place], strict=True)}
        found.append((predicted, lift))
    return found


def _originals(model: LoadedModel, candidates: Candidates) -> dict[str | None, int]:
    """The row of the original of each source; the first where a source has several.

    Items that name no source are of one source: the picture that the request is about.
    """
    if model.recommender.original_label is None:
        return {}
    label, value = model.recommender.original_label
    found: dict[str | None, int] = {}
    for row, labels in enumerate(candidates.labels):
        if labels.get(label) == value:
            found.setdefault(candidates.source_ids[row], row)
    return found
