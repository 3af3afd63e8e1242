"""The lines and the truth of a part of one day: a pure function of world, plan, day and chunk.

Any process may make any chunk: its random streams are its own, so the bytes do not depend on who made it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from letterpress.simulation.behaviour import choose, show_uniformly
from letterpress.simulation.campaigns import DAY, Ints, Slates, make_slates
from letterpress.simulation.event_lines import (
    Lines,
    campaign_contexts,
    campaign_lines,
    interaction_lines,
    item_lines,
    outcome_lines,
    sessions,
    slate_ids,
    slate_lines,
)
from letterpress.simulation.plan import CHUNK_SLATES, Plan
from letterpress.simulation.reactions import send_and_react
from letterpress.simulation.scenarios import world_on
from letterpress.simulation.truth import EXPERIMENTS, SLATES, experiment_table, slate_table
from letterpress.simulation.world import World


def chunks_of_day(plan: Plan) -> list[int]:
    """How many chunks each day has."""
    return [max(1, -(-n_slates // CHUNK_SLATES)) for n_slates in plan.slates_by_day()]


def make_chunk(world: World, plan: Plan, day: int, chunk: int) -> tuple[list[Lines], dict[str, pa.Table]]:
    """Lines by event type, and the tables of truth by name, of the slates of one chunk.

    The first chunk of a day also brings the items that are new on it.
    """
    begin = plan.begin + day * DAY
    today = world_on(world, plan.scenario, day, begin, plan.first_drift_day)
    of_day = make_slates(
        today, day, begin, plan.slates_by_day()[day], np.random.default_rng((plan.seed, 5, day))
    )
    first = chunk * CHUNK_SLATES
    slates = of_day.part(first, first + CHUNK_SLATES)
    rng = np.random.default_rng((plan.seed, 6, day, chunk))
    shown = choose(today, slates, show_uniformly(slates, rng), rng)
    outcomes = send_and_react(slates, shown, rng)
    names = slate_ids(plan.run, day, range(first, first + len(slates)))
    contexts = campaign_contexts(plan.run, day, slates)
    item_names = np.array(world.item_ids())
    shown_ids: list[list[str]] = item_names[shown.items].tolist()
    asked_by = sessions(plan.run, day, slates)
    lines = [
        campaign_lines(plan.run, day, slates, contexts, _first_slates(of_day, first, len(slates))),
        slate_lines(names, slates, shown, shown_ids, contexts, asked_by),
        interaction_lines(names, slates, shown, shown_ids, asked_by, rng),
        outcome_lines(names, slates, shown, outcomes, shown_ids),
    ]
    if chunk == 0:
        is_new = world.picture_days <= 0 if day == 0 else world.picture_days == day
        lines.insert(0, item_lines(world, np.flatnonzero(is_new), begin))
    truth = {
        SLATES: slate_table(today, slates, shown, names, item_names),
        EXPERIMENTS: experiment_table(slates, shown, names, shown_ids),
    }
    return lines, truth


def _first_slates(of_day: Slates, first: int, n_slates: int) -> Ints:
    """Rows of the chunk that are the first slate of their campaign."""
    _, rows = np.unique(of_day.campaign, return_index=True)
    mine = rows[(rows >= first) & (rows < first + n_slates)]
    return np.asarray(mine - first, np.int64)
