"""The step that denies features to a tenant's models and slates, or allows them again."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from letterpress.errors import StorageError, UsageError
from letterpress.features.denial import unknown_names
from letterpress.features.feature_view import LABELS
from letterpress.lake.denied_features import Denied, change_denied, read_denied
from letterpress.lake.snapshot_layout import read_current_or_none
from letterpress.lake.snapshots import Snapshot
from letterpress.log import log_step
from letterpress.recommenders import RECOMMENDERS
from letterpress.settings import Home, Settings


def deny_features(settings: Settings, deny: Sequence[str], allow: Sequence[str]) -> dict[str, Any]:
    """Change what is denied by `TENANT=NAME`, from the next snapshot on; all that is denied, by tenant.

    `remarks` name what may be a slip: a tenant of whom nothing has arrived, and what was not denied anyway.

    Raises:
        UsageError: an entry has another form, or names no feature, view or label; nothing was changed.
        StorageError: the file of denied features is damaged.
    """
    changes = [(*_parse(entry), True) for entry in deny] + [(*_parse(entry), False) for entry in allow]
    before = read_denied(settings.paths.root)
    _require_known([(tenant, name) for tenant, name, _ in changes], before)
    remarks = _remarks(settings.paths, changes, before)
    denied = before
    with log_step("deny_features", denied=len(deny), allowed=len(allow)):
        for tenant, name, is_denied in changes:
            add, remove = ([name], []) if is_denied else ([], [name])
            denied = change_denied(settings.paths, tenant, add=add, remove=remove)
    return {"denied": dict(denied), "from": "the next snapshot", "remarks": remarks}


def _require_known(named: Sequence[tuple[str, str]], denied: Denied) -> None:
    """A name that is denied since an older version may be allowed, though nothing is called so any more."""
    new = [name for tenant, name in named if name not in denied.get(tenant, ())]
    unknown = unknown_names(list(RECOMMENDERS.values()), new)
    if unknown:
        raise UsageError(
            f"expected names of features, `view:NAME`, or `label:` with one of {', '.join(LABELS)}; found "
            f"{', '.join(unknown)}. `letterpress features --list` names them all."
        )


def _remarks(home: Home, changes: Sequence[tuple[str, str, bool]], denied: Denied) -> list[str]:
    known = _known_tenants(home)
    remarks = []
    for tenant in dict.fromkeys(tenant for tenant, _, is_denied in changes if is_denied):
        if known and tenant not in known:
            near = difflib.get_close_matches(tenant, known, n=1)
            hint = f"; did you mean {near[0]}" if near else ""
            remarks.append(f"nothing of a tenant {tenant} has arrived by now{hint}")
    remarks += [
        f"{tenant}={name} was not denied, so nothing changed"
        for tenant, name, is_denied in changes
        if not is_denied and name not in denied.get(tenant, ())
    ]
    return remarks


def _known_tenants(home: Home) -> set[str]:
    """Tenants of the current snapshot; none without one that can be read, as denying goes on."""
    if read_current_or_none(home) is None:
        return set()
    try:
        snapshot = Snapshot.open(home)
    except StorageError:
        return set()
    return {tenant for name in snapshot.manifest.recommenders for tenant in snapshot.items(name).spans}


def _parse(entry: str) -> tuple[str, str]:
    tenant, equals, name = entry.rpartition("=")
    if not (tenant and equals and name):
        raise UsageError(f"expected TENANT=FEATURE, found {entry!r}; for example fern=label:shared.")
    return tenant, name
