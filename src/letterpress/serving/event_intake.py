"""Takes a batch of events: says what is wrong with each, drops what was seen, and logs the rest durably.

What is personal in an event is hashed or masked before anything of it is kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from datetime import timedelta

import msgspec

from letterpress.clock import Clock
from letterpress.errors import StorageError
from letterpress.events.codec import MalformedEventError, decode_line, encode
from letterpress.events.types import AnyEvent, Event
from letterpress.lake.masking import mask_event, needs_masking
from letterpress.lake.tenant_keys import StandInKeys, TenantKeys
from letterpress.recommenders import RECOMMENDERS
from letterpress.serving.event_log import EventLog
from letterpress.serving.messages import EventsAnswer, RejectedEvent
from letterpress.serving.problems import problem, wrong_body

REMEMBERED_EVENTS = 200_000
EVENTS_PER_TURN = 200
"""Decoded in one go before waiting slate requests get their turn; some 2 ms."""
DURABLE_SECONDS = 4.0
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours a relay's clock may be. What is received in the future would be known too late."""

Key = tuple[type[Event], str, str, str]
"""Type, recommender, tenant and id: what ingest knows an event by. Ids of two tenants may well be equal."""


class _Batch(msgspec.Struct):
    events: list[msgspec.Raw] | None = None


_whole = msgspec.json.Decoder(msgspec.Raw)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(_Batch)


def split_batch(body: bytes) -> list[bytes]:
    """The events of a body as they came: a JSON array, `{"events": [...]}`, one event, or one a line.

    Raises:
        RequestProblemError: the body is none of these.
    """
    start = body.lstrip()[:1]
    try:
        _whole.decode(body)
    except (ValueError, RecursionError) as error:
        if start == b"{" and b"\n" in body.strip():
            return [line for line in body.splitlines() if line.strip()]
        raise wrong_body(error) from error
    try:
        if start == b"[":
            return [bytes(raw) for raw in _list.decode(body)]
        events = _object.decode(body).events
    except msgspec.ValidationError as error:
        raise wrong_body(error) from error
    return [body] if events is None else [bytes(raw) for raw in events]


class EventIntake:
    """Accepted means on disk: the answer is given after the log has synced."""

    def __init__(self, log: EventLog, clock: Clock, counts: Counter[str], keys: TenantKeys) -> None:
        self._log, self._clock, self._counts, self._keys = log, clock, counts, keys
        self._seen: OrderedDict[Key, None] = OrderedDict()

    async def take(self, body: bytes) -> EventsAnswer:
        """What became of every event of `body`.

        Raises:
            RequestProblemError: the body is no batch, or the log did not answer in time.
            StorageError: the log does not reach the disk, or a key cannot be read; nothing was accepted.
        """
        ticket = self._log.hold_mark()
        try:
            return await self._take(body)
        finally:
            self._log.release_mark(ticket)

    async def _take(self, body: bytes) -> EventsAnswer:
        accepted: dict[Key, bytes] = {}
        answer = EventsAnswer(accepted=0, duplicate=0, rejected=[])
        for index, line in enumerate(split_batch(body)):
            if index % EVENTS_PER_TURN == EVENTS_PER_TURN - 1:
                await asyncio.sleep(0)
            try:
                event, written = await self._hide(self._read(line))
            except MalformedEventError as error:
                answer.rejected.append(RejectedEvent(index=index, field=error.field, reason=error.reason))
                continue
            key = (type(event), event.recommender, event.tenant, event.event_id)
            if key in self._seen or key in accepted:
                answer.duplicate += 1
            else:
                accepted[key] = written
        if accepted:
            await self._write(accepted)
        answer.accepted = len(accepted)
        self._counts["accepted"] += answer.accepted
        self._counts["duplicate"] += answer.duplicate
        self._counts["rejected"] += len(answer.rejected)
        return answer

    def _read(self, line: bytes) -> AnyEvent:
        event = decode_line(line)
        if event.recommender not in RECOMMENDERS:
            known = ", ".join(sorted(RECOMMENDERS))
            raise MalformedEventError("not_allowed", "recommender", f"expected one of {known}")
        now = self._clock.now()
        if event.received_at is None:  # a simulation or a relay says itself when it reached us
            event.received_at = now
        elif event.received_at > now + CLOCK_TOLERANCE:
            raise MalformedEventError(
                "out_of_range", "received_at", "expected a time that is not ahead of now"
            )
        return event

    async def _hide(self, event: AnyEvent) -> tuple[AnyEvent, bytes]:
        """The event without personal data, and the line that is logged of it.

        A tenant's first key is made beside the event loop.
        """
        line = encode(event)
        if not needs_masking(event, line):
            return event, line
        keys = StandInKeys(self._keys)
        masked, _ = mask_event(event, keys)
        if keys.missing:
            await asyncio.to_thread(self._keys.make, keys.missing)
            masked, _ = mask_event(event, self._keys)
        return masked, encode(masked)

    async def _write(self, accepted: dict[Key, bytes]) -> None:
        future = self._log.append_durable(b"\n".join(accepted.values()))
        try:
            await asyncio.wait_for(asyncio.wrap_future(future), DURABLE_SECONDS)
        except TimeoutError:
            raise problem(
                503,
                "Log is slow",
                f"the events were not on disk within {DURABLE_SECONDS:g} s; send them again, "
                "what was written meanwhile counts once.",
                headers=((b"retry-after", b"5"),),
            ) from None
        except StorageError:
            self._counts["refused"] += len(accepted)
            raise
        self._remember(accepted)

    def _remember(self, keys: dict[Key, bytes]) -> None:
        """Only what is on disk: an event whose write failed must be accepted when it comes again."""
        self._seen.update(dict.fromkeys(keys))
        while len(self._seen) > REMEMBERED_EVENTS:
            self._seen.popitem(last=False)
