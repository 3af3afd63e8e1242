"""Experiments of the simulated world and of the Upworthy archive, as counts by arm."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from letterpress.simulation.arm_spread import ArmSpread, estimate_arm_spread
from letterpress.simulation.truth import Truth


def upworthy_spread(archive: Path) -> ArmSpread:
    """Of the tests that the archive trusts, without those that hold one package twice."""
    tests: dict[str, list[dict[str, str]]] = {}
    with gzip.open(archive, "rt", encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if row["trusted"] == "True":
                tests.setdefault(row["clickability_test_id"], []).append(row)
    distinct = [arms for arms in tests.values() if len({_package(arm) for arm in arms}) == len(arms)]
    arms = [(number, arm) for number, test in enumerate(distinct) for arm in test]
    return estimate_arm_spread(
        np.array([number for number, _ in arms]),
        np.array([int(arm["clicks"]) for _, arm in arms]),
        np.array([int(arm["impressions"]) for _, arm in arms]),
    )


def _package(arm: dict[str, str]) -> tuple[str, ...]:
    return tuple(arm[name] for name in ("headline", "eyecatcher_id", "excerpt", "lede"))


def simulated_spread(out: Path, files: list[Path]) -> ArmSpread:
    """Of the experiments of a simulated log, by what its lines say and not by what the truth knows.

    The log names its experiments through the truth: which sends were arms is not the question here.
    """
    arms = Truth.open(out).experiments().to_pylist()
    counts = _count_outcomes(files)
    found = [
        (arm["experiment_id"], counts[arm["slate_id"], arm["item_id"], "clicked"], delivered)
        for arm in arms
        if (delivered := counts[arm["slate_id"], arm["item_id"], "delivered"])
    ]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(name for name, _, _ in found))}
    return estimate_arm_spread(
        np.array([numbers[name] for name, _, _ in found]),
        np.array([clicks for _, clicks, _ in found]),
        np.array([delivered for _, _, delivered in found]),
    )


class _Outcome(msgspec.Struct, tag="outcome", tag_field="type"):
    slate_id: str
    item_id: str
    kind: str
    count: int = 1


def _count_outcomes(files: list[Path]) -> Counter[tuple[str, str, str]]:
    decoder = msgspec.json.Decoder(_Outcome)
    counts: Counter[tuple[str, str, str]] = Counter()
    for path in files:
        with gzip.open(path) as stream:
            for line in stream:
                if line.startswith(b'{"type":"outcome"'):
                    outcome = decoder.decode(line)
                    counts[outcome.slate_id, outcome.item_id, outcome.kind] += outcome.count
    return counts
