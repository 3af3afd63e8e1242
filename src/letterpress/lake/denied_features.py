"""Which features may not be used for which tenant: declared under the home, and fixed by each snapshot.

A snapshot carries what was denied when it was published, so whoever serves from it and whoever trains on
it deny the same (ADR 0029).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.errors import StorageError, as_clause
from letterpress.settings import Home

DENIED = "denied.json"

Denied = Mapping[str, tuple[str, ...]]
"""By tenant, names of features, `view:<name>` and `label:<name>`, sorted."""


def read_denied(folder: Path) -> Denied:
    """What the home, or the snapshot, in `folder` denies; empty when it denies nothing.

    Raises:
        StorageError: the file is damaged.
    """
    path = folder / DENIED
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[str, ...]])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise StorageError(
            f"expected denied features by tenant in {path}, found: {as_clause(error)}. Mend it, or deny anew "
            "with `letterpress features --deny TENANT=FEATURE`."
        ) from error


def write_denied(folder: Path, denied: Denied) -> Path:
    """Write `denied` in its one spelling; the path. Tenants who are denied nothing are left out."""
    path = folder / DENIED
    kept = {tenant: sorted(set(names)) for tenant, names in denied.items() if names}
    write_atomically(path, msgspec.json.encode(kept, order="sorted"))
    return path


def change_denied(home: Home, tenant: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Denied:
    """Deny more or less of a tenant, from the next snapshot on; all that is denied now."""
    denied = dict(read_denied(home.root))
    denied[tenant] = tuple((set(denied.get(tenant, ())) | set(add)) - set(remove))
    home.root.mkdir(parents=True, exist_ok=True)
    write_denied(home.root, denied)
    return read_denied(home.root)


def forget_denied(home: Home, tenant: str) -> None:
    """Let go of what was declared of a tenant who is forgotten."""
    denied = read_denied(home.root)
    if tenant in denied:
        change_denied(home, tenant, remove=denied[tenant])
