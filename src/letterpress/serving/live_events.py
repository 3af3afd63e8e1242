"""What live counts read of a line of the log: the few fields that batch counts by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Envelope(msgspec.Struct, kw_only=True, tag_field="type", gc=False):
    event_id: str
    tenant: str
    recommender: str
    occurred_at: datetime
    received_at: datetime


class LiveCampaign(msgspec.Struct, gc=False):
    industry: str | None = None
    segment: str | None = None
    send_at: datetime | None = None


class LivePlace(msgspec.Struct, gc=False):
    item_id: str


class LiveItem(_Envelope, tag="item", kw_only=True, gc=False):
    item_id: str
    labels: dict[str, str] = {}


class LiveSlate(_Envelope, tag="slate", kw_only=True, gc=False):
    slate_id: str
    campaign: LiveCampaign
    items: list[LivePlace]
    session_id: str | None = None


class LiveInteraction(_Envelope, tag="interaction", kw_only=True, gc=False):
    slate_id: str
    item_id: str
    action: str
    session_id: str | None = None


class LiveOutcome(_Envelope, tag="outcome", kw_only=True, gc=False):
    slate_id: str
    item_id: str
    kind: str
    count: int = 1


class _LiveCampaignEvent(msgspec.Struct, tag_field="type", tag="campaign", gc=False):
    """Counts nothing."""


LiveEvent = LiveItem | LiveSlate | LiveInteraction | LiveOutcome

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(LiveEvent | _LiveCampaignEvent)


def read_live_event(line: bytes) -> LiveEvent | None:
    """The event on a line; None for one that counts nothing, or that no reader understands."""
    try:
        event = _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if isinstance(event, _LiveCampaignEvent) else event


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def moment_of(microseconds_since_epoch: int) -> datetime:
    """The reverse of `microseconds`."""
    seconds, rest = divmod(microseconds_since_epoch, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
