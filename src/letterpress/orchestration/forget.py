"""Forgets a tenant or a recipient everywhere under the home, and certifies it (ADR 0015).

Every step can be repeated. What left raw and quarantine is committed to the ledger with its numbers, so a run
that was killed is completed by the next one of the same subject, and its certificate tells of both.
"""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import AlreadyRunningError, NotEnoughDataError
from letterpress.lake.denied_features import forget_denied
from letterpress.lake.erasure import Erased, count_traces, erase, finish
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.live_erasure import erase_from_live
from letterpress.lake.live_log import OPEN_SUFFIX
from letterpress.lake.masking import mask_name
from letterpress.lake.mentions import find_mentions
from letterpress.lake.residue import find_names, names_in_folder, overwrite_names, unreadable_copies
from letterpress.lake.service_log import service_log_folder
from letterpress.lake.snapshot_history import forget_in_history
from letterpress.lake.snapshot_layout import CURRENT, read_current
from letterpress.lake.snapshots import keep_only_current
from letterpress.lake.subject import Subject, forgetting_folder, request_id
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.lake.warehouse import connect_warehouse
from letterpress.log import log_step
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.forget_certificate import existing_certificate, write_certificate
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.recommenders import RECOMMENDERS
from letterpress.registry.lineage import affected_models
from letterpress.registry.packaging import bento_store
from letterpress.serving.event_log import land_abandoned
from letterpress.settings import Home, Settings

_LOOK_SECONDS = 0.2
_GRACE_SECONDS = 3.0


def forget(
    settings: Settings,
    subject: Subject,
    *,
    clock: Clock | None = None,
    dry_run: bool = False,
    wait_seconds: float = 30.0,
) -> dict[str, Any]:
    """Remove a tenant, or unlink a recipient, and say what was done where; also written as a certificate.

    With `dry_run` raw and quarantine are counted and nothing is changed. A subject that nobody knows is
    forgotten with counts of zero.

    Raises:
        AlreadyRunningError: an ingest or another forgetting runs.
        BrokenError: another process writes the warehouse.
        StorageError: a file of raw is damaged.
    """
    home = settings.paths
    if subject.tenant is not None:
        subject = replace(subject, tenant=mask_name(subject.tenant, TenantKeys(home.keys)))
    with _only_one(home), log_step("forget", kind=subject.kind, dry_run=dry_run) as counts:
        request = request_id(home, subject)
        counts["request"] = request
        if dry_run:
            with hold_ingest_lock(home, wait_seconds):
                found = count_traces(home, subject)
            return {"request": request, "dry_run": True, **_numbers(found)}
        _require_free_warehouse(settings)
        still_open = _land_service_log(settings)
        ingest_landing(settings, clock)
        at = (clock or ScaledClock(home.clock)).now()
        with hold_ingest_lock(home, wait_seconds):
            erased = erase(home, subject, request, at)
        erase_from_live(home, subject)
        result = _finish(settings, subject, request, erased, still_open, clock)
        counts.update(_numbers(erased), left=len(result["left"]))
    return result


def _finish(
    settings: Settings,
    subject: Subject,
    request: str,
    erased: Erased,
    still_open: list[str],
    clock: Clock | None,
) -> dict[str, Any]:
    """Everything that follows from raw and quarantine being clean; repeatable."""
    home = settings.paths
    models = _models(home, subject, erased)
    if subject.kind == "tenant":
        forget_denied(home, subject.tenant or "")
        forget_in_history(home, subject.tenant or "")
        shutil.rmtree(home.sentences, ignore_errors=True)  # whose texts they were nobody knows any more
    rebuilt = _rebuild(settings, subject, erased, clock)
    if subject.kind == "tenant":
        TenantKeys(home.keys).destroy(subject.tenant or "")
    seeds = _drop_packed_features(home, subject)
    files, places = overwrite_names(home, subject)
    left = [
        *find_names(home, subject),
        *find_mentions(home, subject, TenantKeys(home.keys)),
        *unreadable_copies(home),
    ]
    result = {
        "request": request,
        "kind": subject.kind,
        "started_at": erased.started_at,
        "finished_at": (clock or ScaledClock(home.clock)).now().isoformat(),
        "found": erased.found_something or bool(rebuilt or seeds or places),
        **_numbers(erased),
        "rebuilt": rebuilt,
        "packed_features_removed": seeds,
        "texts": {"files": files, "places": places},
        "files": [_file(each) for each in erased.files],
        "models": models,
        "retrain": _retraining(subject, models),
        "still_open": still_open,
        "left": left,
    }
    earlier = existing_certificate(home, request)
    if not result["found"] and earlier is not None:
        result["certificate"] = str(earlier)
    else:
        result["certificate"] = str(write_certificate(home, result))
    finish(home, request, (clock or ScaledClock(home.clock)).now())
    return result


