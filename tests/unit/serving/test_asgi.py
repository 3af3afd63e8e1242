"""Every request gets the answer that the interface promises, good or bad."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bench.synthetic_home import TENANT, publish_model, write_snapshot

from letterpress.clock import ManualClock
from letterpress.events.codec import decode_line
from letterpress.events.packed_features import features_of
from letterpress.events.types import Slate, personal_fields
from letterpress.features import feature_names
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.recommenders import get_recommender
from letterpress.serving.asgi import Entrance
from letterpress.serving.front_door import Message, Receive, Scope, Send
from letterpress.serving.private_request import PERSONAL
from letterpress.serving.service import RankingService
from letterpress.settings import Home, ServiceSettings, Settings

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
JSON = (b"content-type", b"application/json")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a snapshot of 30 items and a popularity model of both recommenders."""
    home = Home(root=tmp_path_factory.mktemp("home"))
    home.snapshots.mkdir()
    write_snapshot(home, items=30)
    publish_model(home, version=1)
    publish_model(home, version=1, recommender="open_bandit")
    return home.root


def start_service(root: Path, **options: Any) -> RankingService:
    settings = Settings(home=root, service=ServiceSettings(log_flush_seconds=0.01, **options))
    service = RankingService(settings, ManualClock(NOW))
    service.start()
    return service


@pytest.fixture(scope="module")
def service(root: Path) -> Iterator[RankingService]:
    """One for all tests that only ask: to start it takes longer than to ask it."""
    service = start_service(root, max_items=100, max_body_bytes=20_000)
    yield service
    service.stop()


@pytest.fixture
def own_root(root: Path, tmp_path: Path) -> Path:
    """A copy of the home as it was published, without what others logged."""
    return Path(shutil.copytree(root, tmp_path / "own", ignore=shutil.ignore_patterns("landing")))


@pytest.fixture
def own_service(own_root: Path) -> Iterator[RankingService]:
    """For tests that count, or read what is logged."""
    service = start_service(own_root, max_items=100, max_body_bytes=20_000)
    yield service
    service.stop()


class Answer:
    def __init__(self, messages: list[Message]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = dict(messages[0]["headers"])
        self.body: bytes = b"".join(message.get("body", b"") for message in messages[1:])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    service: RankingService,
    path: str,
    body: bytes | list[bytes] = b"",
    *,
    method: str = "POST",
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,),
) -> Answer:
    parts = [body] if isinstance(body, bytes) else body
    incoming = [
        {"type": "http.request", "body": part, "more_body": place < len(parts) - 1}
        for place, part in enumerate(parts)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    async def bento(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})

    scope = {"type": "http", "path": path, "method": method, "headers": list(headers)}
    asyncio.run(Entrance(bento, service)(scope, receive, send))
    return Answer(sent)


def request(items: int | None = 5, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "recommender": "image_enhancement",
        "tenant": TENANT,
        "slot": "hero",
        "k": 3,
        "campaign": {"campaign_id": "c1", "industry": "food", "segment": "loyal"},
        "items": None if items is None else [{"item_id": f"item-{number}"} for number in range(items)],
    }
    return document | fields


def rank(service: RankingService, document: Any) -> Answer:
    return call(service, "/v1/rank", json.dumps(document).encode())


def logged_slates(service: RankingService, root: Path) -> list[Slate]:
    service.stop()
    paths = sorted((root / "landing" / "service").glob("*.jsonl"))
    events = [decode_line(line) for line in paths[-1].read_bytes().splitlines()]
    return [event for event in events if isinstance(event, Slate)]


def test_every_item_has_a_rate_with_an_interval_for_every_target(service: RankingService) -> None:
    for item in rank(service, request()).json["items"]:
        assert list(item["predicted"]) == [each.name for each in get_recommender("image_enhancement").targets]
        for told in item["predicted"].values():
            assert 0 < told["low"] < told["rate"] < told["high"] < 1
    clicked = rank(service, request(recommender="open_bandit")).json["items"][0]["predicted"]
    assert sorted(clicked) == ["clicked"]


def test_lift_is_told_against_the_original_of_the_same_source_shown_or_not(service: RankingService) -> None:
    def item(number: int, source: str, enhancement: str) -> dict[str, Any]:
        labels = {"enhancement": enhancement}
        return {"item_id": f"item-{number}", "source_id": source, "labels": labels}

    items = [
        item(1, "a", "original"),
        item(2, "a", "warm"),
        item(3, "b", "warm"),
        item(4, "c", "original"),
        item(5, "c", "cool"),
    ]
    shown = {
        each["item_id"]: each for each in rank(service, request() | {"items": items, "k": 5}).json["items"]
    }
    clicks = {item_id: each["predicted"]["clicked"]["rate"] for item_id, each in shown.items()}
    assert shown["item-1"]["lift"] == shown["item-4"]["lift"] == 0.0
    assert shown["item-2"]["lift"] == pytest.approx(clicks["item-2"] / clicks["item-1"] - 1, abs=1e-4)
    assert shown["item-5"]["lift"] == pytest.approx(clicks["item-5"] / clicks["item-4"] - 1, abs=1e-4)
    assert shown["item-3"]["lift"] is None
    unnamed = [{key: each[key] for key in ("item_id", "labels")} for each in items[:2]]
    assert rank(service, request() | {"items": unnamed, "k": 1}).json["items"][0]["lift"] is not None
    best = rank(service, request() | {"items": items, "k": 1}).json["items"][0]
    assert best["lift"] == pytest.approx(shown[best["item_id"]]["lift"])


