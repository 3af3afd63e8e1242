"""How well bundles order the slates of a test set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.evaluation.verdict import RankersOnTest
from letterpress.ranking.bundle import ModelBundle


def ndcg_of(bundle: ModelBundle, test: TrainingSet, k: int, *, threads: int) -> NDArray[np.float64]:
    """NDCG@k of every slate `(g,)`; NaN for a slate without gain."""
    scores = bundle.scorer(threads=threads).score(test.features)
    return ndcg_per_group(scores, test.gains, test.group_offsets, k)


def rank_slates(
    test: TrainingSet,
    k: int,
    *,
    popularity: ModelBundle,
    champion: ModelBundle,
    challenger: ModelBundle,
    threads: int,
) -> RankersOnTest:
    """The three rankers on the same slates."""
    return RankersOnTest(
        k=k,
        popularity=ndcg_of(popularity, test, k, threads=threads),
        champion=ndcg_of(champion, test, k, threads=threads),
        challenger=ndcg_of(challenger, test, k, threads=threads),
        campaigns=test.campaign_codes,
    )
