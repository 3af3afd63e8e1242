"""The identity index of a home: opened as the ledger lists it, and rebuilt from raw when it is not whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.lake.durability import sync_paths
from letterpress.lake.identity import (
    LARGEST_RUN,
    Identity,
    Keys,
    RunFile,
    identify,
    is_whole,
    sort_keys,
    write_run,
)
from letterpress.lake.ledger import identity_runs, replace_identity
from letterpress.lake.raw_store import iter_partitions
from letterpress.log import log_step
from letterpress.settings import Home

_NEEDED = ["tenant", "event_id"]


def identity_folder(home: Home) -> Path:
    """Where the runs lie."""
    return home.raw / "identity"


def open_identity(home: Home) -> Identity:
    """The known events of this home. Only under the ingest lock: what is left over is deleted."""
    folder = identity_folder(home)
    runs = identity_runs(home)
    is_missing = not runs and next(_partitions_with_rows(home), None) is not None
    if is_missing or not all(is_whole(folder, run) for run in runs):
        runs = rebuild_identity(home)
    names = {run.name for run in runs}
    for path in folder.glob("*"):
        if path.name not in names:
            path.unlink()
    return Identity(folder, runs)


def rebuild_identity(home: Home, *, read_files_again: bool = False) -> list[RunFile]:
    """Make the index anew from raw; returns its runs. Only under the ingest lock.

    With `read_files_again` a file that was ingested before is read like a new one: for when raw lost events.
    """
    folder = identity_folder(home)
    runs: list[RunFile] = []
    held: list[Keys] = []
    with log_step("rebuild_identity") as counts:
        for path in _partitions_with_rows(home):
            held.append(_keys_of(path))
            if sum(map(len, held)) >= LARGEST_RUN:
                runs.append(write_run(folder, sort_keys(np.concatenate(held))))
                held.clear()
        if held:
            runs.append(write_run(folder, sort_keys(np.concatenate(held))))
        counts.update(runs=len(runs), events=sum(run.n_keys for run in runs))
    if runs:
        sync_paths([*(folder / run.name for run in runs), folder])
    replace_identity(home, runs, read_files_again=read_files_again)
    return runs


def _partitions_with_rows(home: Home) -> Iterator[Path]:
    for path in iter_partitions(home.raw):
        if pq.read_metadata(path).num_rows:
            yield path


def _keys_of(path: Path) -> Keys:
    rows = pq.ParquetFile(path).read(columns=_NEEDED)
    recommender = path.parent.parent.name.removeprefix("recommender=")
    return identify(path.stem, rows, pa.array([recommender] * len(rows), pa.string()))