def test_a_slate_is_answered_best_first_with_model_snapshot_and_propensities(service: RankingService) -> None:
    answer = rank(service, request())
    assert answer.status == 200
    slate = answer.json
    assert slate["model"] == "image_enhancement/1"
    assert slate["snapshot"] == service.readiness().snapshot
    assert [item["position"] for item in slate["items"]] == [1, 2, 3]
    if not service.metrics.slates["image_enhancement", True]:
        scores = [item["score"] for item in slate["items"]]
        assert scores == sorted(scores, reverse=True)
    assert all(0 < item["propensity"] <= 1 for item in slate["items"])


def test_every_slate_has_an_id_of_its_own(service: RankingService) -> None:
    assert len({rank(service, request()).json["slate_id"] for _ in range(50)}) == 50


def test_what_was_shown_is_logged_with_the_features_that_the_model_saw(
    own_service: RankingService, own_root: Path
) -> None:
    slate = rank(own_service, request()).json
    [event] = logged_slates(own_service, own_root)
    assert event.slate_id == slate["slate_id"]
    assert (event.model, event.snapshot) == (slate["model"], slate["snapshot"])
    assert event.campaign.industry == "food"
    assert event.occurred_at == event.received_at == NOW
    assert [item.item_id for item in event.items] == [item["item_id"] for item in slate["items"]]
    for item in event.items:
        assert len(features_of(item) or []) == len(feature_names(get_recommender("image_enhancement")))


def test_without_items_the_tenants_known_items_are_ranked(service: RankingService) -> None:
    slate = rank(service, request(None, k=30)).json
    assert len(slate["items"]) == 30
    answer = rank(service, request(None, tenant="nobody"))
    assert (answer.status, answer.json["field"]) == (422, "items")


def test_an_unknown_item_without_attributes_is_ranked_as_new(service: RankingService) -> None:
    slate = rank(service, request(items=None) | {"items": [{"item_id": "brand new"}], "k": 1}).json
    assert slate["items"][0]["item_id"] == "brand new"


def test_attributes_of_the_request_go_before_those_of_the_snapshot(
    own_service: RankingService, own_root: Path
) -> None:
    names = feature_names(get_recommender("image_enhancement"))
    items = [{"item_id": "item-1", "attributes": {"brightness": 0.125, "unknown": 3}}]
    rank(own_service, request(items=None) | {"items": items, "k": 1})
    rank(own_service, request(items=None) | {"items": [{"item_id": "item-1"}], "k": 1})
    given, known = (
        dict(zip(names, features_of(event.items[0]) or [], strict=True))
        for event in logged_slates(own_service, own_root)
    )
    assert given["brightness"] == 0.125
    assert known["brightness"] not in {0.125, None}
    assert given["contrast"] == known["contrast"]


def test_without_k_the_slate_has_the_recommenders_size_or_all_items(service: RankingService) -> None:
    assert len(rank(service, request(20, k=None)).json["items"]) == 8
    assert len(rank(service, request(2, k=None)).json["items"]) == 2


def test_unknown_fields_are_ignored(service: RankingService) -> None:
    assert rank(service, request(colour="red")).status == 200


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"recommender": "nope"}, 404, None),
        ({"k": 0}, 422, "k"),
        ({"k": -1}, 422, "k"),
        ({"k": 6}, 422, "k"),
        ({"k": "many"}, 422, "k"),
        ({"items": []}, 422, "items"),
        ({"items": [{"item_id": "a"}, {"item_id": "a"}]}, 422, "items[1].item_id"),
        ({"items": [{"item_id": ""}]}, 422, "items[0].item_id"),
        (
            {"items": [{"item_id": "a", "attributes": {"brightness": "dark"}}]},
            422,
            "items[0].attributes[...]",
        ),
        ({"tenant": 7}, 422, "tenant"),
        ({"campaign": {}}, 422, "campaign.campaign_id"),
        ({"campaign": {"campaign_id": "c", "mobile_share": 7}}, 422, "campaign.mobile_share"),
        ({"campaign": {"campaign_id": "c", "send_at": "tomorrow"}}, 422, "campaign.send_at"),
        ({"slot": "he\nro"}, 422, "slot"),
        ({"items": [{"item_id": f"i{number}"} for number in range(101)]}, 422, "items"),
    ],
)
def test_what_cannot_be_ranked_is_a_problem_document(
    service: RankingService, change: dict[str, Any], status: int, field: str | None
) -> None:
    answer = rank(service, request() | change)
    assert (answer.status, answer.json.get("field")) == (status, field)
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["title"]
    assert answer.json["detail"]


