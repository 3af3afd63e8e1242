"""The truth behind a simulated log. Tests and benchmarks may read it; the pipeline may never."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import PROPENSITY, SLATE_SIZE, examination
from letterpress.simulation.world import CAMPAIGN_TYPES, INDUSTRIES, SEGMENTS, TENANTS, World


def write_truth(world: World, folder: Path, facts: dict[str, Any]) -> None:
    """Write `items.parquet` (true log effects, one row an item) and `truth.json` (all else).

    The click rate of an item for a segment s, an industry i and a campaign type c is
    `base_click_rate[tenant][s] * exp(everywhere + chance + segment:s + industry:i + campaign_type:c)`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(effects_table(world), folder / "items.parquet")
    base = {
        tenant: dict(zip(SEGMENTS, rates, strict=True))
        for tenant, rates in zip(TENANTS, world.effects.base.tolist(), strict=True)
    }
    truth = {
        **facts,
        "base_click_rate": base,
        "examination": examination(np.arange(1, SLATE_SIZE + 1)).tolist(),
        "propensity": PROPENSITY,
    }
    text = json.dumps(truth, indent=2, sort_keys=True) + "\n"
    (folder / "truth.json").write_text(text, encoding="utf-8")


def effects_table(world: World) -> pa.Table:
    """One row an item: item_id, tenant, picture, enhancement, strength, and its log effects."""
    effects = world.effects
    n_variants = len(VARIANTS)
    columns: dict[str, Any] = {
        "item_id": world.item_ids(),
        "tenant": [TENANTS[tenant] for tenant in np.repeat(world.picture_tenants, n_variants)],
        "picture": np.repeat(world.picture_ids, n_variants).tolist(),
        "picture_day": np.repeat(world.picture_days, n_variants),
        "enhancement": [variant.enhancement for variant in VARIANTS] * len(world.picture_ids),
        "strength": [variant.strength for variant in VARIANTS] * len(world.picture_ids),
        "everywhere": effects.everywhere,
        "chance": effects.chance,
    }
    for kind, names, values in (
        ("segment", SEGMENTS, effects.segment),
        ("industry", INDUSTRIES, effects.industry),
        ("campaign_type", CAMPAIGN_TYPES, effects.campaign_type),
    ):
        columns.update({f"{kind}:{name}": values[:, place] for place, name in enumerate(names)})
    return pa.table(columns)
