"""How well bundles order the slates of a test set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.examination import BOUNDS
from letterpress.evaluation.ndcg import dcg_per_group, ndcg_per_group
from letterpress.evaluation.verdict import Gained, RankersOnTest
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.position_bias import PositionBias
from letterpress.ranking.scorer import Scorer

Floats = NDArray[np.float64]


def tells_orders_apart(test: TrainingSet) -> NDArray[np.bool_]:
    """Whether the items of a slate `(g,)` differ in what they gained, so that an order can be wrong."""
    starts = test.group_offsets[:-1]
    return np.asarray(np.maximum.reduceat(test.gains, starts) > np.minimum.reduceat(test.gains, starts))


def ndcg_of(bundle: ModelBundle, test: TrainingSet, k: int, *, threads: int) -> Floats:
    """NDCG@k of every slate `(g,)`; NaN for a slate that cannot tell one order from another."""
    return ndcg_by(bundle.scorer(threads=threads), test, k)


def ndcg_by(scorer: Scorer, test: TrainingSet, k: int) -> Floats:
    """The same of any scorer."""
    return _ndcg(scorer.score(test.features), test, k)


def _ndcg(scores: NDArray[np.floating], test: TrainingSet, k: int) -> Floats:
    ndcg = ndcg_per_group(scores, test.gains, test.group_offsets, k)
    ndcg[~tells_orders_apart(test)] = np.nan
    return ndcg


def rank_slates(
    test: TrainingSet,
    k: int,
    *,
    popularity: ModelBundle,
    champion: ModelBundle,
    challenger: ModelBundle,
    threads: int,
    bias: PositionBias | None = None,
    slices: dict[str, NDArray[np.str_]] | None = None,
) -> RankersOnTest:
    """The three rankers on the same slates; gains are freed of `bias` where the log was ordered."""
    shown, freed = test, [test.gains.astype(np.float64)]
    if bias is not None:
        shown, freed = bias.freed_set(test), [bias.freed(test, bound) for bound in BOUNDS]
    ndcg, scores = {}, {}
    for name, bundle in (("popularity", popularity), ("champion", champion), ("challenger", challenger)):
        scores[name] = bundle.scorer(threads=threads).score(test.features)
        ndcg[name] = _ndcg(scores[name], shown, k)
    return RankersOnTest(
        k=k,
        popularity=ndcg["popularity"],
        champion=ndcg["champion"],
        challenger=ndcg["challenger"],
        campaigns=test.campaign_codes,
        gained=tuple(
            Gained(
                dcg_per_group(scores["champion"], gains, test.group_offsets, k),
                dcg_per_group(scores["challenger"], gains, test.group_offsets, k),
            )
            for gains in freed
        ),
        slices=slices or {},
        examination=None if bias is None else bias.examination.as_numbers(),
    )