def test_a_problem_says_what_was_expected(service: RankingService) -> None:
    assert "image_enhancement, open_bandit" in rank(service, request(recommender="nope")).json["detail"]
    assert "at most 5" in rank(service, request(5, k=6)).json["detail"]


@pytest.mark.parametrize("body", [b"", b"hello", b"{", b"\xff\xfe", b"[" * 3000, b'{"k": 1} x'])
def test_a_body_that_is_no_json_is_a_400(service: RankingService, body: bytes) -> None:
    assert call(service, "/v1/rank", body).status == 400
    assert call(service, "/v1/events", body).status == 400


@pytest.mark.parametrize("body", [b"[]", b"3", b"null", b"{}"])
def test_json_of_another_shape_is_a_422(service: RankingService, body: bytes) -> None:
    assert call(service, "/v1/rank", body).status == 422


def test_a_body_above_the_limit_is_a_413_whether_it_says_so_or_not(service: RankingService) -> None:
    honest = (JSON, (b"content-length", b"20001"))
    assert call(service, "/v1/rank", b"x", headers=honest).status == 413
    answer = call(service, "/v1/rank", [b"x" * 9000] * 5)
    assert answer.status == 413
    assert "20000 bytes" in answer.json["detail"]
    assert answer.headers[b"connection"] == b"close"


def test_a_body_in_parts_is_one_body(service: RankingService) -> None:
    body = json.dumps(request()).encode()
    assert call(service, "/v1/rank", [body[:10], body[10:50], body[50:]]).status == 200


@pytest.mark.parametrize(
    ("path", "method", "status", "allow"),
    [
        ("/v1/rank", "GET", 405, b"POST"),
        ("/v1/events", "DELETE", 405, b"POST"),
        ("/readyz", "POST", 405, b"GET"),
        ("/nope", "GET", 404, None),
        ("/", "GET", 404, None),
    ],
)
def test_other_paths_and_methods_are_refused(
    service: RankingService, path: str, method: str, status: int, allow: bytes | None
) -> None:
    answer = call(service, path, method=method)
    assert (answer.status, answer.headers.get(b"allow")) == (status, allow)


