"""Numbers that describe a picture variant; deterministic, and rounded so that a log can carry them.

| name | meaning | range |
|---|---|---|
| brightness | mean luma | 0..1 |
| contrast | standard deviation of luma, of half the scale | 0..1 |
| saturation | mean saturation (HSV) | 0..1 |
| warmth | mean red minus mean blue, of the scale | -1..1 |
| sharpness | mean absolute Laplacian of luma, of the scale | 0..4, mostly below 0.5 |
| colourfulness | Hasler and Suesstrunk (2003), divided by 100 | 0..about 1.5 |
| edge_density | share of pixels whose Sobel gradient is above an eighth of the scale | 0..1 |
| crop_share | share of the original's area that is shown | 0..1 |
| strength | strength of the enhancement | 0..1 |
"""

from __future__ import annotations

import cv2
import numpy as np

from letterpress.images.enhancements import Variant, crop_share, enhance
from letterpress.images.picture import Picture

VISUAL_FEATURES = (
    "brightness",
    "contrast",
    "saturation",
    "warmth",
    "sharpness",
    "colourfulness",
    "edge_density",
    "crop_share",
    "strength",
)
_DECIMALS = 5
_EDGE = 255.0 / 8.0 * 4.0  # a 3 x 3 Sobel kernel weighs a step four times


def measure_variant(picture: Picture, variant: Variant) -> dict[str, float]:
    """`VISUAL_FEATURES` of the picture with the variant's enhancement applied, in that order."""
    changed = enhance(picture, variant)
    luma = np.asarray(cv2.cvtColor(changed, cv2.COLOR_BGR2GRAY), np.float32)
    values = (
        float(luma.mean()) / 255.0,
        float(luma.std()) / 127.5,
        float(cv2.cvtColor(changed, cv2.COLOR_BGR2HSV)[:, :, 1].mean()) / 255.0,
        float(changed[:, :, 2].mean() - changed[:, :, 0].mean()) / 255.0,
        float(np.abs(cv2.Laplacian(luma, cv2.CV_32F)).mean()) / 255.0,
        _colourfulness(changed),
        _edge_density(luma),
        crop_share(variant),
        variant.strength,
    )
    return {name: round(value, _DECIMALS) for name, value in zip(VISUAL_FEATURES, values, strict=True)}


def _colourfulness(picture: Picture) -> float:
    blue, green, red = (picture[:, :, channel].astype(np.float32) for channel in range(3))
    red_green, yellow_blue = red - green, 0.5 * (red + green) - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    shift = np.hypot(red_green.mean(), yellow_blue.mean())
    return float(spread + 0.3 * shift) / 100.0


def _edge_density(luma: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    gradient = cv2.magnitude(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    return float((gradient > _EDGE).mean())
