"""Whose data a model learned from: `registry/lineage/<recommender>/<version>.json`, tenants by keyed hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.errors import StorageError
from letterpress.lake.subject import Subject, request_id
from letterpress.registry.store import versions
from letterpress.settings import Home


class Lineage(msgspec.Struct, frozen=True):
    """What one version was trained on: the snapshot, and rows by the keyed hash of their tenant."""

    snapshot: str
    rows: dict[str, int]


class AffectedModel(msgspec.Struct, frozen=True):
    """A version that learned from the subject. `rows` is None when nobody wrote down from whom it learned."""

    model: str
    snapshot: str
    rows: int | None
    aliases: tuple[str, ...]


def record_lineage(
    home: Home, recommender: str, version: int, snapshot: str, tenant_rows: Mapping[str, int]
) -> None:
    """Write down whose rows that version was trained on."""
    rows = {
        request_id(home, Subject(tenant)): count for tenant, count in sorted(tenant_rows.items()) if tenant
    }
    path = home.registry / "lineage" / recommender / f"{version}.json"
    write_atomically(path, msgspec.json.encode(Lineage(snapshot, rows), order="sorted"))


def learned_tenants(home: Home, recommender: str, version: int) -> set[str] | None:
    """Keyed hashes of the tenants that the version learned from; None when nobody wrote them down."""
    lineage = _read(home, recommender, version)
    return None if lineage is None else set(lineage.rows)


def hashed_tenants(home: Home, tenants: Iterable[str]) -> set[str]:
    """Keyed hashes of `tenants`, as lineage holds them."""
    return {request_id(home, Subject(tenant)) for tenant in tenants if tenant}


def affected_models(home: Home, recommender: str, tenant: str | None) -> list[AffectedModel]:
    """The versions of `recommender` that learned from `tenant`; all that learned at all when it is None.

    A version without lineage counts: nobody can say that it did not.

    Raises:
        StorageError: a lineage file is damaged.
    """
    wanted = None if tenant is None else request_id(home, Subject(tenant))
    found = []
    for model in versions(home, recommender):
        if model.tags.get("kind") == "popularity":  # ranks by a feature of the snapshot, has learned nothing
            continue
        lineage = _read(home, recommender, model.version)
        rows = None if lineage is None else _rows_of(lineage, wanted)
        if rows != 0:
            found.append(AffectedModel(model.name, model.tags.get("snapshot", ""), rows, model.aliases))
    return found


def _rows_of(lineage: Lineage, wanted: str | None) -> int:
    return sum(lineage.rows.values()) if wanted is None else lineage.rows.get(wanted, 0)


def _read(home: Home, recommender: str, version: int) -> Lineage | None:
    path = home.registry / "lineage" / recommender / f"{version}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Lineage)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StorageError(
            f"{path}: expected the lineage of a model, found {error}; train again to write it anew."
        ) from error
