from __future__ import annotations

import pytest

from letterpress.errors import UnknownRecommenderError
from letterpress.features.columns import COUNT_NAMES
from letterpress.images.enhancements import CATALOGUE
from letterpress.images.visual_features import VISUAL_FEATURES
from letterpress.recommenders import RECOMMENDERS, Recommender, get_recommender


def test_an_unknown_recommender_is_answered_with_those_that_exist() -> None:
    with pytest.raises(UnknownRecommenderError, match="image_enhancement, open_bandit"):
        get_recommender("call_to_action")


def test_the_picture_recommender_knows_the_whole_catalogue() -> None:
    images = get_recommender("image_enhancement")
    assert dict(images.item_vocabularies)["enhancement"] == tuple(CATALOGUE)
    assert images.attributes == VISUAL_FEATURES


@pytest.mark.parametrize("recommender", RECOMMENDERS.values(), ids=lambda each: each.name)
def test_rates_and_targets_name_counts(recommender: Recommender) -> None:
    for rate in recommender.evidence_rates:
        assert {rate.numerator, rate.denominator} <= set(COUNT_NAMES)
        assert 0 < rate.prior < 1
        assert rate.weight > 0
    for target in recommender.targets:
        assert target.numerator in COUNT_NAMES or target.scale is not None
        assert target.denominator is None or target.denominator in COUNT_NAMES
    assert sum(target.weight for target in recommender.targets) == pytest.approx(1.0)
    assert recommender.popularity_target in {target.name for target in recommender.targets}
