"""Since when which model looks at a feature: one file a recommender, written when a model is published."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.errors import StorageError, as_clause
from letterpress.settings import Home


class InUse(msgspec.Struct, frozen=True):
    """The first of the models in a row that looked at a feature, and when it was published."""

    model: str
    since: str


def note_features_in_use(
    home: Home, recommender: str, features: Iterable[str], *, model: str, published_at: str
) -> None:
    """Remember `features` that the published `model` looks at and the one before did not; forget the others.

    A record that cannot be read is begun anew: no release fails by it.
    """
    try:
        known = features_in_use(home, recommender)
    except StorageError:
        known = {}
    new = InUse(model, published_at)
    used = {name: known.get(name, new) for name in features}
    if used != known:
        write_atomically(_path(home, recommender), msgspec.json.format(msgspec.json.encode(used)))


def features_in_use(home: Home, recommender: str) -> dict[str, InUse]:
    """By feature; empty before the first model was published.

    Raises:
        StorageError: the file cannot be read.
    """
    path = _path(home, recommender)
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, InUse])
    except FileNotFoundError:
        return {}
    except (msgspec.DecodeError, OSError) as error:
        raise StorageError(
            f"expected {path} to say since when features are in use, found: {as_clause(error)}. Delete it; "
            "the next published model writes it anew."
        ) from error


def _path(home: Home, recommender: str) -> Path:
    return home.registry / "features_in_use" / f"{recommender}.json"
