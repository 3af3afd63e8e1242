"""Pictures of the simulated world: crops of photographs that installed packages ship, and drawn ones."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from letterpress.images.enhancements import VARIANTS
from letterpress.images.picture import Picture, decode_picture, shrink_picture
from letterpress.images.visual_features import measure_variant

WIDTH, HEIGHT = 96, 64
PHOTOGRAPHS = {
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
    "skimage/data": (
        "astronaut.png",
        "brick.png",
        "camera.png",
        "chelsea.png",
        "coffee.png",
        "coins.png",
        "grass.png",
        "gravel.png",
        "hubble_deep_field.jpg",
        "moon.png",
        "motorcycle_left.png",
        "rocket.jpg",
    ),
}
"""Photographs by the folder of the package whose wheel holds them; no download is ever asked for."""
_PHOTOGRAPH_SHARE = 0.5


@cache
def load_photographs() -> dict[str, Picture]:
    """The photographs that are really there, by name. The packages are not imported: that takes seconds.

    Without any of them all pictures are drawn, and the same seed then makes another world.
    """
    found = {}
    for place, names in PHOTOGRAPHS.items():
        package, *folders = place.split("/")
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            for name in names:
                path = Path(root).joinpath(*folders, name)
                if path.is_file():
                    found[name] = shrink_picture(decode_picture(path.read_bytes()), 320)
    return found


def make_picture(rng: np.random.Generator) -> Picture:
    """One picture (64, 96, 3), a crop of a photograph or drawn."""
    photographs = tuple(load_photographs().values())
    is_photograph = rng.random() < _PHOTOGRAPH_SHARE and photographs
    made = _crop_photograph(photographs, rng) if is_photograph else _draw(rng)
    return _grade(made, rng)


def measure_picture(picture: Picture) -> list[dict[str, float]]:
    """The visual features of every variant of the catalogue, in its order."""
    return [measure_variant(picture, variant) for variant in VARIANTS]


def _crop_photograph(photographs: tuple[Picture, ...], rng: np.random.Generator) -> Picture:
    photograph = photographs[int(rng.integers(len(photographs)))]
    height, width = photograph.shape[:2]
    side = rng.uniform(0.35, 0.95)
    inner_height, inner_width = int(height * side), int(width * side)
    top = int(rng.integers(height - inner_height + 1))
    left = int(rng.integers(width - inner_width + 1))
    inner = photograph[top : top + inner_height, left : left + inner_width]
    if rng.random() < 0.5:
        inner = inner[:, ::-1]
    return np.asarray(cv2.resize(inner, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def _draw(rng: np.random.Generator) -> Picture:
    """A gradient with shapes and grain."""
    corners = rng.uniform(20, 235, (2, 2, 3)).astype(np.float32)
    canvas = cv2.resize(corners, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    for _ in range(int(rng.integers(2, 9))):
        colour = tuple(float(value) for value in rng.uniform(0, 255, 3))
        centre = (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT)))
        if rng.random() < 0.5:
            cv2.circle(canvas, centre, int(rng.integers(3, 22)), colour, -1)
        else:
            far = (centre[0] + int(rng.integers(4, 40)), centre[1] + int(rng.integers(4, 30)))
            cv2.rectangle(canvas, centre, far, colour, -1)
    canvas = canvas + rng.normal(0.0, rng.uniform(0.0, 14.0), canvas.shape)
    return np.asarray(np.clip(np.rint(canvas), 0, 255), np.uint8)


def _grade(picture: Picture, rng: np.random.Generator) -> Picture:
    """Shift exposure and colour a little, so that two crops of one photograph differ."""
    gain = rng.uniform(0.75, 1.25, 3) * rng.uniform(0.8, 1.2)
    return np.asarray(np.clip(np.rint(picture * gain), 0, 255), np.uint8)
