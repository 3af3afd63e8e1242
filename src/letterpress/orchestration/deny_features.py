"""The step that denies features to a tenant's models and slates, or allows them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from letterpress.errors import UsageError
from letterpress.features.denial import unknown_names
from letterpress.features.feature_view import LABELS
from letterpress.lake.denied_features import change_denied
from letterpress.log import log_step
from letterpress.recommenders import RECOMMENDERS
from letterpress.settings import Settings


def deny_features(settings: Settings, deny: Sequence[str], allow: Sequence[str]) -> dict[str, Any]:
    """Change what is denied by `TENANT=NAME`, from the next snapshot on; all that is denied, by tenant.

    Raises:
        UsageError: an entry has another form, or names no feature, view or label; nothing was changed.
        StorageError: the file of denied features is damaged.
    """
    changes = [(*_parse(entry), True) for entry in deny] + [(*_parse(entry), False) for entry in allow]
    unknown = unknown_names(
        list(RECOMMENDERS.values()), [name for _, name, is_denied in changes if is_denied]
    )
    if unknown:
        raise UsageError(
            f"expected names of features, `view:NAME`, or `label:` with one of {', '.join(LABELS)}; found "
            f"{', '.join(unknown)}. `letterpress features --list` names them all."
        )
    denied = {}
    with log_step("deny_features", denied=len(deny), allowed=len(allow)):
        for tenant, name, is_denied in changes:
            add, remove = ([name], []) if is_denied else ([], [name])
            denied = dict(change_denied(settings.paths, tenant, add=add, remove=remove))
    return {"denied": denied, "from": "the next snapshot"}


def _parse(entry: str) -> tuple[str, str]:
    tenant, equals, name = entry.rpartition("=")
    if not (tenant and equals and name):
        raise UsageError(f"expected TENANT=FEATURE, found {entry!r}; for example fern=label:shared.")
    return tenant, name
