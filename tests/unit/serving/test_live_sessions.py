"""What a session did: all that had arrived in the half hour before, in any order, any number of times."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from letterpress.lake.recent_slates import hash_name
from letterpress.serving.live_events import LiveCampaign, LiveInteraction, LivePlace, LiveSlate, microseconds
from letterpress.serving.live_sessions import KEPT, SPAN, LiveSessions

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
VISIT = ("r", "t", "visit")
MINUTE = 60_000_000


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def show(sessions: LiveSessions, slate_id: str, minutes: float, session: str | None = "visit") -> None:
    slate = LiveSlate(
        event_id=slate_id,
        tenant="t",
        recommender="r",
        occurred_at=at(minutes),
        received_at=at(minutes),
        slate_id=slate_id,
        campaign=LiveCampaign(),
        items=[LivePlace(item_id="x")],
        session_id=session,
    )
    sessions.show(slate, hash_name("r", "t", slate_id))


def react(sessions: LiveSessions, slate_id: str, item: str, minutes: float, action: str = "chosen") -> None:
    told = LiveInteraction(
        event_id=f"{slate_id}-{item}-{minutes}",
        tenant="t",
        recommender="r",
        occurred_at=at(minutes),
        received_at=at(minutes),
        slate_id=slate_id,
        item_id=item,
        action=action,
        session_id=None,  # its slate says whose it is
    )
    sessions.react(told)


def read(sessions: LiveSessions, minutes: float) -> tuple[int, int, int, int]:
    return sessions.read(VISIT, microseconds(at(minutes)))


def test_a_session_has_done_what_arrived_in_the_half_hour_before() -> None:
    sessions = LiveSessions()
    show(sessions, "first", 0)
    react(sessions, "first", "x", 1)
    react(sessions, "first", "x", 1.5)
    react(sessions, "first", "y", 2, "dismissed")
    show(sessions, "second", 2.5)
    show(sessions, "of nobody", 2.5, None)
    react(sessions, "of nobody", "x", 2.6)
    react(sessions, "first", "z", 30.5)
    assert read(sessions, 0) == (0, 0, 0, 0)
    assert read(sessions, 2.5) == (1, 1, 2, 2.5 * MINUTE)
    assert read(sessions, 30) == (2, 1, 2, 30 * MINUTE)
    assert read(sessions, 31) == (1, 1, 2, 30 * MINUTE)
    assert read(sessions, 60) == (0, 0, 0, 0), "a choice half an hour after its slate counts nothing"
    assert sessions.read(("r", "t", "other"), microseconds(at(3))) == (0, 0, 0, 0)


def test_a_reaction_that_came_before_its_slate_counts_from_its_slate_on() -> None:
    sessions = LiveSessions()
    react(sessions, "late", "x", 1)
    show(sessions, "late", 3)
    assert read(sessions, 3) == (0, 0, 0, 0)
    assert read(sessions, 4) == (1, 1, 1, MINUTE)


def test_what_is_let_go_of_changes_no_count_that_may_still_be_asked_for() -> None:
    rng = random.Random(7)
    kept, all_of_it = LiveSessions(), LiveSessions()
    minutes = 0.0
    slates: list[str] = []
    for number in range(2000):
        minutes += rng.expovariate(1)
        for sessions in (kept, all_of_it):
            if number % 3:
                show(sessions, f"s{number}", minutes, "visit" if number // 300 % 2 else "other")
            elif slates:
                react(sessions, slates[-1 - number % 20 % len(slates)], "xyz"[number % 9 // 3], minutes)
        slates += [f"s{number}"] if number % 3 else []
        kept.forget(microseconds(at(minutes)))
        assert read(kept, minutes) == read(all_of_it, minutes)
    assert len(kept) < 200
    assert len(all_of_it) > 1300
    assert KEPT == 2 * SPAN == 60 * MINUTE
