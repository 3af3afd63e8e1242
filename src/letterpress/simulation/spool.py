"""Lines between the process that makes them and the file of the day on which they arrive.

A chunk of a day spools its lines by the day of their arrival; the writer of a day merges what all chunks
spooled for it, an hour at a time, so that memory is bounded by a chunk and an hour.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import zstandard

from letterpress.simulation.campaigns import DAY, HOUR, Ints

_ZSTD_LEVEL = 3


class _Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...


def spool_lines(folder: Path, file: str, chunk: str, day: int, texts: list[str], received_at: Ints) -> None:
    """Put `texts`, which arrive on `day` in this order, into the spool; `chunk` names who made them."""
    data = "\n".join([*texts, ""]).encode("utf-8", "surrogateescape")
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
    place = folder / f"{day:04d}" / file
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{chunk}.lines").write_bytes(data)
    np.save(place / f"{chunk}.npy", np.stack([received_at, ends]))


def spooled_files(folder: Path, day: int) -> list[str]:
    """Kinds of files that have lines of the day, sorted."""
    place = folder / f"{day:04d}"
    return sorted(each.name for each in place.iterdir()) if place.is_dir() else []


def write_spooled(folder: Path, file: str, day: int, begin: int, path: Path) -> None:
    """Merge the lines of `day`, which begins at `begin`, into `path` in the order of their arrival.

    Lines of one moment keep the order of the chunks. The spool is emptied; equal spools give equal bytes.
    """
    place = folder / f"{day:04d}" / file
    chunks = [_Chunk(lines) for lines in sorted(place.glob("*.lines"))]
    unfinished = path.with_name(f"{path.name}.tmp")
    with _packed(unfinished, path.suffix) as stream:
        for hour in range(DAY // HOUR):
            stream.write(_merge(chunks, begin + hour * HOUR, begin + (hour + 1) * HOUR))
    unfinished.replace(path)
    for chunk in chunks:
        chunk.remove()
    place.rmdir()


def _merge(chunks: list[_Chunk], first: int, end: int) -> bytes:
    parts = [chunk.between(first, end) for chunk in chunks]
    texts = [text for lines, _ in parts for text in lines]
    order = np.argsort(np.concatenate([times for _, times in parts]), kind="stable")
    return b"".join([texts[row] for row in order.tolist()])


class _Chunk:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._index = path.with_suffix(".npy")
        self._times, self._ends = np.load(self._index)

    def between(self, first: int, end: int) -> tuple[list[bytes], Ints]:
        """Lines with their line ends, and when they arrive."""
        low, high = np.searchsorted(self._times, [first, end]).tolist()
        if low == high:
            return [], self._times[:0]
        start = int(self._ends[low - 1]) if low else 0
        with self._path.open("rb") as stream:
            stream.seek(start)
            data = stream.read(int(self._ends[high - 1]) - start)
        return data.splitlines(keepends=True), self._times[low:high]

    def remove(self) -> None:
        self._path.unlink()
        self._index.unlink()


@contextmanager
def _packed(path: Path, suffix: str) -> Iterator[_Writer]:
    """A compressing stream; neither name nor time gets into the file."""
    with path.open("wb") as stream, _compressor(stream, suffix) as writer:
        yield writer


def _compressor(stream: IO[bytes], suffix: str) -> gzip.GzipFile | zstandard.ZstdCompressionWriter:
    if suffix == ".zst":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).stream_writer(stream, closefd=False)
    return gzip.GzipFile("", "wb", 1, stream, mtime=0)
