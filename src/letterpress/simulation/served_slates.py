"""What builders ask the service, and what builders and recipients do with the slate that it answers.

Every slate has a random stream of its own, named by seed, day and number: the same answer gets the same
reactions, in whatever order answers come and whatever else fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import SLATE_SIZE, choose
from letterpress.simulation.campaigns import Slates
from letterpress.simulation.event_lines import (
    Lines,
    campaign_contexts,
    interaction_lines,
    outcome_lines,
    sessions,
)
from letterpress.simulation.reactions import send_and_react
from letterpress.simulation.world import RECOMMENDER, TENANTS, Floats, World

_RECEIVED = '","received_at":"'
_TIME_LENGTH = len("2026-01-05T00:00:00.000Z")


class AnsweredItem(msgspec.Struct):
    item_id: str


class AnsweredSlate(msgspec.Struct):
    """What builders see of an answer of `/v1/rank`."""

    slate_id: str
    model: str
    items: list[AnsweredItem]


@dataclass(frozen=True, slots=True)
class Reactions:
    """What became of one slate."""

    rates: Floats
    """True click rates of the items shown that the world knows, by position."""
    unknown_items: int
    """Items shown that are no pictures of this world; builders pass over them."""
    lines: tuple[Lines, ...]


class ServedDay:
    """The requests of one day, and the reactions to their answers."""

    def __init__(self, world: World, run: str, day: int, slates: Slates) -> None:
        self.world, self.day, self.slates, self.run = world, day, slates, run
        self.contexts = campaign_contexts(run, day, slates)
        self._sessions = sessions(run, day, slates)
        self._item_ids = world.item_ids()
        self._numbers = {item_id: number for number, item_id in enumerate(self._item_ids)}
        self.places = min(SLATE_SIZE, len(VARIANTS))
        self._bodies: dict[int, str] = {}

    def request(self, row: int) -> bytes:
        """The body of the request for slate `row`: all variants of its picture, in their own order."""
        tenant = TENANTS[int(self.slates.tenant[row])]
        return (
            f'{{"recommender":"{RECOMMENDER}","tenant":"{tenant}",{self._sessions[row]},'
            f'"campaign":{self.contexts[row]},"slot":"hero","k":{self.places},'
            f'"items":{self._candidates(int(self.slates.picture[row]))}}}'
        ).encode()

    def _candidates(self, picture: int) -> str:
        if picture not in self._bodies:
            first = picture * len(VARIANTS)
            items = [
                {
                    "item_id": self._item_ids[first + place],
                    "source_id": self.world.picture_ids[picture],
                    "attributes": self.world.attributes[first + place],
                    "labels": {"enhancement": variant.enhancement},
                }
                for place, variant in enumerate(VARIANTS)
            ]
            self._bodies[picture] = json.dumps(items, separators=(",", ":"))
        return self._bodies[picture]

    def react(self, row: int, answer: AnsweredSlate, shown_at: int) -> Reactions:
        """What the builder chose of `answer`, shown at `shown_at`, and what recipients did with it.

        All happens as much later than planned as the slate was shown later.
        """
        numbers = [self._numbers.get(each.item_id) for each in answer.items]
        known = np.array([[number for number in numbers if number is not None]], np.int64)
        unknown = len(numbers) - known.shape[1]
        if not known.size:
            return Reactions(np.empty(0), unknown, ())
        rng = np.random.default_rng((self.world.seed, 12, self.day, row))
        planned = self.slates.row(row)
        late = shown_at - int(planned.at[0])
        shown = choose(self.world, planned, known, rng)
        outcomes = send_and_react(planned, shown, rng)
        outcomes = replace(outcomes, at=outcomes.at + late, received_at=outcomes.received_at + late)
        asked_by, ids = [self._sessions[row]], [answer.slate_id]
        shown_ids = [[self._item_ids[number] for number in known[0].tolist()]]
        at_last = replace(planned, at=planned.at + late)
        lines = (
            interaction_lines(ids, at_last, shown, shown_ids, asked_by, rng),
            outcome_lines(ids, at_last, shown, outcomes, shown_ids),
        )
        return Reactions(shown.rates[0], unknown, lines)


def unstamped(text: str) -> str:
    """The event without its time of arrival, which the service gives it when it comes."""
    cut = text.find(_RECEIVED)
    return text if cut < 0 else text[: cut + 1] + text[cut + len(_RECEIVED) + _TIME_LENGTH + 1 :]
