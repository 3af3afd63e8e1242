"""The five events of the log, as typed models; their JSON Schemas are published in `docs/events/`.

Every event has an envelope: `event_id` makes it idempotent, `occurred_at` is when it happened and
decides the partition, `received_at` is when it reached us and decides what could be known.
Times are RFC 3339 with an offset and are kept in UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

SCHEMA_VERSION = 1

Identifier = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="lower-case name")]
Instant = Annotated[datetime, Meta(tz=True)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Position = Annotated[int, Meta(ge=1, le=1000, description="1 is the top of the slate")]

Action = Literal["chosen", "dismissed"]
OutcomeKind = Literal["delivered", "opened", "clicked", "converted", "unsubscribed", "bounced"]


class Event(Struct, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """The envelope that all events share."""

    event_id: Identifier
    tenant: Identifier
    recommender: Name
    occurred_at: Instant
    received_at: Instant | None = None
    version: Annotated[int, Meta(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION


class Item(Event, tag="item"):
    """A candidate for a slot: a picture variant, a subject line, a call to action."""

    item_id: Identifier
    kind: Name
    source_id: Identifier | None = None
    """What it was made from, e.g. the picture that was enhanced."""
    attributes: dict[str, float] = {}
    """Numbers that describe it, e.g. `brightness` in 0..1."""
    labels: dict[str, str] = {}
    """Names that describe it, e.g. `enhancement`."""


class CampaignContext(Struct, kw_only=True, omit_defaults=True, gc=False):
    """What is known of a campaign when a slate is asked for. The HTTP request carries the same."""

    campaign_id: Identifier
    industry: str | None = None
    campaign_type: str | None = None
    goal: str | None = None
    segment: str | None = None
    mobile_share: Share | None = None
    """Share of the audience that reads on a phone, 0..1."""
    send_at: Instant | None = None
    labels: dict[str, str] = {}
    """Further names, for foreign logs."""


class Campaign(Event, tag="campaign"):
    """One e-mail being built."""

    campaign: CampaignContext


class ShownItem(Struct, kw_only=True, omit_defaults=True, gc=False):
    """One place of a slate."""

    item_id: Identifier
    position: Position
    score: float | None = None
    propensity: Annotated[float, Meta(gt=0.0, le=1.0)] | None = None
    """Probability that the policy showed this item at this position."""
    features: list[float | None] | None = None
    """What the model saw, in the order of the feature schema; null is missing."""


class Slate(Event, tag="slate"):
    """The ranked list shown for one request, with everything needed to replay it."""

    slate_id: Identifier
    campaign: CampaignContext
    slot: Identifier
    policy: Name
    items: Annotated[list[ShownItem], Meta(min_length=1, max_length=1000)]
    model: str | None = None
    """`recommender/version` that scored it."""
    snapshot: str | None = None
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    schema_hash: str | None = None
    """Of the feature schema that `items[].features` follows."""


class Interaction(Event, tag="interaction"):
    """What the builder did with an item of a slate."""

    slate_id: Identifier
    item_id: Identifier
    action: Action


class Outcome(Event, tag="outcome"):
    """What recipients did with a sent item: one event, or a count of them."""

    slate_id: Identifier
    item_id: Identifier
    kind: OutcomeKind
    count: Count = 1


AnyEvent = Item | Campaign | Slate | Interaction | Outcome
EVENT_TYPES: tuple[type[Event], ...] = (Item, Campaign, Slate, Interaction, Outcome)
EVENT_NAMES: tuple[str, ...] = ("item", "campaign", "slate", "interaction", "outcome")