def test_a_body_that_does_not_come_is_a_504(service: RankingService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("letterpress.serving.asgi.REQUEST_SECONDS", 0.05)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(30)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/v1/rank", "headers": [JSON]}
    asyncio.run(Entrance(send, service)(scope, receive, send))  # type: ignore[arg-type]  # nothing is passed on
    assert sent[0]["status"] == 504
    assert b"within 0.05 s" in sent[1]["body"]


def test_another_content_type_is_a_415(service: RankingService) -> None:
    form = ((b"content-type", b"application/x-www-form-urlencoded"),)
    assert call(service, "/v1/rank", b"{}", headers=form).status == 415


def test_a_token_is_asked_for_when_one_is_set(root: Path) -> None:
    service = start_service(root, token="secret")  # noqa: S106  # it guards a test
    body = json.dumps(request()).encode()
    for path in ("/v1/rank", "/v1/events", "/bento/rank"):
        for wrong in ((JSON,), (JSON, (b"authorization", b"Bearer nope"))):
            answer = call(service, path, body, headers=wrong)
            assert answer.status == 401
            assert answer.headers[b"www-authenticate"] == b"Bearer"
    right = (JSON, (b"authorization", b"Bearer secret"))
    assert call(service, "/v1/rank", body, headers=right).status == 200
    assert call(service, "/bento/rank", body, headers=right).status == 299
    assert call(service, "/readyz", method="GET").status == 200
    service.stop()


def test_before_the_first_champion_the_service_says_what_is_missing(tmp_path: Path) -> None:
    service = start_service(tmp_path)
    answer = rank(service, request())
    assert answer.status == 503
    assert answer.headers[b"retry-after"] == b"5"
    ready = call(service, "/readyz", method="GET")
    assert ready.status == 503
    assert set(ready.json["problems"]) == {"models", "snapshot"}
    assert call(service, "/livez", method="GET").status == 200
    assert rank(service, request(recommender="nope")).status == 404
    service.stop()


def test_metrics_count_requests_items_events_and_say_which_model_answers(own_service: RankingService) -> None:
    rank(own_service, request(5))
    rank(own_service, request(k=0))
    call(own_service, "/v1/events", b"[{}]")
    text = call(own_service, "/metrics", method="GET").body.decode()
    for line in (
        'letterpress_requests_total{route="/v1/rank",status="200"} 1.0',
        'letterpress_requests_total{route="/v1/rank",status="422"} 1.0',
        'letterpress_items_ranked_total{recommender="image_enhancement"} 5.0',
        'letterpress_events_total{result="rejected"} 1.0',
        'letterpress_request_seconds_count{route="/v1/rank"} 2.0',
        "letterpress_ready 1.0",
        "letterpress_log_healthy 1.0",
    ):
        assert line in text
    assert 'letterpress_model_info{model="image_enhancement/1",recommender="image_enhancement"' in text


def test_the_document_of_the_interface_describes_every_route(service: RankingService) -> None:
    document = call(service, "/docs.json", method="GET").json
    assert set(document["paths"]) == {"/v1/rank", "/v1/events", "/readyz", "/livez", "/metrics"}
    assert "RankRequest" in document["components"]["schemas"]
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in text or name in {"Item"}


def test_a_slate_is_logged_without_personal_data_and_answered_in_the_words_of_the_request(
    own_root: Path,
) -> None:
    service = start_service(own_root)
    mail, number = "bob@example.com", "+1 415 555 2671"
    document = request(
        items=None,
        slot=f"for {mail}",
        campaign={"campaign_id": f"c-{mail}", "segment": number, "labels": {mail: "x"}},
        builder_id="builder-77",
    ) | {"items": [{"item_id": f"item of {mail}"}, {"item_id": "item-1"}], "k": 2}
    answer = rank(service, document)
    assert answer.status == 200
    assert {item["item_id"] for item in answer.json["items"]} == {f"item of {mail}", "item-1"}
    slates = [each for each in logged_slates(service, own_root) if each.slate_id == answer.json["slate_id"]]
    assert len(slates) == 1
    for value in ("bob@", "example.com", "415 555", "builder-77"):
        assert value not in repr(slates[0])
    assert "item-1" in {item.item_id for item in slates[0].items}


def test_builders_are_logged_as_keyed_hashes_that_stay_equal(own_root: Path) -> None:
    service = start_service(own_root)
    answers = [rank(service, request(builder_id=name)).json for name in ("ann", "ann", "joe")]
    logged = {each.slate_id: each.builder_id for each in logged_slates(service, own_root)}
    first, again, other = (logged[answer["slate_id"]] for answer in answers)
    assert first == again != other
    assert first is not None
    assert first.startswith("h1:")


def test_people_are_the_fields_that_the_request_declares_personal(own_root: Path) -> None:
    assert PERSONAL == ("builder_id", "session_id") == personal_fields("slate")
    service = start_service(own_root)
    answer = rank(service, request(builder_id="ann", session_id="visit-1")).json
    (slate,) = [each for each in logged_slates(service, own_root) if each.slate_id == answer["slate_id"]]
    assert all(str(getattr(slate, name)).startswith("h1:") for name in PERSONAL)


@pytest.mark.parametrize(
    "asked", [{"builder_id": "ann"}, {"slot": "bob@example.com"}, {"tenant": "bob@example.com"}]
)
def test_a_request_that_is_refused_makes_no_key_and_the_first_that_is_ranked_makes_one_beside_the_loop(
    tmp_path: Path, root: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=root, keys=tmp_path / "keys", service=ServiceSettings(log_flush_seconds=0.01))
    service = RankingService(settings, ManualClock(NOW))
    makers: list[threading.Thread] = []
    make = TenantKeys.make

    def watched(keys: TenantKeys, tenants: Iterable[str]) -> None:
        makers.append(threading.current_thread())
        make(keys, tenants)

    monkeypatch.setattr(TenantKeys, "make", watched)
    service.start()
    try:
        assert rank(service, request(k=99) | asked).status == 422
        assert not (tmp_path / "keys").exists()
        assert [rank(service, request() | asked).status for _ in range(2)] == [200, 200]
    finally:
        service.stop()
    assert len(makers) == 1
    assert makers[0] is not threading.current_thread()
    assert list((tmp_path / "keys").glob("*.key"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"tenant": 5, "slot": "bob@example.com"},
        {"k": "bob@example.com"},
        {"recommender": "bob@example.com"},
        {"campaign": {"campaign_id": "c", "send_at": "bob@example.com"}},
        {"items": [{"item_id": "bob@example.com"}, {"item_id": "bob@example.com"}]},
        {"slot": "bob@example.com\x07"},
    ],
)
def test_a_problem_document_quotes_nothing_of_the_request(
    service: RankingService, wrong: dict[str, Any]
) -> None:
    answer = rank(service, request() | wrong)
    assert answer.status in {400, 404, 422}
    assert b"bob" not in answer.body
