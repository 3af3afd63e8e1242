from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from letterpress.events.types import CampaignContext
from letterpress.features import (
    VIEWS,
    columns_for_batch,
    compute_features,
    feature_names,
    feature_plan,
    popularity_feature,
    schema_hash,
)
from letterpress.features.columns import COUNT_NAMES
from letterpress.features.evidence_view import decay_weights
from letterpress.recommenders import RECOMMENDERS, Recommender, get_recommender

IMAGES = get_recommender("image_enhancement")
START = datetime(2026, 1, 5, tzinfo=UTC)
ENDS_OF_THE_CALENDAR = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00")
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=400)).map(lambda step: START + step)


def label(values: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from([*values, "never seen"])


def campaigns(recommender: Recommender) -> st.SearchStrategy[CampaignContext]:
    fields = {name: label(values) for name, values in recommender.vocabularies}
    return st.builds(
        CampaignContext,
        campaign_id=st.just("c"),
        mobile_share=st.none() | st.floats(0.0, 1.0),
        send_at=st.none() | MOMENTS | st.sampled_from(ENDS_OF_THE_CALENDAR).map(datetime.fromisoformat),
        **fields,
    )


def nested(steps: NDArray[np.int64]) -> list[int]:
    """Counts of the windows, birth first, from what each step out adds to the window of a day."""
    windows: list[int] = np.cumsum(steps.reshape(4, 6), axis=0)[::-1].ravel().tolist()
    return windows


def counts() -> st.SearchStrategy[list[int]]:
    steps = st.lists(st.integers(0, 10**9), min_size=24, max_size=24)
    return steps.map(lambda each: nested(np.array(each)))


@st.composite
def slates(draw: st.DrawFn, recommender: Recommender) -> list[dict[str, Any]]:
    """Keyword arguments of the rows of one slate."""
    campaign, shown_at, session = draw(campaigns(recommender)), draw(MOMENTS), draw(SESSIONS)
    values = st.floats(-1e6, 1e6)
    items = st.fixed_dictionaries(
        {
            "attributes": st.fixed_dictionaries({}, optional=dict.fromkeys(recommender.attributes, values)),
            "labels": st.fixed_dictionaries(
                {},
                optional={
                    name: st.sampled_from([*known, "never seen"])
                    for name, known in recommender.item_vocabularies
                },
            ),
            "counts": st.fixed_dictionaries({entity: counts() for entity in recommender.evidence_entities}),
        }
    )
    found = draw(st.lists(items, min_size=1, max_size=12))
    return [{"campaign": campaign, "shown_at": shown_at, "session": session, **item} for item in found]


SESSIONS = st.none() | st.tuples(*[st.integers(0, 5000)] * 3, st.integers(0, 1_800_000_000))


def bits(features: NDArray[np.float32]) -> list[list[int]]:
    rows: list[list[int]] = features.view(np.uint32).tolist()
    return rows


@pytest.mark.parametrize("name", sorted(RECOMMENDERS))
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_batch_and_request_agree_to_the_bit(name: str, data: st.DataObject, rows: Any) -> None:
    recommender = get_recommender(name)
    batch, requested = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        slate = [rows.make(**row) for row in data.draw(slates(recommender))]
        batch += slate
        requested.append(compute_features(recommender, rows.as_request(recommender, slate)))
    table = rows.as_table(recommender, batch)
    together = compute_features(recommender, columns_for_batch(recommender, table))
    assert together.dtype == np.float32
    assert together.shape == (len(batch), len(feature_names(recommender)))
    assert bits(together) == bits(np.concatenate(requested))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(slate=slates(IMAGES), seed=st.integers(0, 1000))
def test_an_item_has_the_same_features_wherever_it_stands(
    slate: list[dict[str, Any]], seed: int, rows: Any
) -> None:
    made = [rows.make(**row) for row in slate]
    order = np.random.default_rng(seed).permutation(len(made))
    straight = compute_features(IMAGES, rows.as_request(IMAGES, made))
    shuffled = compute_features(IMAGES, rows.as_request(IMAGES, [made[place] for place in order]))
    assert bits(shuffled) == bits(straight[order])


def random_slate(rng: np.random.Generator, rows: Any, size: int) -> list[Any]:
    """Rows of one campaign, some of whose fields are not known."""
    fields: dict[str, Any] = {
        name: str(rng.choice([*known, "new"])) for name, known in IMAGES.vocabularies if rng.random() < 0.9
    }
    sent = START + timedelta(hours=float(rng.uniform(0, 2000))) if rng.random() < 0.9 else None
    campaign = CampaignContext(campaign_id="c", mobile_share=float(rng.random()), send_at=sent, **fields)
    enhancements = IMAGES.item_vocabularies[0][1]
    entities = IMAGES.evidence_entities
    steps = rng.integers(0, 10 ** rng.integers(1, 7), (size, len(entities), 4, 6))
    counts = np.cumsum(steps, axis=2)[:, :, ::-1].reshape(size, len(entities), 24).tolist()
    attributes = rng.normal(size=(size, len(IMAGES.attributes))).tolist()
    moves = (*rng.integers(0, 90, 3).tolist(), int(rng.integers(0, 1_800_000_001)))
    session = moves if rng.random() < 0.9 else None
    return [
        rows.make(
            campaign=campaign,
            attributes=dict(zip(IMAGES.attributes, attributes[at], strict=True)),
            labels={"enhancement": enhancements[at % len(enhancements)]},
            counts=dict(zip(entities, counts[at], strict=True)),
            shown_at=START,
            session=session,
        )
        for at in range(size)
    ]


def test_a_hundred_thousand_rows_have_the_bits_of_their_requests(rows: Any) -> None:
    """Long arrays run through the vector loops of NumPy, single rows through their scalar ends."""
    rng = np.random.default_rng(5)
    slates = [random_slate(rng, rows, 1 if number % 4 == 0 else 33) for number in range(4000)]
    requested = np.concatenate([compute_features(IMAGES, rows.as_request(IMAGES, slate)) for slate in slates])
    table = rows.as_table(IMAGES, [row for slate in slates for row in slate])
    batch = compute_features(IMAGES, columns_for_batch(IMAGES, table))
    assert len(batch) == 100_000
    assert batch.tobytes() == requested.tobytes()


def bare_row(rows: Any) -> Any:
    none = {entity: [0] * 24 for entity in IMAGES.evidence_entities}
    return rows.make(CampaignContext(campaign_id="c"), {}, {}, none, START)


def test_an_item_of_which_nothing_is_known_gets_the_declared_defaults(rows: Any) -> None:
    plan = feature_plan(IMAGES)
    found = compute_features(IMAGES, rows.as_request(IMAGES, [bare_row(rows)]))[0]
    expected = np.array([feature.default for feature in plan.features], np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-6, equal_nan=True)


def test_rates_are_pulled_towards_their_prior(rows: Any) -> None:
    row = bare_row(rows)
    row.counts["item"][:6] = [80, 30, 0, 0, 0, 0]
    found = compute_features(IMAGES, rows.as_request(IMAGES, [row]))[0]
    by_name = dict(zip(feature_names(IMAGES), found.tolist(), strict=True))
    assert by_name["item_choose_rate"] == pytest.approx((30 + 0.3 * 20) / (80 + 20))
    assert by_name["item_click_rate"] == pytest.approx(0.015)
    assert by_name["item_shown"] == 80
    assert by_name["item_choose_lift"] == pytest.approx(0.36 / 0.3)
    assert by_name["segment_choose_lift"] == pytest.approx(1.0)


def test_a_pace_is_a_minutes_from_the_first_move_on_and_at_first_that_of_a_whole_minute(rows: Any) -> None:
    row = bare_row(rows)

    def pace() -> list[float]:
        found = compute_features(IMAGES, rows.as_request(IMAGES, [row]))[0]
        by_name = dict(zip(feature_names(IMAGES), found.tolist(), strict=True))
        assert by_name.pop("session_requests") == row.session[0]
        return [by_name[f"session_{name}_per_minute"] for name in ("requests", "choices", "edits")]

    row.session = (12, 3, 6, 4 * 60_000_000)
    assert pace() == [3.0, 0.75, 1.5]
    row.session = (12, 3, 6, 15_000_000)
    assert pace() == [12.0, 3.0, 6.0]
    row.session = (0, 0, 0, 0)
    assert pace() == [0.0, 0.0, 0.0]


def test_a_window_counts_its_own_span_and_decay_weighs_the_older_less(rows: Any) -> None:
    row = bare_row(rows)
    clicked, delivered = COUNT_NAMES.index("clicked"), COUNT_NAMES.index("delivered")
    for window, (clicks, deliveries) in enumerate(((100, 9000), (90, 5000), (70, 3000), (40, 1000))):
        row.counts["item"][6 * window + clicked], row.counts["item"][6 * window + delivered] = (
            clicks,
            deliveries,
        )
    found = compute_features(IMAGES, rows.as_request(IMAGES, [row]))[0]
    by_name = dict(zip(feature_names(IMAGES), found.tolist(), strict=True))
    day, week, month, ever = decay_weights(7.0)
    decayed_clicks = 40 * day + 30 * week + 20 * month + 10 * ever
    decayed = 1000 * day + 2000 * week + 2000 * month + 4000 * ever
    assert by_name["item_click_rate"] == pytest.approx((100 + 30) / (9000 + 2000))
    assert by_name["item_click_rate_7d"] == pytest.approx((70 + 30) / (3000 + 2000))
    assert by_name["item_click_rate_decayed"] == pytest.approx((decayed_clicks + 30) / (decayed + 2000))
    assert (by_name["item_delivered"], by_name["item_delivered_7d"]) == (9000, 3000)
    assert by_name["item_delivered_decayed"] == pytest.approx(decayed)
    assert 1 > day > week > month > ever > 0


def test_every_rate_has_the_count_that_stands_below_it_beside_it() -> None:
    for recommender in RECOMMENDERS.values():
        names = set(feature_names(recommender))
        for entity in recommender.evidence_entities:
            for rate in recommender.evidence_rates:
                for window in rate.windows_of(entity):
                    suffix = "" if window == "birth" else f"_{window}"
                    if f"{entity}_{rate.name}_rate{suffix}" in names:
                        assert f"{entity}_{rate.denominator}{suffix}" in names


def test_the_schema_hash_changes_with_the_half_life() -> None:
    rates = [dataclasses.replace(rate, half_life_days=3.0) for rate in IMAGES.evidence_rates]
    assert schema_hash(dataclasses.replace(IMAGES, evidence_rates=tuple(rates))) != schema_hash(IMAGES)


def test_an_unknown_name_is_missing_not_a_new_code(rows: Any) -> None:
    row = bare_row(rows)
    row.campaign = CampaignContext(campaign_id="c", industry="mining", goal="clicks")
    found = compute_features(IMAGES, rows.as_request(IMAGES, [row]))[0]
    by_name = dict(zip(feature_names(IMAGES), found.tolist(), strict=True))
    assert np.isnan(by_name["industry_code"])
    assert by_name["goal_code"] == 1


def test_send_times_are_read_in_utc(rows: Any) -> None:
    row = bare_row(rows)
    sent = datetime.fromisoformat("2026-01-06T01:30:00+03:00")
    row.campaign = CampaignContext(campaign_id="c", send_at=sent)
    found = compute_features(IMAGES, rows.as_request(IMAGES, [row]))[0]
    by_name = dict(zip(feature_names(IMAGES), found.tolist(), strict=True))
    assert (by_name["send_hour"], by_name["send_weekday"], by_name["hours_to_send"]) == (22, 0, 22.5)


@pytest.mark.parametrize("recommender", RECOMMENDERS.values(), ids=lambda each: each.name)
def test_every_recommender_names_known_views_and_its_popularity(recommender: Recommender) -> None:
    assert set(recommender.feature_views) <= VIEWS.keys()
    assert popularity_feature(recommender) in feature_names(recommender)


@pytest.mark.parametrize("recommender", RECOMMENDERS.values(), ids=lambda each: each.name)
def test_no_feature_knows_the_position(recommender: Recommender) -> None:
    """A position is a consequence of the ranking; at request time there is none."""
    plan = feature_plan(recommender)
    assert not [each for each in plan.features if "position" in each.name + each.definition]


def test_the_schema_hash_changes_with_a_definition() -> None:
    believer = dataclasses.replace(IMAGES.evidence_rates[0], prior=0.2)
    changed = dataclasses.replace(IMAGES, evidence_rates=(believer, *IMAGES.evidence_rates[1:]))
    reordered = dataclasses.replace(IMAGES, attributes=IMAGES.attributes[::-1])
    fewer = dataclasses.replace(IMAGES, feature_views=("picture", "evidence"))
    assert len({schema_hash(each) for each in (IMAGES, changed, reordered, fewer)}) == 4


def test_a_feature_declared_twice_is_named() -> None:
    doubled = dataclasses.replace(IMAGES, feature_views=("picture", "attributes"))
    with pytest.raises(ValueError, match="brightness"):
        feature_names(doubled)
