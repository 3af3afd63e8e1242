"""The last result of every gate by what it checks, for the page that people read."""

from __future__ import annotations

from typing import Any

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.clock import Clock
from letterpress.errors import StorageError
from letterpress.quality.data_docs import SITE_NAME, working_folder
from letterpress.quality.findings import GateResult
from letterpress.settings import Home


def keep_result(home: Home, result: GateResult, page: str, clock: Clock) -> None:
    """Remember `result` as the last one of its gate (and of its recommender, where it has one)."""
    recommender, _, _ = result.subject.rpartition("@")
    name = f"{result.gate}.{recommender}" if recommender else result.gate
    record = msgspec.to_builtins(result) | {
        "page": f"{SITE_NAME}/{page}",
        "checked_at": clock.now().isoformat(),
    }
    text = msgspec.json.format(msgspec.json.encode(record), indent=2)
    write_atomically(working_folder(home) / "last" / f"{name}.json", text + b"\n")


def read_last_results(home: Home) -> list[dict[str, Any]]:
    """The last result of every gate, by name; empty before the first.

    Raises:
        StorageError: a result cannot be read.
    """
    results = []
    for path in sorted((working_folder(home) / "last").glob("[!.]*.json")):
        try:
            results.append(msgspec.json.decode(path.read_bytes(), type=dict[str, Any]))
        except msgspec.DecodeError as error:
            raise StorageError(
                f"{path}: expected a gate's result, found {error}; run `letterpress validate` again."
            ) from error
    return results
