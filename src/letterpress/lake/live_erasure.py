"""Takes a tenant, or a recipient, out of the live log, whose lines nobody else rewrites (ADR 0026)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from letterpress.atomic_file import write_atomically
from letterpress.lake.live_log import is_growing, live_log_folder
from letterpress.lake.mentions import pseudonyms_of
from letterpress.lake.retention import PERSONAL
from letterpress.lake.subject import Subject
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.settings import Home


def erase_from_live(home: Home, subject: Subject) -> int:
    """How many lines were removed or changed, in all files that no worker still writes to.

    A tenant's lines go. A recipient's identifier goes and the line stays, as in raw; a line that still names
    the subject elsewhere goes too. Before the keys are destroyed.
    """
    keys = TenantKeys(home.keys)
    folder = live_log_folder(home.live)
    paths = sorted(folder.glob("[!.]*.jsonl")) if folder.is_dir() else []
    return sum(_rewrite(path, subject, keys) for path in paths if not is_growing(home, path.name))


def _rewrite(path: Path, subject: Subject, keys: TenantKeys) -> int:
    lines = path.read_bytes().splitlines(keepends=True)
    judged = [_without(subject, line, keys) for line in lines]
    changed = sum(new != old for new, old in zip(judged, lines, strict=True))
    if changed:
        write_atomically(path, b"".join(judged), mode=0o600)
    return changed


def _without(subject: Subject, line: bytes, keys: TenantKeys) -> bytes:
    """The line without the subject; nothing when it is all about it, or cannot be read."""
    try:
        event: dict[str, Any] = json.loads(line)
        tenant = str(event["tenant"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return b""
    if subject.tenant not in (None, tenant):
        return b"" if subject.kind == "tenant" and subject.is_named_in(line) else line
    if subject.kind == "tenant":
        return b""
    known_as = pseudonyms_of(subject, [tenant], keys) | subject.spellings
    kept = {name: value for name, value in event.items() if name not in PERSONAL or value not in known_as}
    if kept != event:
        line = json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    return b"" if subject.is_named_in(line) else line
