"""The five events of the log, as typed models; schemas and a page for readers are made from them.

Every event has an envelope: `event_id` makes it idempotent, `occurred_at` is when it happened and
decides the partition, `received_at` is when it reached us and decides what could be known.
Times are RFC 3339 with an offset and are kept in UTC. A field that no model knows is kept in `extra`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, inspect

SCHEMA_VERSION = 2
"""1: as it began. 2: `schema_hash` of a slate is called `feature_schema`; people, experiments and `extra`."""

PERSONAL_MARK = "x-personal"
UNIT_MARK = "x-unit"


def _says(meaning: str, *, unit: str | None = None, personal: bool = False) -> Meta:
    marks = {UNIT_MARK: unit} if unit else {}
    if personal:
        marks[PERSONAL_MARK] = "identifier"
    return Meta(description=meaning, extra_json_schema=marks or None)


Identifier = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
NAME_RULE = "1 to 64 lower-case letters, digits and _, with a letter first"
Instant = Annotated[datetime, Meta(tz=True)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Position = Annotated[int, Meta(ge=1, le=1000)]
Propensity = Annotated[float, Meta(gt=0.0, le=1.0)]

Action = Literal["chosen", "dismissed"]
OutcomeKind = Literal["delivered", "opened", "clicked", "converted", "unsubscribed", "bounced"]
AssignmentUnit = Literal["recipient", "session", "send"]

BuilderId = Annotated[
    Identifier | None, _says("Who builds the e-mail. Kept as a keyed hash only.", personal=True)
]
SessionId = Annotated[
    Identifier | None, _says("The builder's visit to the editor. Kept as a keyed hash only.", personal=True)
]
SlateId = Annotated[Identifier, _says("The slate that it belongs to, as `/v1/rank` answered it.")]
SentItemId = Annotated[Identifier, _says("The item of that slate.")]


class Event(Struct, kw_only=True, omit_defaults=True, tag_field="type", gc=False, forbid_unknown_fields=True):
    """The envelope that all events share."""

    event_id: Annotated[
        Identifier, _says("Makes the event idempotent: a second one of this id and tenant is dropped.")
    ]
    tenant: Annotated[Identifier, _says("The customer whose e-mail it is.")]
    recommender: Annotated[Name, _says("The ranking problem, e.g. `image_enhancement`.")]
    occurred_at: Annotated[Instant, _says("When it happened; 2000 to 2079.", unit="RFC 3339 with offset")]
    received_at: Annotated[
        Instant | None,
        _says("When it reached the first of our machines. Set on arrival.", unit="RFC 3339 with offset"),
    ] = None
    version: Annotated[
        int, Meta(ge=1, le=SCHEMA_VERSION), _says("Of this contract. Older ones are read as today's.")
    ] = SCHEMA_VERSION
    extra: Annotated[
        dict[str, Any],
        _says("Fields that this version does not know, by their path. Filled by the reader; may be sent."),
    ] = {}


class Item(Event, tag="item"):
    """A candidate for a slot: a picture variant, a subject line, a call to action."""

    item_id: Annotated[Identifier, _says("Names it within tenant and recommender.")]
    kind: Annotated[Name, _says("What it is, e.g. `picture_variant`.")]
    source_id: Annotated[
        Identifier | None, _says("What it was made from, e.g. the picture that was enhanced.")
    ] = None
    attributes: Annotated[
        dict[str, float], _says("Numbers that describe it, e.g. `brightness` in 0..1.")
    ] = {}
    labels: Annotated[dict[str, str], _says("Texts that describe it, e.g. `enhancement`.")] = {}
    person_id: Annotated[
        Identifier | None,
        _says("Whom it describes, for items of kind `user`. Kept as a keyed hash only.", personal=True),
    ] = None


class CampaignContext(Struct, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """What is known of a campaign when a slate is asked for. The HTTP request carries the same."""

    campaign_id: Annotated[Identifier, _says("The e-mail being built.")]
    industry: Annotated[str | None, _says("Of the tenant, e.g. `travel`.")] = None
    campaign_type: Annotated[str | None, _says("E.g. `newsletter`.")] = None
    goal: Annotated[str | None, _says("What it is to bring about, e.g. `clicks`.")] = None
    segment: Annotated[str | None, _says("The audience, e.g. `loyal`.")] = None
    mobile_share: Annotated[
        Share | None, _says("Of the audience, who reads on a phone.", unit="share of one")
    ] = None
    send_at: Annotated[Instant | None, _says("When it will be sent.", unit="RFC 3339 with offset")] = None
    labels: Annotated[dict[str, str], _says("Further names, for foreign logs.")] = {}


class Campaign(Event, tag="campaign"):
    """One e-mail being built."""

    campaign: Annotated[CampaignContext, _says("Its context.")]


class ShownItem(Struct, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """One place of a slate."""

    item_id: Annotated[Identifier, _says("The item in this place.")]
    position: Annotated[Position, _says("1 is the top of the slate.", unit="place")]
    score: Annotated[
        float | None, _says("What the items were ordered by; comparable within this slate only.")
    ] = None
    propensity: Annotated[
        Propensity | None,
        _says("Probability that the policy showed this item at this position.", unit="probability"),
    ] = None
    features: Annotated[
        list[float | None] | None,
        _says("What the model saw, in the order of the feature schema; null is missing."),
    ] = None
    packed_features: Annotated[
        bytes | None,
        _says(
            "The same, as the service logs it: float32 numbers, little-endian, NaN for what is missing. "
            "Goes before `features`."
        ),
    ] = None


class DescribedItem(Struct, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """What a request said of an item that the slate shows, as far as features look at it."""

    item_id: Annotated[Identifier, _says("The item.")]
    attributes: Annotated[dict[str, float], _says("Numbers that the request gave.")] = {}
    labels: Annotated[dict[str, str], _says("Texts that the request gave.")] = {}


class Experiment(Struct, kw_only=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """An A/B send: the items that are sent at once are its arms."""

    experiment_id: Annotated[Identifier, _says("Names it within tenant and recommender.")]
    unit: Annotated[AssignmentUnit, _says("What is assigned to an arm by chance.")] = "recipient"
    original_arm: Annotated[
        Identifier | None, _says("The arm that the others are compared with: its `arm`, else its `item_id`.")
    ] = None


class Slate(Event, tag="slate"):
    """The ranked list shown for one request, with everything needed to replay it."""

    slate_id: Annotated[Identifier, _says("Names it; interactions and outcomes refer to it.")]
    campaign: Annotated[CampaignContext, _says("What it was asked for.")]
    slot: Annotated[Identifier, _says("The place in the e-mail, e.g. `hero`.")]
    policy: Annotated[Name, _says("How the order was chosen, e.g. `uniform`.")]
    items: Annotated[
        list[ShownItem], Meta(min_length=1, max_length=1000), _says("What was shown, every place once.")
    ]
    model: Annotated[str | None, _says("`recommender/version` that scored it.")] = None
    snapshot: Annotated[str | None, _says("The feature snapshot that it was scored with.")] = None
    live_until: Annotated[
        Instant | None,
        _says(
            "Its counts also hold what was received since the snapshot, up to then.",
            unit="RFC 3339 with offset",
        ),
    ] = None
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=2**63 - 1)] | None, _says("Of the exploration, for the replay.")
    ] = None
    feature_schema: Annotated[
        str | None, _says("Hash of the feature schema that the features of `items[]` follow.")
    ] = None
    builder_id: BuilderId = None
    session_id: SessionId = None
    experiment: Annotated[Experiment | None, _says("Set when several of its items are sent at once.")] = None
    candidate_scores: Annotated[
        Annotated[list[float | None], Meta(max_length=1000)] | None,
        _says("Scores of all candidates, in the order of the request; null is unknown. For the replay."),
    ] = None
    described: Annotated[
        Annotated[list[DescribedItem], Meta(max_length=1000)] | None,
        _says("What the request said of the items. Set by the service on a sample, for the audit."),
    ] = None


class Interaction(Event, tag="interaction"):
    """What the builder did with an item of a slate."""

    slate_id: SlateId
    item_id: SentItemId
    action: Annotated[Action, _says("`chosen` for the e-mail, or `dismissed`.")]
    builder_id: BuilderId = None
    session_id: SessionId = None


class Outcome(Event, tag="outcome"):
    """What recipients did with a sent item: one event, or a count of them."""

    slate_id: SlateId
    item_id: SentItemId
    kind: Annotated[OutcomeKind, _says("What they did, or what became of the e-mail.")]
    count: Annotated[Count, _says("How many times; counts of one place add up.", unit="events")] = 1
    recipient_id: Annotated[
        Identifier | None,
        _says("Who did it, for a single event. Kept as a keyed hash only.", personal=True),
    ] = None
    experiment_id: Annotated[
        Identifier | None, _says("The experiment that the e-mail was sent for; absent on later sends.")
    ] = None
    arm: Annotated[Identifier | None, _says("Its arm, where that is not the item itself.")] = None


AnyEvent = Item | Campaign | Slate | Interaction | Outcome
EVENT_TYPES: tuple[type[Event], ...] = (Item, Campaign, Slate, Interaction, Outcome)
EVENT_NAMES: tuple[str, ...] = ("item", "campaign", "slate", "interaction", "outcome")


def personal_fields(event: str) -> tuple[str, ...]:
    """The fields of an event type that hold identifiers of people, as its model declares them.

    >>> personal_fields("outcome"), personal_fields("campaign")
    (('recipient_id',), ())
    """
    return personal_fields_of(EVENT_TYPES[EVENT_NAMES.index(event)])


def personal_fields_of(model: type[Struct]) -> tuple[str, ...]:
    """The same of any model."""
    fields = {each.name: each.type for each in model_fields(model)}
    return tuple(sorted(name for name, kind in fields.items() if PERSONAL_MARK in marks_of(kind)))


def model_fields(model: type[Struct]) -> tuple[inspect.Field, ...]:
    """The fields of a model, in the order in which they are declared."""
    info = inspect.type_info(model)
    return info.fields if isinstance(info, inspect.StructType) else ()


def marks_of(kind: inspect.Type) -> dict[str, Any]:
    """What a field's schema says beside its type: `description`, `x-unit`, `x-personal`."""
    marks: dict[str, Any] = {}
    while isinstance(kind, inspect.Metadata):
        marks = {**(kind.extra_json_schema or {}), **marks}
        kind = kind.type
    return marks
