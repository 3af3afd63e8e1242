"""The enhancement catalogue: what can be done to a picture, and how strongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from letterpress.errors import UsageError
from letterpress.images.picture import Picture

_Change = Callable[[Picture, float], Picture]


@dataclass(frozen=True, slots=True)
class Enhancement:
    """One entry of the catalogue. `change(picture, strength)` with a strength in 0..1; 0 changes nothing."""

    name: str
    strengths: tuple[float, ...]
    """Strengths that are offered."""
    change: _Change
    crops: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """An enhancement at one strength; the original has strength 0."""

    enhancement: str
    strength: float

    @property
    def name(self) -> str:
        """`warm-40`: the enhancement and its strength in percent."""
        return f"{self.enhancement}-{round(100 * self.strength):02d}"


def _blend(picture: Picture, other: NDArray[np.generic], weight: float) -> Picture:
    return np.asarray(cv2.addWeighted(picture, 1.0 - weight, other.astype(np.uint8), weight, 0.0), np.uint8)


def _scale(picture: Picture, gain: float, shift: float) -> Picture:
    return np.asarray(cv2.convertScaleAbs(np.clip(picture * np.float32(gain) + np.float32(shift), 0, 255)))


def _brighten(picture: Picture, strength: float) -> Picture:
    return _scale(picture, 1.0 + 0.25 * strength, 35.0 * strength)


def _darken(picture: Picture, strength: float) -> Picture:
    return _scale(picture, 1.0 - 0.4 * strength, 0.0)


def _contrast(picture: Picture, strength: float) -> Picture:
    """Spread around the mean, so that brightness stays."""
    gain = 1.0 + 0.8 * strength
    return _scale(picture, gain, float(picture.mean()) * (1.0 - gain))


def _grey(picture: Picture) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def _saturate(picture: Picture, strength: float) -> Picture:
    """Move away from grey."""
    return np.asarray(cv2.addWeighted(picture, 1.0 + strength, _grey(picture), -strength, 0.0), np.uint8)


def _desaturate(picture: Picture, strength: float) -> Picture:
    return _blend(picture, _grey(picture), 0.85 * strength)


def _tint(picture: Picture, blue: float, red: float) -> Picture:
    shift = np.array([blue, 0.0, red], np.float32)
    return np.asarray(np.clip(np.rint(picture + shift), 0, 255), np.uint8)


def _warm(picture: Picture, strength: float) -> Picture:
    return _tint(picture, -32.0 * strength, 32.0 * strength)


def _cool(picture: Picture, strength: float) -> Picture:
    return _tint(picture, 32.0 * strength, -32.0 * strength)


def _sharpen(picture: Picture, strength: float) -> Picture:
    """Unsharp mask."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.2)
    return np.asarray(cv2.addWeighted(picture, 1.0 + 1.5 * strength, blurred, -1.5 * strength, 0.0), np.uint8)


def _soften(picture: Picture, strength: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.3 + 1.7 * strength), np.uint8)


def crop_share(variant: Variant) -> float:
    """Share of the original's area that the variant shows, 0..1."""
    side = 1.0 - 0.45 * variant.strength if CATALOGUE[variant.enhancement].crops else 1.0
    return side * side


def _crop_tight(picture: Picture, strength: float) -> Picture:
    """The middle, enlarged to the old size."""
    height, width = picture.shape[:2]
    side = 1.0 - 0.45 * strength
    inner_height, inner_width = max(1, round(height * side)), max(1, round(width * side))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    inner = picture[top : top + inner_height, left : left + inner_width]
    return np.asarray(cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


@cache
def _distance_from_middle(height: int, width: int) -> NDArray[np.float32]:
    """(height, width, 1); 0 in the middle, 1 in the corners."""
    rows = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :]
    return np.asarray(np.sqrt((rows**2 + columns**2) / 2.0)[:, :, None], np.float32)


def _vignette(picture: Picture, strength: float) -> Picture:
    height, width = picture.shape[:2]
    shade = 1.0 - 0.75 * strength * _distance_from_middle(height, width) ** 2
    return np.asarray(np.rint(picture * shade), np.uint8)


_MILD_AND_STRONG = (0.4, 0.8)

CATALOGUE: dict[str, Enhancement] = {
    each.name: each
    for each in (
        Enhancement("original", (0.0,), lambda picture, _: picture),
        Enhancement("brighten", _MILD_AND_STRONG, _brighten),
        Enhancement("darken", _MILD_AND_STRONG, _darken),
        Enhancement("contrast", _MILD_AND_STRONG, _contrast),
        Enhancement("saturate", _MILD_AND_STRONG, _saturate),
        Enhancement("desaturate", _MILD_AND_STRONG, _desaturate),
        Enhancement("warm", _MILD_AND_STRONG, _warm),
        Enhancement("cool", _MILD_AND_STRONG, _cool),
        Enhancement("sharpen", _MILD_AND_STRONG, _sharpen),
        Enhancement("soften", _MILD_AND_STRONG, _soften),
        Enhancement("crop_tight", (0.3, 0.6, 0.9), _crop_tight, crops=True),
        Enhancement("vignette", _MILD_AND_STRONG, _vignette),
    )
}

VARIANTS: tuple[Variant, ...] = tuple(
    Variant(each.name, strength) for each in CATALOGUE.values() for strength in each.strengths
)
"""The 24 variants that are offered of every picture."""


def enhance(picture: Picture, variant: Variant) -> Picture:
    """The picture with the enhancement applied; same size.

    Raises:
        UsageError: the catalogue has no such enhancement, or the strength is not in 0..1.
    """
    if variant.enhancement not in CATALOGUE:
        raise UsageError(
            f"expected one of {', '.join(CATALOGUE)}; found {variant.enhancement!r}. Correct the name."
        )
    if not 0.0 <= variant.strength <= 1.0:
        raise UsageError(f"expected a strength from 0 to 1, found {variant.strength}; correct it.")
    return CATALOGUE[variant.enhancement].change(picture, variant.strength)
