"""`targets`: what it costs to tell rates of 2, 5 and 12 targets, alone and within a whole response.

CPU time in turns, so that other work on the machine does not count. Goals were fixed here before the run.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from bench.report import Figure, figure, write_result
from bench.synthetic_home import publish_model, rank_bodies, train_noise, write_snapshot
from letterpress.clock import SystemClock
from letterpress.features import feature_names, feature_plan
from letterpress.ranking.calibration import declared_calibration
from letterpress.ranking.predicted_rates import RatePredictor
from letterpress.recommenders import RECOMMENDERS, Recommender, get_recommender
from letterpress.serving.messages import RankRequest
from letterpress.serving.service import RankingService
from letterpress.settings import Home, Settings

NAME = "image_enhancement"
DECLARED = get_recommender(NAME)
COUNTS = (2, 5, 12)
ITEMS, SHOWN = 24, 8
TURNS, CALLS, REQUESTS = 9, 400, 300


def with_targets(count: int) -> Recommender:
    """The recommender of pictures with so many targets: its own ones in turns, under names of their own."""
    own = DECLARED.targets
    targets = tuple(
        own[at] if at < len(own) else replace(own[at % len(own)], name=f"{own[at % len(own)].name}_{at}")
        for at in range(count)
    )
    return replace(DECLARED, targets=targets)


def draw_features(rows: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Features `(rows, n_features)` of one campaign whose labels and moment are all known."""
    plan = feature_plan(DECLARED)
    features = np.tile(np.array([each.default for each in plan.features], np.float32), (rows, 1))
    known = [each.feature for each in declared_calibration(DECLARED).levels]
    features[:, [plan.names.index(name) for name in known]] = 1.0
    return features


def microseconds_of_rates(predictors: list[RatePredictor], rows: int) -> list[float]:
    """CPU time of the rates of `rows` items by each of the predictors, in turns."""
    features, scores = draw_features(rows), np.linspace(-0.3, 0.3, rows)
    positions = np.arange(1.0, rows + 1)
    spent: list[list[float]] = [[] for _ in predictors]
    for _ in range(TURNS):
        for place, predictor in enumerate(predictors):
            began = time.process_time()
            for _ in range(CALLS):
                predictor.predict(scores, scores, features, positions)
            spent[place].append((time.process_time() - began) / CALLS * 1e6)
    return [median(each) for each in spent]


def microseconds_of_responses(folder: Path) -> list[float]:
    """CPU time from the bytes of a request to those of its answer, with each number of targets, in turns."""
    home = Home(root=folder)
    home.snapshots.mkdir(parents=True)
    write_snapshot(home)
    publish_model(home, version=1, booster=train_noise(len(feature_names(DECLARED))))
    services = []
    for count in COUNTS:
        RECOMMENDERS[NAME] = with_targets(count)
        services.append(RankingService(Settings(home=folder)))
        services[-1].start()
    bodies = rank_bodies(REQUESTS, items=ITEMS, k=SHOWN).splitlines()
    spent: list[list[float]] = [[] for _ in services]
    for _ in range(TURNS):
        for place, service in enumerate(services):
            began = time.process_time()
            asyncio.run(answer_all(service, bodies))
            spent[place].append((time.process_time() - began) / REQUESTS * 1e6)
    for service in services:
        service.stop()
    RECOMMENDERS[NAME] = DECLARED
    return [median(each) for each in spent]


async def answer_all(service: RankingService, bodies: list[bytes]) -> None:
    """Answer every request of `bodies`."""
    for body in bodies:
        ranked = await service.rank(msgspec.json.decode(body, type=RankRequest))
        msgspec.json.encode(ranked.to_answer())


def describe(folder: Path) -> Iterator[Figure]:
    """All figures."""
    names = feature_names(DECLARED)
    predictors = [RatePredictor(declared_calibration(with_targets(count)), names) for count in COUNTS]
    for rows in (SHOWN, ITEMS):
        for count, spent in zip(COUNTS, microseconds_of_rates(predictors, rows), strict=True):
            goal = "< 150" if (rows, count) == (ITEMS, COUNTS[-1]) else None
            yield figure(f"rates of {rows} items, {count} targets", spent, "us of CPU", goal)
    whole = microseconds_of_responses(folder)
    for count, spent in zip(COUNTS, whole, strict=True):
        yield figure(f"whole response, {SHOWN} of {ITEMS} items, {count} targets", spent, "us of CPU")
    yield figure(f"whole response, {COUNTS[-1]} targets over {COUNTS[0]}", whole[-1] / whole[0], "x", "< 2")


def run(path: Path) -> None:
    """Measure and write `path`."""
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as name:
        figures = list(describe(Path(name) / "home"))
    note = (
        f"Medians of {TURNS} turns. A response is decoded, ranked by 300 trees, logged and encoded in this "
        "process, without HTTP."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=targets", note=note)
