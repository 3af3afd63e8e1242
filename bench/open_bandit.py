"""`open-bandit`: our off-policy estimates against the reference library's on its own six logs, and refusals.

The BernoulliTS policy is rebuilt from its published prior: 100,000 draws of its posterior, as the reference
did with this seed, so that IPS and SNIPS must agree to rounding.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from bench.report import Figure, figure, write_result
from letterpress.clock import SystemClock
from letterpress.errors import NotYetThereError
from letterpress.evaluation.doubly_robust import predict_by_action
from letterpress.evaluation.snips import ESTIMATES, PolicyValue, estimate_policy_value
from letterpress.evaluation.support import covered_share, missing_support
from letterpress.ranking.greedy_policy import asked_of
from letterpress.recommenders import get_recommender
from letterpress.settings import Settings, read_settings

N_PRODUCTS = {"all": 80, "men": 34, "women": 46}
POSITIONS = 3
DRAWS, DRAW_SEED = 100_000, 12345
PRIOR_FILE, GOLDEN_FILE = "prior_bts.yaml", "obp_reference.json"
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class BanditRows:
    """One log; all `(n,)`, items and positions from zero."""

    clicks: NDArray[np.float64]
    propensities: NDArray[np.float64]
    items: NDArray[np.int64]
    positions: NDArray[np.int64]


def reference_folder(settings: Settings) -> Path:
    """Where the reference logs lie.

    Raises:
        NotYetThereError: they are absent.
    """
    folder = (settings.reference_data or settings.project.parent / "shared" / "data") / "open_bandit"
    if not folder.is_dir():
        raise NotYetThereError(
            f"expected the reference data {folder.name} beside the checkout, found none; "
            "set LETTERPRESS_REFERENCE_DATA."
        )
    return folder


def read_rows(folder: Path, behaviour: str, campaign: str) -> BanditRows:
    """The log of a behaviour policy on a campaign."""
    packed = (folder / behaviour / campaign / f"{campaign}.csv.gz").read_bytes()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    return BanditRows(
        clicks=np.array([float(row["click"]) for row in rows]),
        propensities=np.array([float(row["propensity_score"]) for row in rows]),
        items=np.array([int(row["item_id"]) for row in rows]),
        positions=np.array([int(row["position"]) - 1 for row in rows]),
    )


def uniform(campaign: str) -> NDArray[np.float64]:
    """Probabilities `(n_items, 3)` of the random policy."""
    return np.full((N_PRODUCTS[campaign], POSITIONS), 1 / N_PRODUCTS[campaign])


def thompson(folder: Path, campaign: str) -> NDArray[np.float64]:
    """Probabilities `(n_items, 3)` of BernoulliTS, counted over draws of its published prior."""
    prior = yaml.safe_load((folder / PRIOR_FILE).read_text())[campaign]
    generator = np.random.RandomState(DRAW_SEED)
    n_items = N_PRODUCTS[campaign]
    drawn = generator.beta(np.array(prior["alpha"]), np.array(prior["beta"]), size=(DRAWS, n_items))
    best = drawn.argsort(axis=1)[:, ::-1][:, :POSITIONS]
    counts = [np.bincount(best[:, place], minlength=n_items) for place in range(POSITIONS)]
    return np.stack(counts, axis=1) / DRAWS


def greedy(learnt: BanditRows, campaign: str) -> NDArray[np.float64]:
    """Probabilities `(n_items, 3)`, 0 or 1, of showing the three items with the best shrunken click rate."""
    n_items = N_PRODUCTS[campaign]
    clicks = np.bincount(learnt.items, learnt.clicks, n_items)
    rates = (clicks + 1.0) / (np.bincount(learnt.items, minlength=n_items) + 250.0)
    policy = np.zeros((n_items, POSITIONS))
    policy[np.argsort(-rates, kind="stable")[:POSITIONS], np.arange(POSITIONS)] = 1.0
    return policy


def value_of(rows: BanditRows, policy: NDArray[np.float64], *, rounds: int = 1000) -> PolicyValue:
    """All estimates of `policy` on `rows`."""
    value = estimate_policy_value(
        rows.clicks,
        rows.propensities,
        policy[rows.items, rows.positions],
        seed=1,
        rounds=rounds,
        predicted=predict_by_action(rows.clicks, rows.items, rows.positions, policy, seed=1),
    )
    return replace(value, covered=covered_share(rows.items, rows.positions, policy))


def lacks(value: PolicyValue) -> str | None:
    """Why the platform would refuse to name the value; None when it would."""
    return missing_support(value, asked_of(get_recommender("open_bandit").gates))


def run(path: Path) -> None:
    """Measure and write `path`."""
    folder = reference_folder(read_settings())
    golden = json.loads((folder / GOLDEN_FILE).read_text())
    values: dict[str, PolicyValue] = {}
    figures: list[Figure] = []
    furthest = 0.0
    for campaign in sorted(N_PRODUCTS):
        policies = {"random": uniform(campaign), "bts": thompson(folder, campaign)}
        for target, behaviour in (("random", "random"), ("random", "bts"), ("bts", "random")):
            name = f"{target} <- {behaviour}, {campaign}"
            theirs = golden[campaign][f"{target}_from_{behaviour}_logs"]
            value = values[name] = value_of(read_rows(folder, behaviour, campaign), policies[target])
            furthest = max(furthest, _relative_distance(value, theirs))
            figures += _rows(name, value, theirs)
        half = _halves(read_rows(folder, "random", campaign))
        values[f"greedy <- random, {campaign}"] = value_of(half[1], greedy(half[0], campaign))
    inside = sum(each.met is True for each in figures if "DR" in each.name)
    refused = [name for name, value in values.items() if lacks(value) is not None]
    must = ["random <- bts, women", *(f"greedy <- random, {campaign}" for campaign in sorted(N_PRODUCTS))]
    summary = [
        figure("largest relative distance of IPS and SNIPS from the reference", furthest, "", "< 1e-9"),
        figure("DR estimates inside the reference's interval, of 9", inside, "estimates", "= 9"),
        figure("policies without support that were refused, of 4", len({*must} & {*refused}), "", "= 4"),
        figure("refused altogether, of 12", len(refused), "policies"),
    ]
    note = "Refused: " + " ".join(f"**{name}**: {lacks(values[name])}" for name in refused)
    write_result(
        path, summary + figures, at=SystemClock().now(), command="make bench NAME=open-bandit", note=note
    )


def _halves(rows: BanditRows) -> tuple[BanditRows, BanditRows]:
    """The log in two parts by time, to learn a policy on one and value it on the other."""
    middle = len(rows.clicks) // 2
    parts = [
        BanditRows(rows.clicks[cut], rows.propensities[cut], rows.items[cut], rows.positions[cut])
        for cut in (slice(None, middle), slice(middle, None))
    ]
    return parts[0], parts[1]


def _relative_distance(value: PolicyValue, theirs: dict[str, Any]) -> float:
    ours = {"ipw": value.ips, "snipw": value.snips}
    return max(
        abs(found.mean / float(theirs[key][0]) - 1) for key, found in ours.items() if found is not None
    )


def _rows(name: str, value: PolicyValue, theirs: dict[str, Any]) -> list[Figure]:
    """Estimates beside the reference's; a value that would be refused is shown as what it rests on."""
    low, high = theirs["dr"][1:]
    reference = {"ips": "ipw", "snips": "snipw", "dm": "dm", "dr": "dr"}
    found = []
    for estimate in ESTIMATES:
        interval = getattr(value, estimate)
        named = f"{name}: {estimate.upper()} (reference {theirs[reference[estimate]][0]:.5f})"
        row = Figure(name=named, value=interval.mean, unit="clicks/row")
        if estimate == "dr":
            row.goal, row.met = f"in [{low:.5f}, {high:.5f}]", bool(low <= interval.mean <= high)
        found.append(row)
    size = f"{name}: effective sample size; largest weight {value.largest_weight:.4g}"
    found.append(Figure(name=size, value=value.effective_sample_size, unit="rows"))
    return found
