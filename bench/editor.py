"""An editor that asks a service in this process, names items in every way that it may, and reports back."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import timedelta
from typing import Any

from letterpress.clock import ManualClock
from letterpress.errors import BrokenError
from letterpress.lake.snapshots import Snapshot
from letterpress.recommenders import get_recommender
from letterpress.recommenders.image_enhancement import ENHANCEMENTS, INDUSTRIES, SEGMENTS
from letterpress.serving.overlay import Overlay
from letterpress.serving.service import RankingService
from letterpress.settings import Settings

RECOMMENDER = "image_enhancement"
PLACES = 8
SECONDS_BETWEEN = 4
VISITS: tuple[str | None, ...] = ("first", "second", None)
DISMISSED = 0.3
PICTURES = get_recommender(RECOMMENDER)
HOUR = timedelta(hours=1)


class Editor:
    """Seeded; knows the items of the snapshot that it was made with."""

    def __init__(self, service: RankingService, snapshot: Snapshot, seed: int) -> None:
        self.service, self.rng = service, random.Random(seed)
        self.known = snapshot.items(RECOMMENDER)
        self.tenants = sorted(self.known.spans)

    def _attributes(self, share: float = 1.0) -> dict[str, float]:
        return {name: self.rng.random() for name in PICTURES.attributes if self.rng.random() < share}

    def _items(self, tenant: str) -> list[dict[str, Any]] | None:
        """Named, described in full, described in part, new; or those that the service knows."""
        if self.rng.random() < 0.2:
            return None
        rows = self.rng.sample(self.known.rows(tenant), 10)
        named = [{"item_id": self.known.item_id(row)} for row in rows]
        full = {"attributes": self._attributes(), "labels": {"enhancement": self.rng.choice(ENHANCEMENTS)}}
        part = {"attributes": self._attributes(0.5), "labels": {"alt": "a beach"}}
        return [
            *named[:4],
            *({**each, **full} for each in named[4:7]),
            *({**each, **part} for each in named[7:]),
            {"item_id": f"new-{self.rng.random()}", **full},
        ]

    async def ask(self) -> dict[str, Any]:
        """The answer to one request, with its tenant."""
        tenant = self.rng.choice(self.tenants)
        campaign = {
            "campaign_id": f"c{self.rng.random()}",
            "industry": self.rng.choice([*INDUSTRIES, "unheard"]),
            "segment": self.rng.choice([*SEGMENTS, None]),
            "goal": "clicks",
            "mobile_share": self.rng.choice([None, self.rng.random()]),
            "send_at": (self.service.clock.now() + HOUR * self.rng.uniform(0, 90)).isoformat(),
        }
        document: dict[str, Any] = {"recommender": RECOMMENDER, "tenant": tenant, "campaign": campaign}
        document["slot"] = "hero"
        document["session_id"] = self.rng.choice(VISITS)
        answer = await self.service.rank_document({**document, "items": self._items(tenant), "k": PLACES})
        return {"tenant": tenant, **answer}

    async def react(self, slate: dict[str, Any]) -> None:
        """Choose an item of the slate, and send it to 500."""
        chosen, dismissed = (each["item_id"] for each in self.rng.sample(slate["items"], 2))
        common = {"tenant": slate["tenant"], "recommender": RECOMMENDER, "slate_id": slate["slate_id"]}
        common |= {"occurred_at": self.service.clock.now().isoformat(), "item_id": chosen}
        events = [{"type": "interaction", "event_id": f"{slate['slate_id']}-i", "action": "chosen", **common}]
        if self.rng.random() < DISMISSED:
            events += [{**events[0], "event_id": f"{slate['slate_id']}-d", "action": "dismissed"}]
            events[-1]["item_id"] = dismissed
        events += [
            {
                "type": "outcome",
                "event_id": f"{slate['slate_id']}-{kind}",
                "kind": kind,
                "count": count,
                **common,
            }
            for kind, count in (("delivered", 500), ("clicked", self.rng.randrange(20)))
            if count
        ]
        answer = await self.service.intake.take(json.dumps(events).encode())
        if answer.accepted != len(events):
            raise BrokenError(f"expected {len(events)} events to be accepted, found {answer}.")


def serve_slates(
    settings: Settings, clock: ManualClock, *, slates: int, seed: int = 0, live: bool = True
) -> None:
    """Slates and what becomes of half of them, by a service that starts and stops; all of it is landed.

    Without `live` counts the slates have those of the snapshot alone.
    """
    service = RankingService(settings, clock)
    if not live:
        service.overlay = Overlay(settings.paths, clock, lambda: None)
    service.start()

    async def serve() -> None:
        editor = Editor(service, Snapshot.open(settings.paths), seed)
        for _ in range(slates):
            clock.advance(timedelta(seconds=SECONDS_BETWEEN))
            answered = await editor.ask()
            if editor.rng.random() < 0.5:
                await editor.react(answered)

    try:
        asyncio.run(serve())
    finally:
        service.stop()
