"""What goes in and out over HTTP, as typed models; the OpenAPI document is generated from these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from letterpress.events.types import BuilderId, CampaignContext, Identifier, Name, SessionId


class RequestItem(Struct, kw_only=True, gc=False):
    """A candidate. What is given here goes before what the snapshot knows of the item."""

    item_id: Identifier
    source_id: Identifier | None = None
    attributes: dict[str, float] = {}
    labels: dict[str, str] = {}


class RequestCampaign(CampaignContext, kw_only=True, gc=False, forbid_unknown_fields=False):
    """What is known of the campaign. Unknown fields are ignored."""


class RankRequest(Struct, kw_only=True):
    """Which candidates to rank for which slot of which campaign. Unknown fields are ignored."""

    recommender: Name
    tenant: Identifier
    campaign: RequestCampaign
    slot: Identifier
    items: list[RequestItem] | None = None
    """Null: the tenant's known items, the most chosen first."""
    k: int | None = None
    """Places to fill, 1 .. number of items. Null: the recommender's slate size, or all items if fewer."""
    builder_id: BuilderId = None
    session_id: SessionId = None


class PredictedRate(Struct, gc=False):
    """How often the target is expected to happen, and where its true rate lies with 95 % confidence.

    `chosen` is for the place that the item has; a builder may choose several items, so the rates of a slate
    add up to how many. The rates of outcomes are of what is delivered. `email_score` is the expected score
    as a share of its scale: 0.5 is what is usual for the tenant.
    """

    rate: float
    low: float
    high: float


class RankedItem(Struct, kw_only=True, gc=False):
    """One place of the answer."""

    item_id: str
    position: Annotated[int, Meta(ge=1)]
    score: float | None
    """Orders items within this slate; not a rate. Null: nothing is known of the item."""
    propensity: float
    """Probability that the policy put this item at this position."""
    predicted: dict[str, PredictedRate]
    """By target of the recommender."""
    lift: float | None
    """Predicted click rate over that of the original of the same source, less 1. Null: there is none."""


class RankAnswer(Struct, kw_only=True):
    """The slate. Report what happens to it with `slate_id` as interaction and outcome events."""

    slate_id: str
    recommender: str
    model: str
    """`recommender/version` that scored it."""
    snapshot: str
    policy: str
    items: list[RankedItem]


class RejectedEvent(Struct, kw_only=True):
    """An event of the batch that was not taken."""

    index: int
    """Its place in the batch, from 0."""
    field: str | None
    reason: str


class EventsAnswer(Struct, kw_only=True):
    """How many events are on disk, were there already, or did not fit."""

    accepted: int
    duplicate: int
    rejected: list[RejectedEvent]


class ModelState(Struct, kw_only=True):
    recommender: str
    model: str
    sha256: str
    scorer: str


class LogState(Struct, kw_only=True):
    healthy: bool
    reason: str | None
    pending_bytes: int
    """In memory, not yet on disk."""
    unlogged_slates: int
    """Given up since start because memory was full while the disk took nothing."""


class LiveState(Struct, kw_only=True):
    """What arrived since the snapshot's last hour and is counted already."""

    until: datetime | None
    """Everything that was received up to then is counted; null before the first snapshot."""
    lag_seconds: float | None
    events: int
    """Taken in since start."""
    hours: int
    """Held, because no snapshot has them yet."""
    remembered: int
    """Events and slates in memory."""
    waiting: int
    """Reactions to slates that nobody knows yet."""
    reason: str | None
    """Why slates do without live counts; null when they have them."""


class Readiness(Struct, kw_only=True):
    """`ready` is whether slates can be answered; `problems` is what a person should look at."""

    ready: bool
    now: datetime
    """The time that this service goes by; simulated in a home that has a clock of its own."""
    models: list[ModelState]
    snapshot: str | None
    log: LogState
    live: LiveState
    problems: dict[str, str]


class Problem(Struct, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"
    field: str | None = None
    """Path of the field that does not fit, e.g. `campaign.mobile_share`."""
    known: list[str] | None = None
    """What would have been accepted."""
