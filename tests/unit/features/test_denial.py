"""Features that a tenant denied are as if nothing were known, for one request and for a table alike."""

from __future__ import annotations

import numpy as np

from letterpress.features import feature_plan
from letterpress.features.denial import denied_columns, deny_features, deny_rows, unknown_names
from letterpress.recommenders import RECOMMENDERS, get_recommender

PICTURES = get_recommender("image_enhancement")
PLAN = feature_plan(PICTURES)


def names_of(*denied: str) -> set[str]:
    columns, _ = denied_columns(PICTURES, denied)
    return {PLAN.names[column] for column in columns}


def test_a_feature_a_view_or_a_label_can_be_denied() -> None:
    assert names_of("warmth") == {"warmth"}
    assert names_of("view:campaign") == {each.name for each in PLAN.views[0].features}
    shared = names_of("label:shared")
    assert "enhancement_industry_click_rate" in shared
    assert "fitted_click_rate" in shared, "it begins from the rate of all tenants"
    assert "item_click_rate" not in shared
    assert names_of("label:builder") == names_of("view:session")
    assert {"segment_code", "mobile_share", "item_segment_click_rate"} <= names_of("label:audience")


def test_every_feature_of_all_tenants_or_of_a_segment_carries_its_label() -> None:
    for recommender in RECOMMENDERS.values():
        for feature in feature_plan(recommender).features:
            if feature.entity.startswith("enhancement"):
                assert "shared" in feature.sensitivity, feature.name
            if feature.entity == "item_segment":
                assert "audience" in feature.sensitivity, feature.name


def test_rows_of_a_table_lose_the_same_bits_as_requests_and_other_tenants_lose_none() -> None:
    random = np.random.default_rng(7)
    denied = {"fern": ("label:audience", "warmth"), "oak": ("view:evidence",)}
    tenants = random.choice(["fern", "oak", "elm"], 5_000).tolist()
    values = random.normal(size=(5_000, len(PLAN.names))).astype(np.float32)
    batch, single = values.copy(), values.copy()

    deny_rows(PICTURES, denied, tenants, batch)
    for row, tenant in enumerate(tenants):
        deny_features(PICTURES, denied, tenant, single[row : row + 1])

    assert batch.tobytes() == single.tobytes()
    others = np.array(tenants) == "elm"
    assert batch[others].tobytes() == values[others].tobytes()
    columns, defaults = denied_columns(PICTURES, denied["oak"])
    assert np.array_equal(
        batch[np.array(tenants) == "oak"][:, columns],
        np.tile(defaults, (tenants.count("oak"), 1)),
        equal_nan=True,
    )


def test_a_name_that_means_nothing_is_found() -> None:
    names = ["warmth", "view:evidence", "label:shared", "label:secret", "wramth"]
    assert unknown_names(list(RECOMMENDERS.values()), names) == ["label:secret", "wramth"]
