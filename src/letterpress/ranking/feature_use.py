"""How much of what a model learned rests on each feature."""

from __future__ import annotations

from letterpress.ranking.bundle import BundleManifest


def feature_shares(manifest: BundleManifest) -> dict[str, float]:
    """For every feature of the bundle its share of the model, 0 for one never looked at; all add up to 1.

    Of trees it is the share of the loss that splits on the feature took away in training, of a linear model
    the share of the variance of its scores; both were worked out in training. Popularity is one feature.
    """
    amounts = dict.fromkeys(manifest.features, 0.0)
    if manifest.score_feature is not None:
        amounts[manifest.score_feature] = 1.0
    amounts |= {name: float(share) for name, share in manifest.training.get("importance", {}).items()}
    total = sum(amounts.values())
    return {name: amount / total for name, amount in amounts.items()} if total else amounts
