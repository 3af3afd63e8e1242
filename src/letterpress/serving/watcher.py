"""Takes over published models and snapshots while the service answers, without dropping a request.

A thread looks at the pointer files every quarter of a second. What changed is loaded, verified and warmed
there, and becomes visible by one assignment. What does not fit is refused with a reason, and the last
good one goes on answering.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from pathlib import Path

from letterpress.errors import LetterpressError, StorageError
from letterpress.lake.snapshot_layout import CURRENT
from letterpress.lake.snapshots import Snapshot
from letterpress.log import logger
from letterpress.registry.publication import pointer_folder, read_pointer
from letterpress.serving.loaded import Loaded, LoadedModel, compiled_folder, load_model, open_snapshot
from letterpress.settings import Home

POLL_SECONDS = 0.25
RETRY_SECONDS = 5.0
STOP_SECONDS = 10.0
SNAPSHOT = "snapshot"
YOUNG_OBJECTS = 20_000
"""Allocated before the collector looks: a request makes some hundred and no cycles."""

Mark = tuple[int, int, int]


def mark_of(path: Path) -> Mark | None:
    """What changes when `path` is replaced; None when there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


class Watcher:
    """Holds the current `Loaded` in `.loaded`, and keeps it up to date."""

    def __init__(
        self, home: Home, swaps: Counter[str], load_failures: Counter[str], *, packed: Home | None = None
    ) -> None:
        """`packed` is what came inside the Bento: taken where `home` has nothing published."""
        self.loaded = Loaded()
        self._home, self._swaps, self._load_failures = home, swaps, load_failures
        self._homes = (home,) if packed is None else (home, packed)
        self._marks: dict[str, Mark | None] = {}
        self._refused_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Load what is published, then keep looking. A service without a model starts too, and says so."""
        self.look()
        gc.collect()
        gc.freeze()  # what is loaded now stays: later collections need not walk it (100 ms stalls)
        gc.set_threshold(YOUNG_OBJECTS)
        self._thread.start()

    @property
    def has_died(self) -> bool:
        """Whether an error that nobody foresaw ended the thread: nothing is taken over any more."""
        was_started = self._thread.ident is not None
        return was_started and not self._thread.is_alive() and not self._stopping.is_set()

    def stop(self) -> None:
        self._stopping.set()
        gc.unfreeze()  # frozen objects would be reported as leaked when the interpreter ends
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """Take over whatever changed since the last look; what was refused is tried again now and then."""
        if self.loaded.problems and time.monotonic() - self._refused_at > RETRY_SECONDS:
            self._refused_at = time.monotonic()
            for source in self.loaded.problems:
                self._marks.pop(source, None)
        published = [home for home in self._homes if (home.snapshots / CURRENT).exists()]
        if published and self._changed(SNAPSHOT, published[0].snapshots / CURRENT):
            self._take_snapshot(published[0])
        for home, path in self._pointers():
            if self._changed(path.stem, path):
                self._take_model(home, path)

    def _pointers(self) -> list[tuple[Home, Path]]:
        """For every recommender the pointer that counts, with the home that its bundle lies in."""
        found: dict[str, tuple[Home, Path]] = {}
        for home in self._homes:
            for path in pointer_folder(home).glob("[!.]*.json"):
                found.setdefault(path.stem, (home, path))
        return [found[name] for name in sorted(found)]

    def _changed(self, source: str, path: Path) -> bool:
        mark = mark_of(path)
        if mark is None or self._marks.get(source) == mark:
            return False
        self._marks[source] = mark
        return True

    def _take_snapshot(self, home: Home) -> None:
        old = self.loaded
        try:
            snapshot = open_snapshot(home)
        except (LetterpressError, OSError) as error:
            self._refuse(SNAPSHOT, error)
            return
        self._swap(SNAPSHOT, old.models, snapshot)
        logger.info("watcher took snapshot=%s", snapshot.snapshot_id)

    def _take_model(self, home: Home, path: Path) -> None:
        old = self.loaded
        try:
            publication = read_pointer(path)
            if publication.recommender != path.stem:
                raise StorageError(f"expected a pointer of {path.stem}, found one of {publication.model}.")
            model = load_model(home, publication, compiled_folder(self._home))
        except (LetterpressError, OSError) as error:
            self._refuse(path.stem, error)
            return
        self._swap(path.stem, old.models | {path.stem: model}, old.snapshot)

    def _swap(self, source: str, models: dict[str, LoadedModel], snapshot: Snapshot | None) -> None:
        """The one assignment by which new requests see the new state."""
        problems = {name: text for name, text in self.loaded.problems.items() if name != source}
        self.loaded = Loaded(models, snapshot, problems)
        self._swaps[source] += 1

    def _refuse(self, source: str, error: LetterpressError | OSError) -> None:
        if self.loaded.problems.get(source) != str(error):
            logger.warning("watcher refused source=%s reason=%s", source, error)
        self._load_failures[source] += 1
        self._refused_at = time.monotonic()
        problems = self.loaded.problems | {source: str(error)}
        self.loaded = Loaded(self.loaded.models, self.loaded.snapshot, problems)
