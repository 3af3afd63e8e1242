"""`cold-start`: how a ranker orders slates of what nobody has seen, against popularity, on simulated truth.

From the log of each world goes everything of one tenant, one segment and one industry before the sixth
day, so that they begin then; new pictures come every day as always. The platform reads, builds, splits and
trains as always. Measured is the true NDCG@8 in the first day of what is new, and of slates of pictures
that were not trained on. Figures and goals were fixed here before the run.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.known_world import BEGIN, KnownWorld, open_world
from bench.report import Figure, figure, write_result
from bench.worlds import judge
from letterpress.clock import SystemClock
from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.evaluation.paired_bootstrap import bootstrap_ratio
from letterpress.orchestration.judge_challenger import slices_of
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.popularity import popularity_bundle
from letterpress.ranking.train_bundle import train_bundle
from letterpress.simulation.world import INDUSTRIES, SEGMENTS, TENANTS

Floats = NDArray[np.float64]

WORLDS, SLATES = 8, 6_000
ARRIVAL = BEGIN + timedelta(days=5)
FIRST_DAY = timedelta(days=1)
ITEMS, SOME_NEW = "items", "some new"
"""The slice of a verdict that holds slates of items that were not trained on."""


@dataclass(frozen=True, slots=True)
class Newcomers:
    """Who is first seen on the sixth day."""

    tenant: str
    segment: str
    industry: str

    @classmethod
    def of(cls, seed: int) -> Newcomers:
        """Other ones in each world."""
        return cls(
            TENANTS[seed % len(TENANTS)], SEGMENTS[seed % len(SEGMENTS)], INDUSTRIES[seed % len(INDUSTRIES)]
        )

    def include(self, line: _Line) -> bool:
        """Whether a campaign or slate is one of theirs."""
        campaign = line.campaign
        named = campaign is not None and (
            campaign.segment == self.segment or campaign.industry == self.industry
        )
        return named or (line.type != "item" and line.tenant == self.tenant)


class _Campaign(msgspec.Struct):
    segment: str | None = None
    industry: str | None = None


class _Line(msgspec.Struct):
    """What is read of an event to know whether it is left out."""

    type: str
    tenant: str
    occurred_at: datetime
    slate_id: str | None = None
    campaign: _Campaign | None = None


def leave_out(landing: Path, newcomers: Newcomers) -> None:
    """Rewrite the log without the campaigns of `newcomers` before they arrive, and what came of them."""
    left_out: set[str] = set()
    for path in sorted(landing.glob("*.jsonl.gz")):
        with gzip.open(path, "rb") as stream:
            kept = list(_kept(stream, newcomers, left_out))
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.writelines(kept)


def _kept(lines: Iterable[bytes], newcomers: Newcomers, left_out: set[str]) -> Iterator[bytes]:
    for text in lines:
        line = msgspec.json.decode(text, type=_Line)
        if line.occurred_at < ARRIVAL and newcomers.include(line):
            left_out.update({line.slate_id} if line.slate_id else ())
        elif line.slate_id not in left_out:
            yield text


def measure_world(seed: int) -> dict[str, Any]:
    """True NDCG of ranker, popularity and chance by kind of newcomer, and the slice of new items."""
    newcomers = Newcomers.of(seed)
    world = open_world(seed, SLATES, before_ingest=partial(leave_out, newcomers=newcomers))
    trained = train_bundle(world.recommender, world.split, snapshot=world.snapshot, seed=seed, threads=1)
    popularity = popularity_bundle(world.recommender, world.snapshot)
    random = np.random.default_rng(seed).random(world.later.rows)
    ndcg = {
        "ranker": _ndcg(world, trained.scorer().score(world.later.features)),
        "popularity": _ndcg(world, popularity.scorer().score(world.later.features)),
        "random": _ndcg(world, random),
    }
    kinds = {
        kind: {name: values[chosen].tolist() for name, values in ndcg.items()}
        | {"campaigns": world.later.campaign_codes[chosen].tolist()}
        for kind, chosen in _new_by_kind(world, newcomers).items()
    }
    return {"seed": seed, "kinds": kinds, "slice": _slice_of_new_items(world, popularity, trained, seed)}


def _ndcg(world: KnownWorld, scores: Floats) -> Floats:
    return ndcg_per_group(scores, world.expected, world.later.group_offsets, world.recommender.slate_size)


def _new_by_kind(world: KnownWorld, newcomers: Newcomers) -> dict[str, NDArray[np.bool_]]:
    """Which later slates `(g,)` are of a new tenant, segment or industry alone, or of new items alone."""
    later, train = world.later, world.split.train
    labels = slices_of(world.recommender, world.split._replace(test=later))
    theirs = {kind: labels[kind] == getattr(newcomers, kind) for kind in ("tenant", "segment", "industry")}
    counts = np.sum(list(theirs.values()), axis=0)
    is_first_day = later.shown_at < (ARRIVAL + FIRST_DAY).timestamp() * 1e6
    trained_on = np.isin(later.item_codes, np.unique(train.item_codes))
    is_new = ~np.logical_or.reduceat(trained_on, later.group_offsets[:-1])
    alone = {kind: chosen & (counts == 1) & is_first_day for kind, chosen in theirs.items()}
    return {"item": is_new & (counts == 0), **alone}


def _slice_of_new_items(
    world: KnownWorld, popularity: ModelBundle, trained: ModelBundle, seed: int
) -> dict[str, Any]:
    """What the verdict on the ranker against popularity says of slates with new items."""
    slices = judge(world, popularity, trained, seed=seed).numbers["slices"]
    return next((each for each in slices if (each["kind"], each["label"]) == (ITEMS, SOME_NEW)), {})


def run(path: Path, *, worlds: int = WORLDS) -> None:
    """Measure and write `path`."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as workers:
        found = []
        for each in workers.map(measure_world, range(1, worlds + 1)):
            found.append(each)
            print(f"world {each['seed']} of {worlds} is measured", flush=True)
    note = (
        f"{worlds} worlds of {SLATES:,} slates in a week, in each of which a tenant, a segment and an "
        "industry begin on the sixth day. Measured in their first day, and on slates of which no item was "
        "trained on; popularity knows what was counted by then. True NDCG@8, intervals by a bootstrap of "
        "campaigns."
    )
    write_result(
        path, figures_of(found), at=SystemClock().now(), command="make bench NAME=cold-start", note=note
    )


