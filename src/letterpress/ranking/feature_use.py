"""Which features a model looks at, and how much of what it learned rests on each."""

from __future__ import annotations

from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.linear_head import LinearHead
from letterpress.ranking.scorer import BoosterScorer


def feature_shares(bundle: ModelBundle) -> dict[str, float]:
    """For every feature of the bundle its share of the model, 0 for one never looked at; all add up to 1.

    Of trees it is the share of the loss that splits on the feature took away while training. Of a linear
    model it is the share of the absolute weights, whatever the scales. Popularity is one feature.

    Raises:
        ModelRefusedError: the model's file cannot be read.
    """
    amounts = dict.fromkeys(bundle.manifest.features, 0.0)
    if bundle.head is not None:
        weights = LinearHead.decode(bundle.head).whole
        amounts |= {name: abs(weight) for name, weight in zip(weights.features, weights.weights, strict=True)}
    elif bundle.booster is not None:
        booster = BoosterScorer(bundle.booster).booster
        booster.feature_names = list(bundle.manifest.features)
        amounts |= {
            name: float(gain) for name, gain in booster.get_score(importance_type="total_gain").items()
        }
    elif bundle.manifest.score_feature is not None:
        amounts[bundle.manifest.score_feature] = 1.0
    total = sum(amounts.values())
    return {name: amount / total for name, amount in amounts.items()} if total else amounts
