"""Every enhancement does what its name says, and the features show it."""

from __future__ import annotations

import numpy as np
import pytest

from letterpress.errors import UsageError
from letterpress.images.enhancements import CATALOGUE, VARIANTS, Variant, enhance
from letterpress.images.picture import Picture
from letterpress.images.visual_features import VISUAL_FEATURES, measure_variant


@pytest.fixture(scope="module")
def picture() -> Picture:
    """Muted blocks with grain, away from black and white."""
    rng = np.random.default_rng(4)
    blocks = rng.uniform(90, 160, (4, 6, 3)).repeat(16, 0).repeat(16, 1)
    return np.asarray(np.rint(blocks + rng.normal(0, 4, blocks.shape)), np.uint8)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_is_a_picture_of_the_same_size(picture: Picture, variant: Variant) -> None:
    before = picture.copy()
    changed = enhance(picture, variant)
    assert changed.shape == picture.shape
    assert changed.dtype == np.dtype(np.uint8)
    assert np.array_equal(picture, before), "the original is left alone"
    assert np.array_equal(changed, picture) == (variant.enhancement == "original")


@pytest.mark.parametrize(
    ("enhancement", "feature", "sign"),
    [
        ("brighten", "brightness", 1),
        ("darken", "brightness", -1),
        ("contrast", "contrast", 1),
        ("saturate", "saturation", 1),
        ("saturate", "colourfulness", 1),
        ("desaturate", "saturation", -1),
        ("warm", "warmth", 1),
        ("cool", "warmth", -1),
        ("sharpen", "sharpness", 1),
        ("soften", "sharpness", -1),
        ("crop_tight", "crop_share", -1),
        ("vignette", "brightness", -1),
    ],
)
def test_more_strength_moves_its_feature_further(
    picture: Picture, enhancement: str, feature: str, sign: int
) -> None:
    values = [measure_variant(picture, Variant("original", 0.0))[feature]]
    values += [
        measure_variant(picture, Variant(enhancement, each))[feature]
        for each in CATALOGUE[enhancement].strengths
    ]
    assert np.all(np.diff(values) * sign > 0)


def test_features_are_named_in_order_bounded_and_repeatable(picture: Picture) -> None:
    for variant in VARIANTS:
        values = measure_variant(picture, variant)
        assert tuple(values) == VISUAL_FEATURES
        assert values == measure_variant(picture.copy(), variant)
        assert all(0.0 <= value <= 4.0 for name, value in values.items() if name != "warmth")
        assert -1.0 <= values["warmth"] <= 1.0


def test_a_flat_grey_picture_has_neither_contrast_nor_colour() -> None:
    values = measure_variant(np.full((32, 32, 3), 128, np.uint8), Variant("original", 0.0))
    assert values == {
        "brightness": round(128 / 255, 5),
        "contrast": 0.0,
        "saturation": 0.0,
        "warmth": 0.0,
        "sharpness": 0.0,
        "colourfulness": 0.0,
        "edge_density": 0.0,
        "crop_share": 1.0,
        "strength": 0.0,
    }


def test_there_are_24_variants_of_distinct_names() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS) == 24


@pytest.mark.parametrize("variant", [Variant("sparkle", 0.5), Variant("warm", 1.5)])
def test_what_the_catalogue_does_not_hold_is_refused(picture: Picture, variant: Variant) -> None:
    with pytest.raises(UsageError):
        enhance(picture, variant)
