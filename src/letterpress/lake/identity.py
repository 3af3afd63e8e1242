"""Which events raw already has: sorted runs of 128-bit keys in mapped files, committed with the ledger.

An event is known by its recommender, tenant, type and `event_id`, in whatever file, hour or day it comes
(ADR 0013). A run is named after the checksum of its content, so a run that the ledger names is whole or
visibly damaged; what the ledger does not name is left over from a killed ingest and is deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
"""Shape (n_events, 2): the high and the low half of each key."""

KEY_BYTES = 16
MERGED_AT_ONCE = 4
"""So many runs of one size become one: every key is rewritten once a size, and few runs are searched."""
SMALLEST_SIZE = 1 << 16
LARGEST_RUN = 8 << 20
"""Runs of so many keys are merged no more: the merge of larger ones would need hundreds of megabytes."""
_MOST_PENDING = 8
_SEPARATOR = "\x1f"  # no text of an event holds a control character, so a key cannot be forged


def identify(event: str, rows: pa.Table, recommenders: pa.Array) -> Keys:
    """The keys of rows of one event type."""
    parts = [recommenders, rows["tenant"], pa.scalar(event), rows["event_id"]]
    texts = pc.binary_join_element_wise(*parts, _SEPARATOR).cast(pa.binary()).to_pylist()
    digests = b"".join([hashlib.blake2b(text, digest_size=KEY_BYTES).digest() for text in texts])
    return np.frombuffer(digests, "<u8").reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Run:
    """Keys sorted by their high half."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.high)

    def contains(self, keys: Keys) -> NDArray[np.bool_]:
        """Which of `keys` are in this run. Fastest when they are sorted."""
        high, low = keys[:, 0], keys[:, 1]
        place = np.searchsorted(self.high, high)
        found = np.zeros(len(keys), bool)
        open_ = np.flatnonzero(place < len(self))
        while open_.size:
            open_ = open_[self.high[place[open_]] == high[open_]]
            found[open_] = self.low[place[open_]] == low[open_]
            open_ = open_[~found[open_]]
            place[open_] += 1
            open_ = open_[place[open_] < len(self)]
        return found


@dataclass(frozen=True, slots=True)
class RunFile:
    """A run as the ledger names it."""

    name: str
    n_keys: int


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """What one commit does to the list of runs; the files of `added` are on disk before it."""

    added: tuple[RunFile, ...] = ()
    dropped: tuple[str, ...] = ()


NO_CHANGE = IdentityChange()


def merge_runs(runs: Sequence[Run]) -> Run:
    """One run with the keys of all, in an order that depends on nothing but theirs."""
    high = np.concatenate([run.high for run in runs])
    order = np.argsort(high, kind="stable")  # of sorted parts: a merge, not a sort
    return Run(high[order], np.concatenate([run.low for run in runs])[order])


def sort_keys(keys: Keys) -> Run:
    """`keys` as a run."""
    order = np.argsort(keys[:, 0], kind="stable")
    return Run(keys[order, 0], keys[order, 1])


def without_keys(run: Run, gone: Run) -> Run:
    """What is left of a run without the keys of another; the run itself when it holds none of them."""
    kept = ~gone.contains(np.column_stack((run.high, run.low)))
    return run if kept.all() else Run(run.high[kept], run.low[kept])


def write_run(folder: Path, run: Run) -> RunFile:
    """Write a run, not yet flushed; its name is its checksum, so the same run is written to the same file."""
    digest = hashlib.sha256(run.high.tobytes())
    digest.update(run.low.tobytes())
    file = RunFile(f"{digest.hexdigest()[:32]}.keys", len(run))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / file.name).open("wb") as stream:
        stream.write(run.high.tobytes())
        stream.write(run.low.tobytes())
    return file


def open_run(folder: Path, file: RunFile) -> Run:
    """The run, mapped into memory."""
    mapped = np.memmap(folder / file.name, "<u8", mode="r")
    return Run(mapped[: file.n_keys], mapped[file.n_keys :])


def is_whole(folder: Path, file: RunFile) -> bool:
    """Whether the file of a run is there in its full size."""
    path = folder / file.name
    return path.is_file() and path.stat().st_size == file.n_keys * KEY_BYTES


def is_unchanged(folder: Path, file: RunFile) -> bool:
    """Whether the file of a run holds, byte for byte, what its name is the checksum of."""
    if not is_whole(folder, file):
        return False
    with (folder / file.name).open("rb") as stream:
        return file.name.startswith(hashlib.file_digest(stream, "sha256").hexdigest()[:32])


class Identity:
    """The known events while one batch is staged: those of earlier commits, and those of the batch so far."""

    def __init__(self, folder: Path, files: Iterable[RunFile]) -> None:
        self._folder = folder
        self._files = list(files)
        self._runs = [open_run(folder, file) for file in self._files]
        self._pending: list[Run] = []

    def admit(self, keys: Keys) -> NDArray[np.bool_]:
        """Which events are new, of several with one key the first; they are known from now on."""
        order = np.argsort(keys[:, 0], kind="stable")  # of equal keys the first read is first
        sorted_ = keys[order]
        if (sorted_[1:, 0] == sorted_[:-1, 0]).any():
            order = np.lexsort((keys[:, 1], keys[:, 0]))
            sorted_ = keys[order]
        fresh = np.ones(len(keys), bool)
        fresh[1:] = (sorted_[1:, 0] != sorted_[:-1, 0]) | (sorted_[1:, 1] != sorted_[:-1, 1])
        for run in (*self._runs, *self._pending):
            fresh &= ~run.contains(sorted_)
        if fresh.any():
            self._remember(sorted_[fresh])
        admitted = np.empty(len(keys), bool)
        admitted[order] = fresh
        return admitted

    def _remember(self, keys: Keys) -> None:
        self._pending.append(Run(np.ascontiguousarray(keys[:, 0]), np.ascontiguousarray(keys[:, 1])))
        if len(self._pending) > _MOST_PENDING:
            self._pending = [merge_runs(self._pending)]

    def stage(self) -> IdentityChange:
        """Write what the batch adds, merged with runs of its size; the change to commit."""
        if not self._pending:
            return IdentityChange()
        newest = merge_runs(self._pending)
        kept = list(zip(self._files, self._runs, strict=True))
        dropped: list[str] = []
        while len(newest) < LARGEST_RUN:
            same = [pair for pair in kept if _size_class(len(pair[1])) == _size_class(len(newest))]
            if len(same) + 1 < MERGED_AT_ONCE:
                break
            newest = merge_runs([*(run for _, run in same), newest])
            dropped += [file.name for file, _ in same]
            kept = [pair for pair in kept if pair[0].name not in dropped]
        return IdentityChange((write_run(self._folder, newest),), tuple(dropped))


def _size_class(n_keys: int) -> int:
    """0 up to `SMALLEST_SIZE`, then one more for every factor of `MERGED_AT_ONCE`."""
    size = 0
    while n_keys > SMALLEST_SIZE * MERGED_AT_ONCE**size:
        size += 1
    return size
