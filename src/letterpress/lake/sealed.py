"""Encryption at rest: one text in one go, or a stream of any length in blocks (AES-256-GCM).

A stream is a head and blocks of `length, ciphertext`. The head is `LPS2`, 16 random bytes, 8 that tell keys
apart, and a checksum of these, so that another key is not taken for damage. The key of the stream is derived
from the random bytes, so that blocks can be counted for nonces. The last block is marked: a stream that was
cut is not a shorter one.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from letterpress.errors import DamagedCopyError, StorageError

MAGIC = b"LPS2"
BLOCK_BYTES = 1 << 20
_SALT_BYTES = 16
_KEY_MARK_BYTES = 8
_SUM_BYTES = 4
_HEAD_BYTES = len(MAGIC) + _SALT_BYTES + _KEY_MARK_BYTES + _SUM_BYTES
_NONCE_BYTES = 12
_TAG_BYTES = 16
_LENGTH_BYTES = 4


def seal(key: bytes, plain: bytes) -> bytes:
    """`plain` encrypted with a random nonce in front."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, None)


def unseal(key: bytes, sealed: bytes) -> bytes:
    """What `seal` was given.

    Raises:
        StorageError: another key, or a byte that was changed.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError) as error:
        raise StorageError(
            f"expected {len(sealed)} bytes sealed with this key, found another key's or damaged ones. "
            "Restore the file or its key from a backup."
        ) from error


class _SealingWriter(io.RawIOBase):
    def __init__(self, stream: BinaryIO, key: bytes) -> None:
        self._stream = stream
        salt = os.urandom(_SALT_BYTES)
        self._cipher, self._number = AESGCM(_stream_key(key, salt)), 0
        head = MAGIC + salt + _key_mark(key)
        stream.write(head + _sum(head))

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        plain = bytes(memoryview(data)[:BLOCK_BYTES])  # type: ignore[arg-type]  # a buffer, says io
        if plain:
            self._write_block(plain, is_last=False)
        return len(plain)

    def _write_block(self, plain: bytes, *, is_last: bool) -> None:
        block = self._cipher.encrypt(_nonce(self._number, is_last=is_last), plain, None)
        self._stream.write(len(block).to_bytes(_LENGTH_BYTES, "big") + block)
        self._number += 1

    def finish(self) -> None:
        self._write_block(b"", is_last=True)


class _UnsealingReader(io.RawIOBase):
    def __init__(self, stream: BinaryIO, key: bytes, name: str) -> None:
        self._stream, self._name = stream, name
        head = stream.read(_HEAD_BYTES)
        known, total = head[:-_SUM_BYTES], head[-_SUM_BYTES:]
        if len(head) != _HEAD_BYTES or not head.startswith(MAGIC) or _sum(known) != total:
            raise self._damaged("no sealed stream")
        if not known.endswith(_key_mark(key)):
            raise StorageError(
                f"expected {name} to be sealed with the key of this home, found another key's. Restore the "
                "key, or remove the file and import its log again."
            )
        salt = known[len(MAGIC) : len(MAGIC) + _SALT_BYTES]
        self._cipher, self._number = AESGCM(_stream_key(key, salt)), 0
        self._rest, self._is_done = memoryview(b""), False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        target = memoryview(buffer)  # type: ignore[arg-type]  # a writable buffer, says io
        while not self._rest and not self._is_done:
            self._rest = memoryview(self._read_block())
        n_bytes = min(len(target), len(self._rest))
        target[:n_bytes] = self._rest[:n_bytes]
        self._rest = self._rest[n_bytes:]
        return n_bytes

    def _read_block(self) -> bytes:
        length = int.from_bytes(self._stream.read(_LENGTH_BYTES), "big")
        block = self._stream.read(length) if _TAG_BYTES <= length <= BLOCK_BYTES + _TAG_BYTES else b""
        if not block or len(block) != length:
            raise self._damaged("a stream that was cut")
        is_last = length == _TAG_BYTES
        try:
            plain = self._cipher.decrypt(_nonce(self._number, is_last=is_last), block, None)
        except InvalidTag as error:
            raise self._damaged("bytes that were changed") from error
        self._number += 1
        self._is_done = is_last
        return plain

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _damaged(self, found: str) -> DamagedCopyError:
        return DamagedCopyError(
            f"expected {self._name} to be sealed with the key of this home, found {found}. Restore the file "
            "from a backup, or remove it and import its log again."
        )


def _stream_key(key: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"letterpress/stream").derive(key)


def _key_mark(key: bytes) -> bytes:
    """Tells keys apart; nobody gets from it to the key."""
    return HKDF(algorithm=SHA256(), length=_KEY_MARK_BYTES, salt=None, info=b"letterpress/mark").derive(key)


def _sum(head: bytes) -> bytes:
    return zlib.crc32(head).to_bytes(_SUM_BYTES, "big")


def _nonce(number: int, *, is_last: bool) -> bytes:
    return bytes([is_last]) + number.to_bytes(_NONCE_BYTES - 1, "big")


@contextmanager
def sealing(path: Path, key: bytes) -> Iterator[BinaryIO]:
    """A stream to write to; what it is given is encrypted into `path`."""
    with path.open("wb") as stream:
        raw = _SealingWriter(stream, key)
        with io.BufferedWriter(raw, BLOCK_BYTES) as out:
            yield out
            out.flush()
            raw.finish()


def open_sealed(path: Path, key: bytes) -> io.BufferedReader:
    """The plain content of a file that `sealing` wrote.

    Raises:
        StorageError: another key.
        DamagedCopyError: here or while it is read: a cut or changed file.
    """
    stream = path.open("rb")
    try:
        return io.BufferedReader(_UnsealingReader(stream, key, path.name), BLOCK_BYTES)
    except BaseException:
        stream.close()
        raise
