"""One log file as numbered lines: plain, gzip or zstd, whole or damaged, with bounded memory."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from letterpress.errors import LetterpressError
from letterpress.events.codec import MAX_LINE_BYTES

_READ_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 22
_ZSTD_READ_BYTES = 1 << 12  # 4 KiB can unfold to 128 MiB: more at once would let a bomb fill the memory
_KEPT_OF_LONG_LINE = 1 << 16
_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs write before UTF-8; it belongs to no line."""


class _DamageError(LetterpressError):
    """A compressed stream is not what it should be; `code` is `truncated_file` or `corrupt_file`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a file in order, without those of white space; `texts[i]` has the 1-based `numbers[i]`."""

    texts: list[bytes]
    numbers: list[int]


class LogFile:
    """Reads one file once. `sha256`, `size`, `damage` and `rest` are known when `lines()` is exhausted."""

    def __init__(
        self, path: Path, *, name: str | None = None, opened: Callable[[Path], BinaryIO] | None = None
    ) -> None:
        self.path = path
        self._name = name or path.name
        self._open = opened or _open_plain
        self.size = 0
        self.damage: str | None = None
        """`truncated_file` or `corrupt_file` when the compressed stream did not end as it should."""
        self.rest = b""
        """Of a damaged file, what was readable of the line in which it broke off."""
        self.too_long: list[tuple[int, bytes, int]] = []
        """Lines above `MAX_LINE_BYTES`: number, beginning, length."""
        self.last_number = 0
        self._digest = hashlib.sha256()
        self._beginning = b""
        self._unread: Iterator[bytes] = iter(())

    @property
    def sha256(self) -> str:
        """Of the bytes as they were written, compressed or not, before any encryption of ours."""
        return self._digest.hexdigest()

    def lines(self) -> Iterator[Lines]:
        """The lines, a few thousand at a time. Damage ends them early without raising."""
        tail, number, dropped = b"", 0, 0
        for block in self._blocks():
            if dropped and b"\n" not in block:
                dropped += len(block)
                continue
            *complete, tail = (tail + block).split(b"\n")
            if complete and dropped:
                self.too_long.append((number + 1, self._beginning, dropped + len(complete[0])))
                number, complete, dropped = number + 1, complete[1:], 0
            if complete:
                yield self._drop_long(_number(complete, number))
                number += len(complete)
            if len(tail) > MAX_LINE_BYTES:
                self._beginning, dropped, tail = tail[:_KEPT_OF_LONG_LINE], len(tail), b""
        self.last_number = number + 1
        if dropped:
            self.too_long.append((number + 1, self._beginning, dropped + len(tail)))
        elif self.damage is not None:
            self.rest = tail
        elif (last := _number([tail], number)).texts:
            yield last

    def _drop_long(self, lines: Lines) -> Lines:
        """The lines that are short enough; the others are remembered."""
        if max(map(len, lines.texts), default=0) <= MAX_LINE_BYTES:
            return lines
        pairs = list(zip(lines.texts, lines.numbers, strict=True))
        long = [
            (number, text[:_KEPT_OF_LONG_LINE], len(text))
            for text, number in pairs
            if len(text) > MAX_LINE_BYTES
        ]
        self.too_long.extend(long)
        kept = [(text, number) for text, number in pairs if len(text) <= MAX_LINE_BYTES]
        return Lines([text for text, _ in kept], [number for _, number in kept])

    def _blocks(self) -> Iterator[bytes]:
        if self._name.endswith(".gz"):
            inflated = _gunzip(self._read(_READ_BYTES))
        elif self._name.endswith(".zst"):
            inflated = _unzstd(self._read(_ZSTD_READ_BYTES))
        else:
            inflated = self._read(_BLOCK_BYTES)
        try:
            yield from inflated
        except _DamageError as damage:
            self.damage = damage.code
            for _ in self._unread:
                pass  # the checksum is that of the whole file

    def _read(self, n_bytes: int) -> Iterator[bytes]:
        self._unread = self._pieces(n_bytes)
        return self._unread

    def _pieces(self, n_bytes: int) -> Iterator[bytes]:
        with self._open(self.path) as stream:
            while data := stream.read(n_bytes):
                self._digest.update(data)
                self.size += len(data)
                yield data


def _open_plain(path: Path) -> BinaryIO:
    return path.open("rb")


def _number(texts: list[bytes], before: int) -> Lines:
    """The lines that are not of white space only, the first of a file without its byte order mark."""
    if before == 0:
        texts = [texts[0].removeprefix(_MARK), *texts[1:]]
    numbers = range(before + 1, before + 1 + len(texts))
    if b"" not in texts and not any(map(bytes.isspace, texts)):
        return Lines(texts, list(numbers))
    kept = [(text, number) for text, number in zip(texts, numbers, strict=True) if text.strip()]
    return Lines([text for text, _ in kept], [number for _, number in kept])


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Inflated data of all members. Raises _DamageError."""
    inner = None
    for piece in pieces:
        data = piece
        while data or inner is not None:
            if inner is None:
                data = data.lstrip(b"\0")  # padding between members
                if not data:
                    break
                inner = zlib.decompressobj(wbits=31)
            try:
                out = inner.decompress(data, _BLOCK_BYTES)
            except zlib.error:
                raise _DamageError("corrupt_file") from None
            if out:
                yield out
            if inner.eof:
                data, inner = inner.unused_data, None
            elif inner.unconsumed_tail or len(out) == _BLOCK_BYTES:
                data = inner.unconsumed_tail
            else:
                break
    if inner is not None:
        raise _DamageError("truncated_file")


def _unzstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Inflated data of all frames. Raises _DamageError."""
    inner = None
    for piece in pieces:
        data = piece
        while data:
            inner = inner or zstandard.ZstdDecompressor().decompressobj()
            try:
                out = inner.decompress(data)
            except zstandard.ZstdError:
                raise _DamageError("corrupt_file") from None
            if out:
                yield out
            data = b""
            if inner.eof:
                data, inner = inner.unused_data, None
    if inner is not None:
        raise _DamageError("truncated_file")