def _numbers(erased: Erased) -> dict[str, int]:
    return {
        "raw_removed": erased.raw_removed,
        "raw_unlinked": erased.raw_unlinked,
        "raw_overwritten": erased.raw_overwritten,
        "quarantine_removed": erased.quarantine_removed,
    }


def _file(each: Any) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__slots__}


@contextmanager
def _only_one(home: Home) -> Iterator[None]:
    folder = forgetting_folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"expected to be the only one that forgets in {home.root}, found another under way. Wait for "
                "it to end, then run this again."
            ) from None
        yield


def _require_free_warehouse(settings: Settings) -> None:
    if settings.paths.warehouse.exists():
        with connect_warehouse(settings.paths, read_only=False, threads=1):
            pass


def _land_service_log(settings: Settings) -> list[str]:
    """Wait, bounded, until a running service has landed what it logged; the files that stayed open."""
    folder = service_log_folder(settings.paths)
    land_abandoned(folder)
    before = {path for path in folder.glob(f"*{OPEN_SUFFIX}") if path.stat().st_size}
    deadline = time.monotonic() + settings.service.log_rotate_seconds + _GRACE_SECONDS
    while (waiting := [path for path in before if path.exists()]) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return sorted(str(path.relative_to(settings.paths.root)) for path in waiting)


def _models(home: Home, subject: Subject, erased: Erased) -> list[dict[str, Any]]:
    """The versions that learned from the subject, by the recommenders whose raw files held it."""
    touched = {
        part.removeprefix("recommender=")
        for each in erased.files
        for part in each.path.split("/")
        if part.startswith("recommender=")
    }
    found = [
        model
        for recommender in RECOMMENDERS
        for model in affected_models(home, recommender, subject.tenant)
        if recommender in touched or (subject.kind == "tenant" and model.rows is not None)
    ]
    return [
        {"model": each.model, "snapshot": each.snapshot, "rows": each.rows, "aliases": list(each.aliases)}
        for each in found
    ]


def _retraining(subject: Subject, models: list[dict[str, Any]]) -> list[str]:
    """The recommenders to train again; none for a recipient, whose events stay as counts."""
    if subject.kind == "recipient":
        return []
    return sorted({str(model["model"]).rpartition("/")[0] for model in models})


def _rebuild(
    settings: Settings, subject: Subject, erased: Erased, clock: Clock | None
) -> dict[str, Any] | None:
    """Warehouse and snapshot made anew from raw, all older ones gone; None when nothing built held a name.

    A file that is written anew has no free pages with old rows in them.
    """
    home = settings.paths
    named = subject.kind == "tenant" and names_in_folder(home.snapshots, subject)
    if not (erased.changed_what_is_built_on or named):
        return None
    for path in (home.warehouse, home.warehouse.with_name(f"{home.warehouse.name}.wal")):
        path.unlink(missing_ok=True)
    shutil.rmtree(home.warehouse.with_name(f"{home.warehouse.name}.tmp"), ignore_errors=True)  # spilled rows
    if read_current(home) is None:
        return {"warehouse": "removed", "snapshot": None}
    try:
        build_features(settings)
        snapshot = publish_features(settings, clock=clock)["snapshot"]
    except NotEnoughDataError:
        shutil.rmtree(home.snapshots)
        return {"warehouse": "removed: nothing is left in raw", "snapshot": None}
    keep_only_current(home)
    return {"warehouse": "built anew", "snapshot": snapshot}


def _drop_packed_features(home: Home, subject: Subject) -> list[str]:
    """Bentos carry features for a first start elsewhere; those that name the subject lose them."""
    seeds = bento_store(home).glob(f"bentos/*/*/src/packed/snapshots/{CURRENT}")
    found = sorted(path.parent for path in seeds if names_in_folder(path.parent, subject))
    for folder in found:
        shutil.rmtree(folder)
    return [f"{folder.parents[3].name}:{folder.parents[2].name}" for folder in found]
