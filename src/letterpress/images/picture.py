"""A picture is a uint8 array (height, width, 3) in OpenCV's order blue, green, red."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from letterpress.errors import InvalidRequestError

Picture = NDArray[np.uint8]

MAX_PIXELS = 40_000_000
MIN_SIDE = 8


def decode_picture(data: bytes) -> Picture:
    """The picture that `data` (JPEG, PNG, WebP) holds; a transparent one lies on white.

    Raises:
        InvalidRequestError: it is no picture, too small or too large.
    """
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if found is None:
        raise InvalidRequestError(
            f"expected a JPEG, PNG or WebP picture, found {len(data)} bytes of something else."
        )
    height, width = found.shape[:2]
    if min(height, width) < MIN_SIDE or height * width > MAX_PIXELS:
        raise InvalidRequestError(
            f"expected a picture of at least {MIN_SIDE} pixels a side and at most {MAX_PIXELS} in all, "
            f"found {width} x {height}; resize it."
        )
    return _as_three_channels(found)


def _as_three_channels(found: NDArray[Any]) -> Picture:
    eight_bit = (found / 256 if found.dtype == np.uint16 else found).astype(np.uint8)
    if eight_bit.ndim == 2:
        return np.asarray(cv2.cvtColor(eight_bit, cv2.COLOR_GRAY2BGR), np.uint8)
    if eight_bit.shape[2] == 4:
        alpha = eight_bit[:, :, 3:].astype(np.float32) / 255.0
        return np.asarray(np.rint(eight_bit[:, :, :3] * alpha + 255.0 * (1.0 - alpha)), np.uint8)
    return eight_bit


def shrink_picture(picture: Picture, width: int) -> Picture:
    """The picture at most `width` pixels wide, its proportions kept; never enlarged."""
    height, found = picture.shape[:2]
    if found <= width:
        return picture
    size = (width, max(MIN_SIDE, round(height * width / found)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
