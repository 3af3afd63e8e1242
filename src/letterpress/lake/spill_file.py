"""Tables that wait on the disk until they are needed, in a file without a name: a kill leaves none of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class SpilledPart(NamedTuple):
    """Where in the file a table lies."""

    start: int
    n_bytes: int


class SpillFile:
    """Tables written one after another, and read in any order, by several threads too."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115  # closed by `close`
        self._end = 0

    def write(self, rows: pa.Table) -> SpilledPart:
        """Put `rows` at the end. Raises OSError when the disk is full."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema, options=_OPTIONS) as stream:
            stream.write_table(rows.combine_chunks())
        part = SpilledPart(self._end, sink.tell())
        self._end += part.n_bytes
        rest = memoryview(sink.getvalue())
        while rest:
            rest = rest[self._file.write(rest) :]
        return part

    def read(self, part: SpilledPart) -> pa.Table:
        """The table that was written there."""
        return pa.ipc.open_stream(os.pread(self._file.fileno(), part.n_bytes, part.start)).read_all()

    def close(self) -> None:
        """Give its room back. Safe to repeat."""
        self._file.close()
