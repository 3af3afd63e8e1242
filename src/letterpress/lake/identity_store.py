"""The identity index of a home: opened as the ledger lists it, and rebuilt from raw when it is not whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from letterpress.lake.durability import sync_paths
from letterpress.lake.identity import (
    LARGEST_RUN,
    Identity,
    IdentityChange,
    Keys,
    RunFile,
    identify,
    is_whole,
    open_run,
    sort_keys,
    without_keys,
    write_run,
)
from letterpress.lake.ledger import identity_runs, replace_identity
from letterpress.lake.parquet_file import count_rows, read_rows
from letterpress.lake.raw_store import iter_partitions
from letterpress.log import log_step
from letterpress.settings import Home

_NEEDED = ["tenant", "event_id"]
_RECOMMENDER = "recommender="


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
            held.append(keys_of_rows(path))
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


def stage_removal(home: Home, keys: Keys) -> IdentityChange:
    """Runs without `keys`, on disk; the change to commit. Only under the ingest lock.

    What else is known stays known, also what raw no longer has because it became too old.
    """
    open_identity(home)
    folder, gone = identity_folder(home), sort_keys(keys)
    added: list[RunFile] = []
    dropped: list[str] = []
    for file in identity_runs(home):
        run = open_run(folder, file)
        left = without_keys(run, gone)
        if left is not run:
            dropped.append(file.name)
            if len(left):
                added.append(write_run(folder, left))
    if added:
        sync_paths([*(folder / file.name for file in added), folder])
    return IdentityChange(tuple(added), tuple(dropped))


def keys_of_rows(path: Path, of_tenant: str | None = None) -> Keys:
    """The keys of the rows of a raw file, or of one tenant's among them."""
    rows = read_rows(path, _NEEDED)
    if of_tenant is not None:
        rows = rows.filter(pc.equal(rows["tenant"], of_tenant))
    recommender = next(part for part in reversed(path.parts) if part.startswith(_RECOMMENDER))
    names = [recommender.removeprefix(_RECOMMENDER)] * len(rows)
    return identify(path.stem, rows, pa.array(names, pa.string()))


def _partitions_with_rows(home: Home) -> Iterator[Path]:
    for path in iter_partitions(home.raw):
        if count_rows(path):
            yield path
