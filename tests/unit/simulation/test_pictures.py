"""Pictures: photographs that packages ship and drawn ones, and features measured on what was enhanced."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from letterpress.images.enhancements import VARIANTS
from letterpress.images.visual_features import measure_variant
from letterpress.simulation import pictures
from letterpress.simulation.pictures import HEIGHT, PHOTOGRAPHS, WIDTH, load_photographs, make_picture
from letterpress.simulation.world import TENANTS, build_world


@pytest.fixture
def unread_photographs() -> Iterator[None]:
    """Photographs are looked for anew in the test and after it."""
    load_photographs.cache_clear()
    yield
    load_photographs.cache_clear()


def test_the_photographs_of_both_packages_are_found_and_small() -> None:
    found = load_photographs()
    assert set(found) == {name for names in PHOTOGRAPHS.values() for name in names}
    assert all(photograph.ndim == 3 and photograph.shape[1] <= 320 for photograph in found.values())


@pytest.mark.usefixtures("unread_photographs")
def test_without_the_packages_all_pictures_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "PHOTOGRAPHS", {"no_such_package/data": ("a.png",), "json/no": ("b.png",)})
    assert load_photographs() == {}
    assert make_picture(np.random.default_rng(1)).shape == (HEIGHT, WIDTH, 3)


def test_the_features_of_an_item_are_measured_on_its_enhanced_picture() -> None:
    world = build_world(3, 1)
    picture = make_picture(np.random.default_rng((3, 1, 2, 5)))
    place = 5 * len(TENANTS) + 2
    for number, variant in enumerate(VARIANTS):
        assert world.attributes[place * len(VARIANTS) + number] == measure_variant(picture, variant)
