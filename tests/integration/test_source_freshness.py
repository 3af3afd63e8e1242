"""`dbt source freshness` goes by the clock that is handed in, not by that of the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import GateFailedError
from letterpress.events.types import AnyEvent, CampaignContext, Interaction, Outcome, ShownItem, Slate
from letterpress.orchestration.source_freshness import check_sources
from letterpress.settings import Settings

HOUR = timedelta(hours=1)


def test_sources_are_as_old_as_the_clock_of_the_home_says(
    start: datetime, write_raw: Callable[[Path, Iterable[AnyEvent]], None], settings: Settings
) -> None:
    common: dict[str, Any] = {"tenant": "t", "recommender": "image_enhancement", "slate_id": "s"}
    about: dict[str, Any] = {"item_id": "i", **common}
    events: list[AnyEvent] = [
        Slate(
            event_id="s",
            occurred_at=start,
            received_at=start + HOUR,
            campaign=CampaignContext(campaign_id="c"),
            slot="hero",
            policy="uniform",
            items=[ShownItem(item_id="i", position=1)],
            **common,
        ),
        Interaction(event_id="i", occurred_at=start, received_at=start, action="chosen", **about),
        Outcome(event_id="o", occurred_at=start, received_at=start + 4 * HOUR, kind="clicked", **about),
    ]
    write_raw(settings.paths.raw, events)
    found = check_sources(settings, ManualClock(start + 8 * HOUR))
    assert {each["source"]: (each["status"], each["age_hours"]) for each in found} == {
        "slate": ("warn", 7.0),
        "interaction": ("warn", 8.0),
        "outcome": ("pass", 4.0),
    }
    with pytest.raises(GateFailedError, match=r"none of interaction: 170\.0 h") as refused:
        check_sources(settings, ManualClock(start + 170 * HOUR))
    assert "slate: 169.0 h" in str(refused.value)
    assert "outcome" not in str(refused.value)


def test_what_never_came_is_told_and_is_nothing_that_stopped_coming(
    start: datetime, write_raw: Callable[[Path, Iterable[AnyEvent]], None], settings: Settings
) -> None:
    slate = Slate(
        event_id="s",
        tenant="t",
        recommender="image_enhancement",
        slate_id="s",
        occurred_at=start,
        received_at=start,
        campaign=CampaignContext(campaign_id="c"),
        slot="hero",
        policy="uniform",
        items=[ShownItem(item_id="i", position=1)],
    )
    write_raw(settings.paths.raw, [slate])
    found = check_sources(settings, ManualClock(start + HOUR))
    assert {each["source"]: each["newest"] is None for each in found} == {
        "slate": False,
        "interaction": True,
        "outcome": True,
    }