def figures_of(worlds: list[dict[str, Any]]) -> list[Figure]:
    """By kind the NDCG of each ranker and the relative gain over popularity, and the slice of the verdict."""
    figures = [one for kind in ("item", "tenant", "segment", "industry") for one in _of_kind(kind, worlds)]
    slices = [each["slice"] for each in worlds if each["slice"]]
    return [
        *figures,
        figure(
            "verdict, slice of new items: relative gain over popularity, pooled",
            float(np.mean([each["pooled"] for each in slices])),
            "",
            ">= 0",
        ),
        figure(
            "verdict, slice of new items: called harmed",
            float(sum(each["is_harmed"] for each in slices)),
            "worlds",
            "= 0",
        ),
    ]


def _of_kind(kind: str, worlds: list[dict[str, Any]]) -> list[Figure]:
    parts = [each["kinds"][kind] for each in worlds]
    ndcg = {
        name: np.concatenate([part[name] for part in parts]) for name in ("ranker", "popularity", "random")
    }
    clusters = np.concatenate(
        [np.array(part["campaigns"], np.int64) + place * 10**6 for place, part in enumerate(parts)]
    )
    gain = bootstrap_ratio(ndcg["ranker"] - ndcg["popularity"], ndcg["popularity"], clusters, seed=1)
    return [
        figure(f"new {kind}: slates", len(clusters), "slates"),
        *(figure(f"new {kind}: NDCG of {name}", float(each.mean()), "") for name, each in ndcg.items()),
        figure(f"new {kind}: gain over popularity", gain.mean, ""),
        figure(f"new {kind}: gain over popularity, 95 % from", gain.low, "", ">= 0"),
        figure(f"new {kind}: gain over popularity, 95 % to", gain.high, ""),
    ]
