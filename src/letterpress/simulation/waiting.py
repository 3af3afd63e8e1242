"""Events that are known already and due later, in memory and from one run to the next."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable
from pathlib import Path

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.errors import StorageError


class _Saved(msgspec.Struct):
    due: int
    event: msgspec.Raw


_decoder = msgspec.json.Decoder(_Saved)


class WaitingEvents:
    """Events by the moment (milliseconds since the epoch) at which they arrive; equal ones in order."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_due(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def add(self, due: Iterable[int], texts: Iterable[str]) -> None:
        """Events as JSON texts."""
        for moment, text in zip(due, texts, strict=True):
            heapq.heappush(self._heap, (moment, next(self._numbers), text))

    def take(self, until: int) -> list[tuple[int, str]]:
        """Remove and return what is due at or before `until`, the earliest first."""
        taken = []
        while self._heap and self._heap[0][0] <= until:
            moment, _, text = heapq.heappop(self._heap)
            taken.append((moment, text))
        return taken

    def save(self, path: Path) -> None:
        """Write all to `path`, a line each; without any the file goes."""
        if not self._heap:
            path.unlink(missing_ok=True)
            return
        lines = [f'{{"due":{moment},"event":{text}}}\n' for moment, _, text in sorted(self._heap)]
        write_atomically(path, "".join(lines).encode())

    @classmethod
    def load(cls, path: Path) -> WaitingEvents:
        """What an earlier run saved; nothing without a file.

        Raises:
            StorageError: the file is not one that `save` wrote.
        """
        waiting = cls()
        if not path.exists():
            return waiting
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                saved = _decoder.decode(line)
            except ValueError as error:
                raise StorageError(
                    f"expected outcomes that wait to be sent in {path}, found line {number} damaged; "
                    "remove that line or the file."
                ) from error
            waiting.add([saved.due], [bytes(saved.event).decode()])
        return waiting
