"""The truth behind a simulated log. Tests and benchmarks may read it; the pipeline may never.

`OUT/truth/` holds `truth.json` (facts, planted faults, the moment of the drift, what bots are called),
`items.parquet` (effects, a row an item), `slates/*.parquet` (rates and the best slate, a row a slate) and
`experiments/*.parquet` (true lifts, a row an arm).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.errors import NotYetThereError
from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import PROPENSITY, SLATE_SIZE, Shown, examination
from letterpress.simulation.campaigns import DAY, Slates
from letterpress.simulation.event_lines import experiment_ids, person_ids
from letterpress.simulation.pictures import load_photographs
from letterpress.simulation.plan import Plan
from letterpress.simulation.reactions import RECIPIENTS, SINGLE_SHARE, bot_recipients
from letterpress.simulation.scenarios import turned_degrees, world_on
from letterpress.simulation.seasons import click_factors
from letterpress.simulation.world import (
    BASE_CONVERSION_RATE,
    BASE_UNSUBSCRIBE_RATE,
    CAMPAIGN_TYPES,
    INDUSTRIES,
    SEGMENTS,
    TENANTS,
    Effects,
    World,
    click_rates,
    turn_effects,
)

TRUTH, SLATES, EXPERIMENTS = "truth", "slates", "experiments"
"""The folder, and the tables in it that are written part by part."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What lies in one `truth/` folder."""

    folder: Path
    facts: dict[str, Any]

    @classmethod
    def open(cls, out: Path) -> Truth:
        """The truth beside the log in `out`. Raises NotYetThereError when there is none."""
        folder = out / TRUTH
        if not (folder / "truth.json").is_file():
            raise NotYetThereError(
                f"expected the truth of a simulated log in {folder}, found none. "
                f"Run `letterpress simulate --out {out}`."
            )
        return cls(folder, json.loads((folder / "truth.json").read_text(encoding="utf-8")))

    def items(self) -> pa.Table:
        """A row an item: its effects, and in `turned:*` columns those furthest from them, if any."""
        return pq.read_table(self.folder / "items.parquet")

    def slates(self) -> pa.Table:
        """A row a slate: true click rates of what it showed, and the best slate."""
        return pq.read_table(self.folder / SLATES)

    def experiments(self) -> pa.Table:
        """A row an arm: true click rate and its lift over the original."""
        return pq.read_table(self.folder / EXPERIMENTS)


def slate_table(
    world: World, slates: Slates, shown: Shown, names: list[str], item_names: np.ndarray[Any, Any]
) -> pa.Table:
    """Of every slate its context, the true click rates of what it showed, and the best slate there is.

    Rates are those before hour and season, which `click_factor` multiplies by. As examination falls from
    place to place, the best slate is the best items in the order of their rates.
    """
    variants = slates.picture[:, None] * len(VARIANTS) + np.arange(len(VARIANTS))
    rates = click_rates(world, variants, slates.segment, slates.industry, slates.campaign_type)
    best = np.argsort(-rates, axis=1, kind="stable")[:, :SLATE_SIZE]
    return pa.table(
        {
            "slate_id": names,
            "at": pa.array(slates.at, pa.timestamp("ms", "UTC")),
            "segment": _named(SEGMENTS, slates.segment),
            "industry": _named(INDUSTRIES, slates.industry),
            "campaign_type": _named(CAMPAIGN_TYPES, slates.campaign_type),
            "click_factor": click_factors(slates.send_at, shown.conditions.season_strength),
            "shown_rates": _lists(shown.rates),
            "best_items": _lists(item_names[np.take_along_axis(variants, best, 1)]),
            "best_rates": _lists(np.take_along_axis(rates, best, 1)),
        }
    )


def experiment_table(slates: Slates, shown: Shown, names: list[str], shown_ids: list[list[str]]) -> pa.Table:
    """One row an arm of an experiment. `lift` is that of its click rate over the original's."""
    row, column = np.nonzero(shown.sent & shown.is_experiment[:, None])
    is_original = shown.items[row, column] % len(VARIANTS) == 0
    original_rate = np.zeros(len(slates))
    original_rate[row[is_original]] = shown.rates[row[is_original], column[is_original]]
    rates = shown.rates[row, column]
    factors = click_factors(slates.send_at[row], shown.conditions.season_strength)
    experiments = experiment_ids(names, shown)
    places = list(zip(row.tolist(), column.tolist(), strict=True))
    return pa.table(
        {
            "experiment_id": pa.array([experiments[row] for row, _ in places], pa.string()),
            "slate_id": pa.array([names[row] for row, _ in places], pa.string()),
            "item_id": pa.array([shown_ids[row][column] for row, column in places], pa.string()),
            "is_original": is_original,
            "click_rate": rates * factors,
            "lift": rates / original_rate[row] - 1.0,
        }
    )


