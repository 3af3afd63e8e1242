"""The editor's side of HTTP: asks for slates and reports events, again where that makes sense.

A refusal that says "later" (429, 502, 503, 504) and a broken connection are tried again a few times; events
carry their ids, so a batch that comes twice counts once. Everything else is counted with its reason.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import msgspec

from letterpress.errors import BrokenError, UsageError, as_clause
from letterpress.simulation.served_slates import AnsweredSlate

CONNECTIONS = 8
EVENTS_PER_REQUEST = 500
TIMEOUT_SECONDS = 30.0
PATIENCE = 50
"""Requests that may fail one after another before the service counts as gone."""

_LATER = frozenset({429, 502, 503, 504})
_JSON = {"Content-Type": "application/json"}
_REASON_LENGTH = 200


class _Rejected(msgspec.Struct):
    field: str | None
    reason: str


class _Taken(msgspec.Struct):
    """What became of a batch of events."""

    accepted: int
    duplicate: int
    rejected: list[_Rejected]


class _Problem(msgspec.Struct):
    detail: str


_slates = msgspec.json.Decoder(AnsweredSlate)
_batches = msgspec.json.Decoder(_Taken)
_problems = msgspec.json.Decoder(_Problem)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long to wait; `Retry-After` is honoured up to `most_seconds`."""

    tries: int = 4
    first_seconds: float = 0.25
    most_seconds: float = 10.0

    def pause(self, number: int, retry_after: str | None) -> float:
        """Seconds before try `number` + 1."""
        asked = float(retry_after) if retry_after is not None and retry_after.isdigit() else 0.0
        return min(self.most_seconds, max(asked, self.first_seconds * 2.0**number))


@dataclass
class Traffic:
    """What was sent and what came back."""

    slates: int = 0
    failed_slates: int = 0
    retries: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Why requests failed and events were rejected."""
    seconds: list[float] = field(default_factory=list)
    """Of every answered `/v1/rank`, as the builder saw it, retries left out."""


class Visitor:
    """Keeps connections to one service; not for use by several event loops."""

    def __init__(self, client: httpx.AsyncClient, retries: Retries | None = None) -> None:
        self._client, self._retries = client, retries or Retries()
        self._free = asyncio.Semaphore(CONNECTIONS)
        self._failed_in_a_row = 0
        self.traffic = Traffic()

    async def ask(self, body: bytes) -> AnsweredSlate | None:
        """The slate that the service answers, or None when it does not; the failure is then counted.

        Raises:
            BrokenError: the service is gone. UsageError: it wants another token.
        """
        answer = await self._post("/v1/rank", body)
        if answer is None:
            self.traffic.failed_slates += 1
            return None
        try:
            slate = _slates.decode(answer.content)
        except ValueError:
            self.traffic.failed_slates += 1
            self._note_failure("an answer that is no slate")
            return None
        self._failed_in_a_row = 0
        self.traffic.slates += 1
        self.traffic.seconds.append(answer.elapsed.total_seconds())
        return slate

    async def report(self, events: Sequence[str]) -> bool:
        """Whether the service answered for this batch; which of its events it rejected is counted.

        Raises:
            BrokenError: the service is gone. UsageError: it wants another token.
        """
        answer = await self._post("/v1/events", f"[{','.join(events)}]".encode())
        if answer is None:
            return False
        try:
            taken = _batches.decode(answer.content)
        except ValueError:
            self._note_failure("an answer that is no account of the events")
            return False
        self._failed_in_a_row = 0
        self.traffic.accepted += taken.accepted
        self.traffic.duplicate += taken.duplicate
        self.traffic.rejected += len(taken.rejected)
        self.traffic.reasons.update(f"event: {each.field}: {each.reason}" for each in taken.rejected)
        return True

    async def _post(self, path: str, body: bytes) -> httpx.Response | None:
        """The answer with status 200; None when all tries failed, with the reason counted."""
        reason = ""
        for number in range(self._retries.tries):
            retry_after: str | None = None
            try:
                async with self._free:
                    answer = await self._client.post(path, content=body, headers=_JSON)
            except httpx.ConnectError as error:
                if number + 1 == self._retries.tries:
                    raise BrokenError(
                        f"expected the service at {self._client.base_url}, found that it is gone: "
                        f"{as_clause(error)}. Start it and simulate again: "
                        "what waits to be reported is sent first."
                    ) from error
            except httpx.TransportError as error:
                reason = f"{path}: {type(error).__name__}"
            else:
                if answer.status_code == httpx.codes.OK:
                    return answer
                reason = f"{path}: {answer.status_code}: {_say(answer)}"
                _refuse_token(answer)
                if answer.status_code not in _LATER:
                    break
                retry_after = answer.headers.get("retry-after")
            if number + 1 < self._retries.tries:
                self.traffic.retries += 1
                await asyncio.sleep(self._retries.pause(number, retry_after))
        self._note_failure(reason)
        return None

    def _note_failure(self, reason: str) -> None:
        self.traffic.reasons[reason] += 1
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= PATIENCE:
            raise BrokenError(
                f"expected answers from {self._client.base_url}, found {self._failed_in_a_row} failures one "
                f"after another, the last one {reason}"
            )


def _say(answer: httpx.Response) -> str:
    try:
        return _problems.decode(answer.content).detail[:_REASON_LENGTH]
    except ValueError:
        return answer.reason_phrase


def _refuse_token(answer: httpx.Response) -> None:
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise UsageError("expected the token of the service, found another one or none; give --token.")
