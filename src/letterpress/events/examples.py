"""One event of each type, as an editor would send it: for the contract page and its tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from letterpress.events.types import (
    AnyEvent,
    Campaign,
    CampaignContext,
    Experiment,
    Interaction,
    Item,
    Outcome,
    ShownItem,
    Slate,
)

_AT = datetime(2026, 1, 20, 10, 0, tzinfo=UTC)
_SLATE = "019be58f0b8c625f891911d275f52646"


def _envelope(event_id: str, minutes: int) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "tenant": "acme",
        "recommender": "image_enhancement",
        "occurred_at": _AT + timedelta(minutes=minutes),
    }


def _slate(context: CampaignContext) -> Slate:
    return Slate(
        **_envelope(f"{_SLATE}-slate", 0),
        slate_id=_SLATE,
        campaign=context,
        slot="hero",
        policy="epsilon_uniform",
        items=[
            ShownItem(item_id="boots-warm", position=1, score=0.179, propensity=0.9625),
            ShownItem(item_id="boots", position=2, score=0.152, propensity=0.9625),
        ],
        model="image_enhancement/1",
        builder_id="builder-17",
        session_id="visit-4410",
        experiment=Experiment(experiment_id="spring-sale-7-ab", original_arm="boots"),
    )


def example_events() -> dict[str, AnyEvent]:
    """By event type, in the order in which they would happen."""
    context = CampaignContext(
        campaign_id="spring-sale-7",
        industry="fashion",
        campaign_type="promotion",
        goal="clicks",
        segment="loyal",
        mobile_share=0.62,
        send_at=_AT + timedelta(days=1),
    )
    return {
        "item": Item(
            **_envelope("boots-warm-item", -60),
            item_id="boots-warm",
            kind="picture_variant",
            source_id="boots",
            attributes={"brightness": 0.54, "warmth": 0.21},
            labels={"enhancement": "warm"},
        ),
        "campaign": Campaign(**_envelope("spring-sale-7-campaign", -5), campaign=context),
        "slate": _slate(context),
        "interaction": Interaction(
            **_envelope(f"{_SLATE}-chosen-1", 1),
            slate_id=_SLATE,
            item_id="boots-warm",
            action="chosen",
            builder_id="builder-17",
            session_id="visit-4410",
        ),
        "outcome": Outcome(
            **_envelope(f"{_SLATE}-boots-warm-clicked-1", 1500),
            slate_id=_SLATE,
            item_id="boots-warm",
            kind="clicked",
            count=43,
            experiment_id="spring-sale-7-ab",
        ),
    }
