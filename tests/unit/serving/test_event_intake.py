"""A batch of events: accepted, duplicate or rejected, each with its reason."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import StorageError
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.serving.event_intake import EventIntake, split_batch
from letterpress.serving.event_log import EventLog
from letterpress.serving.messages import EventsAnswer
from letterpress.serving.problems import RequestProblemError

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def interaction(event_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "interaction",
        "event_id": event_id,
        "tenant": "acme",
        "recommender": "image_enhancement",
        "occurred_at": "2026-01-05T11:59:00Z",
        "slate_id": "s1",
        "item_id": "i1",
        "action": "chosen",
    } | fields


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(tmp_path / "log", ManualClock(NOW), flush_seconds=0.01)
    log.start()
    yield log
    log.stop()


@pytest.fixture
def keys(tmp_path: Path) -> TenantKeys:
    return TenantKeys(tmp_path / "keys")


@pytest.fixture
def intake(log: EventLog, keys: TenantKeys) -> EventIntake:
    return EventIntake(log, ManualClock(NOW), Counter(), keys)


def take(intake: EventIntake, *batches: object) -> list[EventsAnswer]:
    async def run() -> list[EventsAnswer]:
        return [await intake.take(json.dumps(batch).encode()) for batch in batches]

    return asyncio.run(run())


def test_accepted_events_are_on_disk_with_the_time_of_their_receipt(
    intake: EventIntake, tmp_path: Path
) -> None:
    [answer] = take(intake, [interaction("e1"), interaction("e2", received_at="2026-01-05T11:59:30Z")])
    assert (answer.accepted, answer.duplicate, answer.rejected) == (2, 0, [])
    lines = [
        json.loads(line) for path in (tmp_path / "log").iterdir() for line in path.read_text().splitlines()
    ]
    assert [line["received_at"] for line in lines] == ["2026-01-05T12:00:00Z", "2026-01-05T11:59:30Z"]


def test_equal_ids_of_two_tenants_or_of_two_types_are_two_events(intake: EventIntake) -> None:
    outcome = interaction("e1") | {"type": "outcome", "kind": "clicked"}
    first, second = take(intake, [interaction("e1"), outcome], [interaction("e1", tenant="fern")])
    assert (first.accepted, second.accepted, second.duplicate) == (2, 1, 0)


def test_an_event_from_the_future_is_rejected_and_a_clock_that_is_a_little_ahead_is_not(
    intake: EventIntake,
) -> None:
    ahead, future = "2026-01-05T12:04:00Z", "2079-01-01T00:00:00Z"
    [answer] = take(intake, [interaction("e1", received_at=ahead), interaction("e2", received_at=future)])
    assert (answer.accepted, [each.field for each in answer.rejected]) == (1, ["received_at"])


def test_an_event_counts_once_within_a_batch_and_between_batches(intake: EventIntake) -> None:
    first, second = take(intake, [interaction("e1"), interaction("e1")], [interaction("e1")])
    assert (first.accepted, first.duplicate) == (1, 1)
    assert (second.accepted, second.duplicate) == (0, 1)


def test_the_same_id_of_another_recommender_is_another_event(intake: EventIntake) -> None:
    [answer] = take(intake, [interaction("e1"), interaction("e1", recommender="open_bandit")])
    assert answer.accepted == 2


def test_a_bad_event_is_rejected_with_its_place_field_and_reason_and_the_rest_accepted(
    intake: EventIntake,
) -> None:
    [answer] = take(
        intake, [interaction("e1"), interaction("e2", action="kicked"), interaction("e3", recommender="nope")]
    )
    assert answer.accepted == 1
    assert [(bad.index, bad.field) for bad in answer.rejected] == [(1, "action"), (2, "recommender")]
    assert "image_enhancement" in answer.rejected[1].reason


def test_an_event_that_could_not_be_written_is_accepted_when_it_comes_again(
    intake: EventIntake, log: EventLog, tmp_path: Path
) -> None:
    log.stop()
    with pytest.raises(Exception, match="stopping"):
        take(intake, [interaction("e1")])
    again = EventLog(tmp_path, ManualClock(NOW))
    again.start()
    intake._log = again
    assert take(intake, [interaction("e1")])[0].accepted == 1
    again.stop()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([interaction("a"), interaction("b")]),
        json.dumps({"events": [interaction("a"), interaction("b")]}, indent=2),
        "\n".join(json.dumps(interaction(name)) for name in "ab") + "\n\n",
    ],
)
def test_a_batch_is_an_array_an_object_or_lines(body: str) -> None:
    assert [json.loads(line)["event_id"] for line in split_batch(body.encode())] == ["a", "b"]


def test_a_single_event_is_a_batch_of_one() -> None:
    assert len(split_batch(json.dumps(interaction("a"), indent=1).encode())) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"hello", 400), (b"", 400), (b"[1, 2", 400), (b"[" * 5000, 400), (b"3", 422), (b'{"events": 3}', 422)],
)
def test_what_is_no_batch_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(RequestProblemError) as refused:
        split_batch(body)
    assert refused.value.problem.status == status


def test_nothing_personal_of_an_event_reaches_the_disk(
    intake: EventIntake, log: EventLog, tmp_path: Path
) -> None:
    event = interaction(
        "from bob@example.com",
        item_id="i+14155552671",
        builder_id="builder-77",
        session_id="visit-88",
        note={"mail": "bob@example.com"},
    )
    [first, again] = take(intake, [event], [event])
    assert (first.accepted, again.duplicate) == (1, 1)
    log.stop()
    [line] = [path.read_text() for path in (tmp_path / "log").iterdir()]
    for value in ("bob@", "example.com", "4155552671", "builder-77", "visit-88"):
        assert value not in line
    written = json.loads(line)
    assert written["builder_id"].startswith("h1:")
    assert written["event_id"] == "from " + written["extra"]["note"]["mail"]


def test_without_keys_personal_events_are_refused_as_a_batch_and_clean_ones_taken(
    intake: EventIntake, keys: TenantKeys, tmp_path: Path
) -> None:
    keys.folder.write_text("no folder")
    with pytest.raises(StorageError, match="LETTERPRESS_KEYS"):
        take(intake, [interaction("e1"), interaction("e2", builder_id="b")])
    [answer] = take(intake, [interaction("e1")])
    assert answer.accepted == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "bob@example.com"},
        {"bob@example.com": 1, "action": "x"},
        {"occurred_at": "bob@example.com"},
        {"recommender": "bob@example.com"},
        {"recommender": "bob_example"},
        {"type": "bob@example.com"},
        {"item_id": "bob@example.com" * 20},
        {"item_id": "bob@example.com\x07"},
        {"version": "bob@example.com"},
    ],
)
def test_a_refusal_quotes_nothing_of_the_event(intake: EventIntake, wrong: dict[str, Any]) -> None:
    [answer] = take(intake, [interaction("e1") | wrong])
    [rejected] = answer.rejected
    assert "bob" not in f"{rejected.field} {rejected.reason}"
