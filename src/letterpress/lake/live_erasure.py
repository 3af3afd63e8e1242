"""Takes who is forgotten, and what is too old, out of the live log, which nobody else rewrites (ADR 0026).

Workers that have read the lines before find a mark, and count anew from what is left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from letterpress.atomic_file import write_atomically
from letterpress.lake.live_log import is_growing, live_log_folder, note_erased
from letterpress.lake.mentions import pseudonyms_of
from letterpress.lake.retention import IDENTIFIER, PERSONAL, is_too_old
from letterpress.lake.subject import Subject
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.settings import Home

PERSONAL_NAMES = frozenset(PERSONAL)


def erase_from_live(home: Home, subject: Subject) -> int:
    """How many lines were removed or changed, in all files that no worker still writes to.

    A tenant's lines go. A recipient's identifier goes and the line stays, as in raw; a line that still names
    the subject elsewhere goes too. Before the keys are destroyed.
    """
    keys = TenantKeys(home.keys)
    return _rewrite_all(home, lambda line: _without(subject, line, keys))


def retain_in_live(home: Home, limits: Mapping[str, datetime]) -> int:
    """How many lines were removed, or lost their identifiers, as older than the `limits` of `limits_of`."""
    return _rewrite_all(home, lambda line: _young(limits, line)) if limits else 0


def _rewrite_all(home: Home, judge: Callable[[bytes], bytes]) -> int:
    folder = live_log_folder(home.live)
    paths = sorted(folder.glob("[!.]*.jsonl")) if folder.is_dir() else []
    changed = 0
    for path in paths:
        if not is_growing(home, path.name) and (found := _rewrite(path, judge)):
            changed += found
            note_erased(home)  # at once: after a kill nothing would be found to change here
    return changed


def _rewrite(path: Path, judge: Callable[[bytes], bytes]) -> int:
    lines = path.read_bytes().splitlines(keepends=True)
    judged = list(map(judge, lines))
    changed = sum(new != old for new, old in zip(judged, lines, strict=True))
    if changed:
        write_atomically(path, b"".join(judged), mode=0o600)
    return changed


def _young(limits: Mapping[str, datetime], line: bytes) -> bytes:
    """The line as it may stay; nothing when it is too old, or cannot be read."""
    try:
        event: dict[str, Any] = json.loads(line)
        name, at = str(event["type"]), datetime.fromisoformat(event["occurred_at"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return b""
    if at.tzinfo is None or is_too_old(at, limits.get(name)):
        return b""
    if not is_too_old(at, limits.get(IDENTIFIER)) or not PERSONAL_NAMES & event.keys():
        return line
    return _encode({name: value for name, value in event.items() if name not in PERSONAL_NAMES})


def _encode(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


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
        line = _encode(kept)
    return b"" if subject.is_named_in(line) else line
