"""From a request to a ranked slate: candidates, features, scores, exploration; no input or output."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from letterpress.events.codec import find_problem
from letterpress.events.packed_features import pack_features
from letterpress.events.types import DescribedItem, ShownItem, Slate
from letterpress.lake.snapshots import Snapshot
from letterpress.ranking.exploration import POLICY, Choice, choose_order, seed_of
from letterpress.recommenders import Recommender
from letterpress.serving.audit_sample import AuditSample, describe_items
from letterpress.serving.candidates import Candidates, gather_candidates
from letterpress.serving.loaded import LoadedModel
from letterpress.serving.messages import RankAnswer, RankedItem, RankRequest
from letterpress.serving.overlay import Overlay
from letterpress.serving.predictions import Predicted, predict_shown
from letterpress.serving.private_request import NO_NAMES
from letterpress.serving.problems import wrong_field
from letterpress.serving.request_features import request_features, request_keys, request_session


@dataclass(frozen=True, slots=True)
class Known:
    """What a request may know: a snapshot, and what arrived since."""

    snapshot: Snapshot
    overlay: Overlay


@dataclass(frozen=True, slots=True)
class RankedSlate:
    """An answer with what its log entry needs."""

    request: RankRequest
    answer: RankAnswer
    shown_at: datetime
    seed: int
    schema_hash: str
    features: NDArray[np.float32]
    """(k, features) of the items shown, best place first."""
    is_explored: bool
    scores: list[float]
    """Of all candidates, in the order of the request."""
    described: list[DescribedItem] | None
    """What the request said of the items shown; None where the slate is not in the sample of the audit."""
    names: Mapping[str, str]
    """What the request calls those items whose ids were masked, by masked id."""
    live_until: datetime | None
    """What was received up to then is in the counts; None when they are the snapshot's alone."""

    def to_answer(self) -> RankAnswer:
        """What is sent: the slate with the items' ids as the request gave them."""
        if not self.names:
            return self.answer
        named = [
            msgspec.structs.replace(item, item_id=self.names.get(item.item_id, item.item_id))
            for item in self.answer.items
        ]
        return msgspec.structs.replace(self.answer, items=named)

    def to_event(self, received_at: datetime | None = None) -> Slate:
        """The slate as it is logged: everything needed to train on it and to replay it."""
        shown = [
            ShownItem(
                item_id=item.item_id,
                position=item.position,
                score=item.score,
                propensity=item.propensity,
                packed_features=packed,
            )
            for item, packed in zip(self.answer.items, pack_features(self.features), strict=True)
        ]
        return Slate(
            event_id=self.answer.slate_id,
            tenant=self.request.tenant,
            recommender=self.request.recommender,
            occurred_at=self.shown_at,
            received_at=received_at or self.shown_at,
            slate_id=self.answer.slate_id,
            campaign=self.request.campaign,
            slot=self.request.slot,
            policy=self.answer.policy,
            items=shown,
            model=self.answer.model,
            snapshot=self.answer.snapshot,
            live_until=self.live_until,
            seed=self.seed,
            builder_id=self.request.builder_id,
            session_id=self.request.session_id,
            feature_schema=self.schema_hash,
            candidate_scores=_finite_scores(self.scores),
            described=self.described,
        )


def rank_slate(
    model: LoadedModel,
    known: Known,
    request: RankRequest,
    now: datetime,
    *,
    max_items: int,
    audit: AuditSample,
    has_escapes: bool,
    names: Mapping[str, str] = NO_NAMES,
) -> RankedSlate:
    """The best k of the request's candidates, some of the time shuffled.

    Raises:
        RequestProblemError: 422; k or the items do not fit, or a text could not be logged.
    """
    snapshot = known.snapshot
    candidates = gather_candidates(model.recommender, snapshot, request, max_items=max_items)
    k = places_to_fill(request.k, model.recommender, len(candidates.item_ids))
    keys = request_keys(model.recommender, request, candidates)
    session = request_session(model.recommender, request)
    live = known.overlay.read(snapshot, model.recommender.name, keys, session)
    features = request_features(model.recommender, model.plan, snapshot, request, candidates, now, keys, live)
    scores = model.scorer.score(features)
    listed: list[float] = scores.tolist()
    slate_id = make_slate_id(now)
    seed = seed_of(slate_id)
    choice = choose_order(scores, k, model.recommender.exploration, seed)
    predicted = predict_shown(model, candidates, features, scores, choice.order)
    answer = _answer(model, snapshot.snapshot_id, slate_id, candidates, choice, listed, predicted)
    ranked = RankedSlate(
        request=request,
        answer=answer,
        shown_at=now,
        seed=seed,
        schema_hash=model.plan.schema_hash,
        features=features.take(choice.order, axis=0),
        is_explored=choice.is_explored,
        scores=listed,
        described=_sampled(model.recommender, request, answer, now, audit),
        names=names,
        live_until=None if live is None else live.until,
    )
    if has_escapes and (problem := find_problem(ranked.to_event(), has_escapes=True)) is not None:
        raise wrong_field(problem.field or "", str(problem))
    return ranked


def _sampled(
    recommender: Recommender, request: RankRequest, answer: RankAnswer, now: datetime, audit: AuditSample
) -> list[DescribedItem] | None:
    if not audit.takes(recommender.name, seed_of(answer.slate_id), now, len(answer.items)):
        return None
    return describe_items(recommender, request.items, [item.item_id for item in answer.items])


def places_to_fill(k: int | None, recommender: Recommender, items: int) -> int:
    """How many places the slate has.

    Raises:
        RequestProblemError: 422; k is below one or above the number of items.
    """
    if k is None:
        return min(recommender.slate_size, items)
    if k < 1:
        raise wrong_field("k", f"k: expected at least 1 place to fill, found {k}.")
    if k > items:
        raise wrong_field("k", f"k: expected at most {items}, the number of items; found {k}.")
    return k


def make_slate_id(now: datetime) -> str:
    """32 hex digits: milliseconds of the clock, then 80 random bits. Sorts by time."""
    return f"{int(now.timestamp() * 1000):012x}{os.urandom(10).hex()}"


def _finite(score: float) -> float | None:
    """Null stands for the score of an item of which nothing is known: JSON has no infinity."""
    return score if math.isfinite(score) else None


def _finite_scores(scores: list[float]) -> list[float | None]:
    return [*scores] if all(map(math.isfinite, scores)) else list(map(_finite, scores))


def _answer(  # what an answer is made of
    model: LoadedModel,
    snapshot: str,
    slate_id: str,
    candidates: Candidates,
    choice: Choice,
    scores: list[float],
    predicted: list[Predicted],
) -> RankAnswer:
    items = [
        RankedItem(
            item_id=candidates.item_ids[row],
            position=position,
            score=_finite(scores[row]),
            propensity=propensity,
            predicted=rates,
            lift=lift,
        )
        for position, (row, propensity, (rates, lift)) in enumerate(
            zip(choice.order, choice.propensity, predicted, strict=True), start=1
        )
    ]
    return RankAnswer(
        slate_id=slate_id,
        recommender=model.recommender.name,
        model=model.model,
        snapshot=snapshot,
        policy=POLICY,
        items=items,
    )
