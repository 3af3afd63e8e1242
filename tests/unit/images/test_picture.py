"""Decoding what people upload."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from letterpress.errors import InvalidRequestError
from letterpress.images.picture import decode_picture, shrink_picture


def encoded(picture: np.ndarray[tuple[int, ...], np.dtype[np.generic]], suffix: str = ".png") -> bytes:
    return bytes(cv2.imencode(suffix, picture)[1])


def test_a_picture_comes_back_as_three_channels_of_eight_bits() -> None:
    colours = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    assert np.array_equal(decode_picture(encoded(colours)), colours)
    for other in (colours[:, :, 0], colours.astype(np.uint16) * 257):
        found = decode_picture(encoded(other))
        assert found.shape == (20, 30, 3)
        assert found.dtype == np.dtype(np.uint8)
    assert np.array_equal(decode_picture(encoded(colours.astype(np.uint16) * 257)), colours)


def test_what_is_transparent_is_white() -> None:
    clear = np.zeros((10, 10, 4), np.uint8)
    assert np.all(decode_picture(encoded(clear)) == 255)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 almost a JPEG"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="expected a JPEG"):
        decode_picture(data)


def test_a_picture_of_a_few_pixels_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="found 4 x 20"):
        decode_picture(encoded(np.zeros((20, 4, 3), np.uint8)))


def test_shrinking_keeps_proportions_and_never_enlarges() -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    assert shrink_picture(picture, 100).shape == (50, 100, 3)
    assert shrink_picture(picture, 1000) is picture
