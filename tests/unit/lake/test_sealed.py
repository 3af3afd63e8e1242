from __future__ import annotations

import os
from pathlib import Path

import pytest

from letterpress.errors import StorageError
from letterpress.lake.sealed import BLOCK_BYTES, open_sealed, seal, sealing, unseal

KEY, OTHER = bytes(32), bytes([1]) * 32


@pytest.mark.parametrize(
    "n_bytes", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 7]
)
def test_a_stream_comes_back_as_it_was(tmp_path: Path, n_bytes: int) -> None:
    plain = os.urandom(n_bytes)
    with sealing(tmp_path / "sealed", KEY) as stream:
        stream.write(plain)
    with open_sealed(tmp_path / "sealed", KEY) as stream:
        assert stream.read() == plain


def test_nothing_of_a_stream_lies_on_disk_in_plain(tmp_path: Path) -> None:
    plain = b"the same words again and again " * 5000
    with sealing(tmp_path / "sealed", KEY) as stream:
        for start in range(0, len(plain), 1000):
            stream.write(plain[start : start + 1000])
    assert b"same words" not in (tmp_path / "sealed").read_bytes()


def sealed_blocks(path: Path) -> bytes:
    with sealing(path, KEY) as stream:
        stream.write(os.urandom(2 * BLOCK_BYTES + 5))
    return path.read_bytes()


@pytest.mark.parametrize("kept", [0, 3, 20, 21, 1000, BLOCK_BYTES + 40, -1, -20])
def test_a_stream_that_was_cut_is_an_error_not_a_shorter_one(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(sealed_blocks(path)[:kept])
    with pytest.raises(StorageError, match="expected sealed to be sealed with the key of this home"):
        open_sealed(path, KEY).read()


def test_blocks_that_changed_places_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    content = sealed_blocks(path)
    size = 4 + BLOCK_BYTES + 16
    head, first, second = content[:20], content[20 : 20 + size], content[20 + size : 20 + 2 * size]
    path.write_bytes(head + second + first + content[20 + 2 * size :])
    with pytest.raises(StorageError), open_sealed(path, KEY) as stream:
        stream.read()


def test_a_flipped_bit_and_another_key_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    content = bytearray(sealed_blocks(path))
    with pytest.raises(StorageError), open_sealed(path, OTHER) as stream:
        stream.read()
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(StorageError), open_sealed(path, KEY) as stream:
        stream.read()


def test_a_text_is_sealed_differently_each_time_and_only_its_key_opens_it() -> None:
    one, two = seal(KEY, b"line"), seal(KEY, b"line")
    assert one != two
    assert unseal(KEY, one) == unseal(KEY, two) == b"line"
    with pytest.raises(StorageError):
        unseal(OTHER, one)
    with pytest.raises(StorageError):
        unseal(KEY, one[:5])
