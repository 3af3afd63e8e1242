"""A small seeded log for tests of the marts: what is late, told twice, described anew or of wrong clocks."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from letterpress.events.types import (
    Action,
    AnyEvent,
    CampaignContext,
    Experiment,
    Interaction,
    Item,
    Outcome,
    OutcomeKind,
    ShownItem,
    Slate,
)

HOUR = timedelta(hours=1)
KINDS: tuple[tuple[OutcomeKind, int], ...] = (("delivered", 900), ("clicked", 20), ("unsubscribed", 2))
SLATES_OF_A_VISIT, HOURS_OF_VISIT = 8, 30
ACTIONS: tuple[Action, ...] = ("chosen", "chosen", "chosen", "dismissed")
ENHANCEMENTS = ("original", "warm", "cool", "sharpen", "brighten")
HOURS_AHEAD = {"ahead": 4.6, "behind": -3.1}
"""Tenants whose clocks are wrong; all others send the true time."""


class World:
    """A small seeded log: late arrivals, slates told twice, items described anew, wrong clocks."""

    recommender = "image_enhancement"
    hours_ahead: Mapping[str, float] = HOURS_AHEAD

    def __init__(self, start: datetime, seed: int) -> None:
        self.start = start
        self.rng = random.Random(seed)
        self.events: list[AnyEvent] = []
        self._number = 0

    def _common(self, tenant: str, hours: float, late_hours: float = 0.0) -> dict[str, Any]:
        self._number += 1
        occurred = self.start + hours * HOUR
        return {
            "event_id": f"e{self._number}",
            "tenant": tenant,
            "recommender": self.recommender,
            "occurred_at": occurred + self.hours_ahead.get(tenant, 0.0) * HOUR,
            "received_at": occurred + late_hours * HOUR,
        }

    def describe_items(self, tenant: str, hours: float) -> None:
        for enhancement in ENHANCEMENTS:
            self.events.append(
                Item(
                    **self._common(tenant, hours, self.rng.choice((0.0, 0.0, 5.0))),
                    item_id=f"picture-{enhancement}",
                    kind="picture_variant",
                    attributes={"brightness": self.rng.random()},
                    labels={"enhancement": enhancement},
                )
            )

    def _experiment(self, original: str) -> Experiment:
        return Experiment(experiment_id=f"x{self._number}", original_arm=f"picture-{original}")

    def show_slate(self, tenant: str, hours: float) -> None:
        rng = self.rng
        common = self._common(tenant, hours, rng.choice((0.0, 0.0, 0.2, 3.0)))
        names = rng.sample(ENHANCEMENTS, 3)
        slate = Slate(
            **common,
            slate_id=f"s{self._number}",
            session_id=rng.choice(("visit", None)),
            campaign=CampaignContext(
                campaign_id="c",
                industry=rng.choice(("food", "travel", None)),
                segment=rng.choice(("new", "loyal", None)),
                send_at=common["occurred_at"] + rng.randrange(9) * HOUR if rng.random() < 0.8 else None,
            ),
            slot="hero",
            policy="uniform",
            experiment=self._experiment(names[0]) if self._number % 3 == 0 else None,
            items=[
                ShownItem(item_id=f"picture-{name}", position=place, propensity=0.2)
                for place, name in enumerate(names, start=1)
            ],
        )
        self.events.append(slate)
        if rng.random() < 0.15:
            again = {name: common[name] + HOUR for name in ("occurred_at", "received_at")}
            again["received_at"] = max(again.values())
            self.events.append(msgspec.structs.replace(slate, event_id=slate.event_id + "-again", **again))
        self._react(slate, hours)

    def _react(self, slate: Slate, hours: float) -> None:
        rng = self.rng
        for place in slate.items:
            about: dict[str, Any] = {"slate_id": slate.slate_id, "item_id": place.item_id}
            if rng.random() < 0.4:
                common = self._common(slate.tenant, hours + rng.random(), rng.choice((0.0, 4.0)))
                self.events.append(Interaction(**common, **about, action=rng.choice(ACTIONS)))
            for kind, most in KINDS:
                common = self._common(slate.tenant, hours + 12 * rng.random(), rng.choice((0.0, 9.0)))
                self.events.append(Outcome(**common, **about, kind=kind, count=rng.randrange(most)))


def make_log(start: datetime, seed: int = 3) -> list[AnyEvent]:
    world = World(start, seed)
    for tenant in ("t1", "t2"):
        for hours in (0.0, 20.0):
            world.describe_items(tenant, hours)
        for _ in range(60):
            world.show_slate(tenant, 36 * world.rng.random() + 24 * world.rng.choice((0, 0, 0, 1, 5, 8, 30)))
    for tenant in ("t1", "t2", *HOURS_AHEAD):
        for number in range(SLATES_OF_A_VISIT):
            world.show_slate(tenant, HOURS_OF_VISIT + number / 20)
    for tenant in HOURS_AHEAD:
        world.describe_items(tenant, 20.0)
        for _ in range(12):
            world.show_slate(tenant, 36 * world.rng.random())
    return world.events


def arrival(event: AnyEvent) -> datetime:
    return event.received_at or event.occurred_at
