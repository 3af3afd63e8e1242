"""The scenarios by name, and what those that change the world do to it on a given day.

What damages the log on its way (duplicates, losses, wrong clocks) is in `faults`; the world behind it then
stays the steady one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from letterpress.simulation.campaigns import DAY
from letterpress.simulation.world import NEW_PICTURES, Conditions, World, turn_effects

SCENARIOS: dict[str, str] = {
    "steady": "nothing changes and nothing breaks",
    "covariate-drift": "from the drift on other segments, campaign types and devices are mailed; what works "
    "for whom stays",
    "concept-drift-abrupt": "from the drift on recipients click by effects that correlate by 0.26 with the "
    "old ones",
    "concept-drift-gradual": "over seven days from the drift on the click effects turn into unrelated ones",
    "seasonal": "hour, weekday and time of year weigh three times as much, and weekends have a taste of "
    "their own",
    "new-target": "conversions are logged from the drift on and were not before",
    "new-items": "ten new pictures a tenant and day instead of two, and the old ones are hardly used",
    "bots": "two recipients in a hundred are machines, which open and click everything within a minute",
    "duplicates": "copies of lines in the same file, in another one, on another day and in another hour",
    "late": "interactions and outcomes of three hours arrive a day late, in files of their own",
    "lossy": "three lines in a hundred and one whole hour never arrive",
    "corrupt": "about one line in a hundred has a damaged copy beside it",
    "schema-change": "from the drift on lines carry unknown fields, some are of an older version, and some "
    "have a field under another name",
    "clock-skew": "from the drift on the clock of one tenant is seven minutes ahead, and that of another "
    "three hours behind",
}
"""Every scenario with its sentence. The drift begins in the middle of the log unless told otherwise."""

MANY_NEW_PICTURES = 10
ABRUPT_DEGREES = 75.0
GRADUAL_DAYS = 7
WEEKEND_DEGREES = 60.0
SEASONAL_STRENGTH = 3.0
BOT_SHARE = 0.02
_SATURDAY, _MONDAY_OFFSET = 5, 4

_Change = Callable[[Conditions], Conditions]


def _drift_covariates(conditions: Conditions) -> Conditions:
    return replace(
        conditions,
        segment_shares=(0.05, 0.1, 0.15, 0.3, 0.4),
        campaign_type_shares=(0.1, 0.1, 0.5, 0.25, 0.05),
        mobile_share=0.8,
    )


_ALWAYS: dict[str, _Change] = {
    "seasonal": lambda conditions: replace(conditions, season_strength=SEASONAL_STRENGTH),
    "new-items": lambda conditions: replace(conditions, recency_days=1.0, recency_floor=0.002),
    "bots": lambda conditions: replace(conditions, bot_share=BOT_SHARE),
}
_BEFORE_DRIFT: dict[str, _Change] = {
    "new-target": lambda conditions: replace(conditions, are_conversions_logged=False),
}
_AFTER_DRIFT: dict[str, _Change] = {"covariate-drift": _drift_covariates}

DRIFTING = (
    "covariate-drift",
    "concept-drift-abrupt",
    "concept-drift-gradual",
    "new-target",
    "schema-change",
    "clock-skew",
)
"""Scenarios that are steady until the day of the drift."""


def count_new_pictures(scenario: str) -> int:
    """Pictures that every tenant adds on each day."""
    return MANY_NEW_PICTURES if scenario == "new-items" else NEW_PICTURES


def turned_degrees(scenario: str, day: int, begin: int, drift_day: int) -> float:
    """How far the click effects are turned on the day `day`, which begins at `begin`; see `turn_effects`."""
    is_weekend = (begin // DAY - _MONDAY_OFFSET) % 7 >= _SATURDAY
    if scenario == "seasonal":
        return WEEKEND_DEGREES if is_weekend else 0.0
    if day < drift_day:
        return 0.0
    if scenario == "concept-drift-abrupt":
        return ABRUPT_DEGREES
    if scenario == "concept-drift-gradual":
        return 90.0 * min(1.0, (day - drift_day + 1) / GRADUAL_DAYS)
    return 0.0


def world_on(world: World, scenario: str, day: int, begin: int, drift_day: int) -> World:
    """The world as it is on the day `day`, which begins at `begin` (milliseconds since the epoch).

    `world` is the one that `build_world` made. Log and closed loop ask this once a day; all functions that
    take a world then follow the scenario by themselves.
    """
    early = _BEFORE_DRIFT if day < drift_day else _AFTER_DRIFT
    changes = [change[scenario] for change in (_ALWAYS, early) if scenario in change]
    conditions = world.conditions
    for change in changes:
        conditions = change(conditions)
    effects = turn_effects(world, turned_degrees(scenario, day, begin, drift_day))
    if conditions == world.conditions and effects is world.effects:
        return world
    return replace(world, conditions=conditions, effects=effects)
