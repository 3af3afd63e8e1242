"""Which features may be used: not views on trial, nor names that are gone; all others are (ADR 0029)."""

from __future__ import annotations

from dataclasses import dataclass

CANDIDATES = frozenset({"resiliency", "send_time"})
"""Views that no recommender may list yet; `letterpress features --admit VIEW` tries one."""


@dataclass(frozen=True, slots=True)
class Retired:
    """A feature that is no longer computed. Its name stays taken: old slates and models mean it."""

    name: str
    view: str
    reason: str
    since_snapshot: str
    """The first snapshot without it."""


RETIRED: tuple[Retired, ...] = ()
"""In the order in which they went."""


def require_admitted(recommender: str, views: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Refuse a plan that rests on a candidate or takes the name of a retired feature.

    Raises:
        ValueError: it does; says which.
    """
    candidates = sorted(CANDIDATES.intersection(views))
    if candidates:
        raise ValueError(
            f"expected {recommender} to list admitted views, found candidates: {', '.join(candidates)}. Try "
            f"one with `letterpress features --admit {candidates[0]}`, then declare it admitted in "
            "features/life.py."
        )
    gone = {each.name: each for each in RETIRED}
    for name in names:
        if name in gone:
            raise ValueError(
                f"expected features of {recommender} with names of their own, found {name}, which was "
                f"retired ({gone[name].reason}); give it another name."
            )
