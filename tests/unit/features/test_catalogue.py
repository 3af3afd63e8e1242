from __future__ import annotations

from dataclasses import replace

from letterpress.features import feature_names
from letterpress.features.catalogue import list_features, unused_views
from letterpress.recommenders import RECOMMENDERS, get_recommender


def test_every_feature_of_every_recommender_is_listed_once_with_all_who_use_it() -> None:
    entries = list_features(RECOMMENDERS.values())

    assert len({(entry.view, entry.feature) for entry in entries}) == len(entries)
    for recommender in RECOMMENDERS.values():
        used = [entry.feature.name for entry in entries if recommender.name in entry.recommenders]
        assert sorted(used) == sorted(feature_names(recommender))


def test_one_name_computed_in_two_ways_is_two_features() -> None:
    entries = list_features(RECOMMENDERS.values())
    rates = [entry for entry in entries if entry.feature.name == "item_click_rate"]

    assert len({entry.feature.definition for entry in rates}) == len(rates) > 1


def test_a_feature_that_two_recommenders_compute_alike_is_shared() -> None:
    pictures = get_recommender("image_enhancement")
    entries = list_features([pictures, replace(pictures, name="twin")])

    assert all(entry.recommenders == (pictures.name, "twin") for entry in entries)


def test_every_feature_says_what_it_is() -> None:
    for entry in list_features(RECOMMENDERS.values()):
        assert all((entry.feature.unit, entry.feature.description, entry.feature.definition))


def test_a_view_that_nobody_lists_is_named() -> None:
    assert unused_views(RECOMMENDERS.values()) == []
    assert "text" in unused_views([get_recommender("open_bandit")])
