"""Peer: what a careful team writes first. FastAPI, pydantic, a dictionary of features, XGBoost.

Started by `bench.rank` with uvicorn; reads the booster and the feature count from its environment.
"""

from __future__ import annotations

import os

import numpy as np
import xgboost
from fastapi import FastAPI
from pydantic import BaseModel, Field


class Item(BaseModel):
    item_id: str
    attributes: dict[str, float] = {}
    labels: dict[str, str] = {}


class RankRequest(BaseModel):
    recommender: str
    tenant: str
    slot: str
    campaign: dict[str, object]
    items: list[Item]
    k: int = Field(ge=1)


class RankedItem(BaseModel):
    item_id: str
    position: int
    score: float


class RankAnswer(BaseModel):
    items: list[RankedItem]


app = FastAPI()
booster = xgboost.Booster({"nthread": 1}, model_file=os.environ["BENCH_BOOSTER"])
width = booster.num_features()
random = np.random.default_rng(0)
table = {f"item-{number}": random.random(width, dtype=np.float32) for number in range(1000)}
unknown = np.full(width, np.nan, np.float32)


@app.post("/v1/rank")
async def rank(request: RankRequest) -> RankAnswer:
    features = np.stack([table.get(item.item_id, unknown) for item in request.items])
    scores = booster.inplace_predict(features)
    best = np.argsort(-scores, kind="stable")[: request.k]
    return RankAnswer(
        items=[
            RankedItem(item_id=request.items[row].item_id, position=place, score=float(scores[row]))
            for place, row in enumerate(best.tolist(), start=1)
        ]
    )
