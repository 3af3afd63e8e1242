"""Peer: BentoML's quickstart shape. Typed API, default settings, pandas and DMatrix.

Started by `bench.rank` with `bentoml serve`; reads the booster from its environment.
"""

from __future__ import annotations

import os
from typing import Any

import bentoml
import numpy as np
import pandas as pd
import xgboost


@bentoml.service(name="naive")
class Naive:
    def __init__(self) -> None:
        # XGBRanker.predict without its constructor, which asks for scikit-learn: the same DMatrix path.
        self.booster = xgboost.Booster(model_file=os.environ["BENCH_BOOSTER"])
        self.columns = [f"f{number}" for number in range(self.booster.num_features())]
        random = np.random.default_rng(0)
        self.table = pd.DataFrame(
            random.random((1000, len(self.columns)), dtype=np.float32),
            index=[f"item-{number}" for number in range(1000)],
            columns=self.columns,
        )

    @bentoml.api(route="/v1/rank")  # type: ignore[untyped-decorator]  # BentoML is not followed
    def rank(
        self,
        recommender: str,
        tenant: str,
        slot: str,
        campaign: dict[str, Any],
        items: list[dict[str, Any]],
        k: int,
    ) -> dict[str, Any]:
        del recommender, tenant, slot, campaign
        frame = pd.DataFrame(items).set_index("item_id")
        features = self.table.reindex(frame.index)
        frame["score"] = self.booster.predict(xgboost.DMatrix(features))
        best = frame.sort_values("score", ascending=False).head(k).reset_index()
        best["position"] = range(1, len(best) + 1)
        return {"items": best[["item_id", "position", "score"]].to_dict("records")}