def _named(names: tuple[str, ...], indices: np.ndarray[Any, Any]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), list(names)).dictionary_decode()


def _lists(values: np.ndarray[Any, Any]) -> pa.Array:
    """(n, k) as n lists."""
    offsets = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.ravel()))


def write_truth(world: World, plan: Plan, folder: Path, counts: dict[str, Any]) -> None:
    """Write `items.parquet` and `truth.json`; the tables of slates and experiments come with the days.

    The click rate of an item for a segment s, an industry i and a campaign type c is
    `base_click_rate[tenant][s] * exp(everywhere + chance + segment:s + industry:i + campaign_type:c)`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(effects_table(world, plan), folder / "items.parquet")
    base = {
        tenant: dict(zip(SEGMENTS, rates, strict=True))
        for tenant, rates in zip(TENANTS, world.effects.base.tolist(), strict=True)
    }
    last = world_on(world, plan.scenario, plan.days - 1, _begin_of(plan, plan.days - 1), plan.first_drift_day)
    machines = [bot_recipients(plan.seed, tenant, last.conditions) for tenant in range(len(TENANTS))]
    bots = {
        name: person_ids(np.full(len(numbers), tenant), "r", numbers)
        for tenant, (name, numbers) in enumerate(zip(TENANTS, machines, strict=True))
    }
    truth = {
        **counts,
        "base_click_rate": base,
        "base_conversion_rate": BASE_CONVERSION_RATE,
        "base_unsubscribe_rate": BASE_UNSUBSCRIBE_RATE,
        "examination": examination(np.arange(1, SLATE_SIZE + 1)).tolist(),
        "propensity": PROPENSITY,
        "single_share": SINGLE_SHARE,
        "recipients_of_a_tenant": RECIPIENTS,
        "turned_degrees": [
            turned_degrees(plan.scenario, day, _begin_of(plan, day), plan.first_drift_day)
            for day in range(plan.days)
        ],
        "bots": bots,
        "photographs": sorted(load_photographs()),
    }
    text = json.dumps(truth, indent=2, sort_keys=True) + "\n"
    (folder / "truth.json").write_text(text, encoding="utf-8")


def _begin_of(plan: Plan, day: int) -> int:
    return plan.begin + day * DAY


def effects_table(world: World, plan: Plan) -> pa.Table:
    """One row an item: item_id, tenant, picture, enhancement, strength, and its log effects."""
    n_variants = len(VARIANTS)
    columns: dict[str, Any] = {
        "item_id": world.item_ids(),
        "tenant": [TENANTS[tenant] for tenant in np.repeat(world.picture_tenants, n_variants)],
        "picture": np.repeat(world.picture_ids, n_variants).tolist(),
        "picture_day": np.repeat(world.picture_days, n_variants),
        "enhancement": [variant.enhancement for variant in VARIANTS] * len(world.picture_ids),
        "strength": [variant.strength for variant in VARIANTS] * len(world.picture_ids),
        "chance": world.effects.chance,
        "unsubscribe": world.effects.unsubscribe,
        **{
            f"conversion:{name}": world.effects.conversion[:, place]
            for place, name in enumerate(CAMPAIGN_TYPES)
        },
        **_click_columns(world.effects, ""),
    }
    degrees = {
        turned_degrees(plan.scenario, day, _begin_of(plan, day), plan.first_drift_day)
        for day in range(plan.days)
    }
    if turned := max(degrees):
        columns |= _click_columns(turn_effects(world, turned), "turned:")
    return pa.table(columns)


def _click_columns(effects: Effects, prefix: str) -> dict[str, Any]:
    columns = {f"{prefix}everywhere": effects.everywhere}
    for kind, names, values in (
        ("segment", SEGMENTS, effects.segment),
        ("industry", INDUSTRIES, effects.industry),
        ("campaign_type", CAMPAIGN_TYPES, effects.campaign_type),
    ):
        columns |= {f"{prefix}{kind}:{name}": values[:, place] for place, name in enumerate(names)}
    return columns
