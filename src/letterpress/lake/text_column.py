"""Texts of many rows in two mapped files, read one at a time: nothing is built when they are opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ends = NDArray[np.int64]


def text_files(stem: str) -> tuple[str, str]:
    """Names of the two files: the bytes of all texts, and where each text begins and the last one ends."""
    return f"{stem}.text.npy", f"{stem}.ends.npy"


def write_texts(folder: Path, stem: str, texts: pa.ChunkedArray | pa.Array) -> None:
    """Write `texts`, none of them null, so that `TextColumn.open` finds them in their order."""
    column = texts_of(texts)
    text_name, ends_name = text_files(stem)
    np.save(folder / text_name, column.text)
    np.save(folder / ends_name, column.ends)


def texts_of(texts: pa.ChunkedArray | pa.Array) -> TextColumn:
    """`texts`, none of them null, as they are read from a file."""
    column = texts.cast(pa.large_string())
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    ends: Ends = np.zeros(1, np.int64)
    text: Bytes = np.zeros(0, np.uint8)
    if len(whole):
        _, offsets, data = whole.buffers()
        ends = np.frombuffer(offsets, np.int64)[whole.offset : whole.offset + len(whole) + 1]
        if data is not None:
            text = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
        ends = ends - ends[0]
    return TextColumn(text, ends)


class TextColumn:
    """Texts by row. The files stay on the disk and are mapped, so that processes share them."""

    def __init__(self, text: Bytes, ends: Ends) -> None:
        self.text, self.ends = text, ends

    @classmethod
    def open(cls, folder: Path, stem: str) -> TextColumn:
        """Raises OSError or ValueError when the files are missing or no arrays."""
        text_name, ends_name = text_files(stem)
        text = np.asarray(np.load(folder / text_name, mmap_mode="r"))
        return cls(text, np.asarray(np.load(folder / ends_name, mmap_mode="r")))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, row: int) -> str:
        return self.raw(row).decode()

    def raw(self, row: int) -> bytes:
        """The UTF-8 bytes of a row."""
        return self.text[self.ends[row] : self.ends[row + 1]].tobytes()
