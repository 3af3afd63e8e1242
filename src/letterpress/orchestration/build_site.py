"""Writes the index page from what the state folder says; what is not there yet is said to be missing."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from typing import Any

import msgspec

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import ModelRefusedError, StorageError
from letterpress.events.codec import REASONS
from letterpress.lake.ingest_summary import summarise_ingest
from letterpress.lake.ledger import ledger_path
from letterpress.lake.put_aside import masked_counts, quarantined_lines
from letterpress.lake.snapshot_layout import read_current
from letterpress.log import log_step, logger
from letterpress.orchestration.dbt_docs import PAGE as DBT_DOCS
from letterpress.orchestration.feature_catalogue import feature_catalogue
from letterpress.orchestration.forget_certificate import list_certificates
from letterpress.orchestration.ingest_landing import watermark_texts
from letterpress.orchestration.run_gate import document_gates
from letterpress.quality.last_results import read_last_results
from letterpress.recommenders import RECOMMENDERS
from letterpress.registry.publication import published
from letterpress.registry.verdicts import all_verdicts
from letterpress.settings import Home, Settings
from letterpress.site.features_page import PAGE as FEATURES
from letterpress.site.features_page import write_features_page
from letterpress.site.index_page import RecommenderState, SiteState, write_site
from letterpress.site.model_card import card_page
from letterpress.site.quarantine_page import PAGE as QUARANTINE
from letterpress.site.quarantine_page import QuarantineState, ReasonState, write_quarantine_page
from letterpress.site.skew_page import PAGE as SKEW

VERDICTS_SHOWN = 6
QUARANTINED_FILES_SHOWN = 200
TENANTS_SHOWN = 50
UNREADABLE = "the line in quarantine cannot be read; `letterpress lake --verify` names its file"
"""What is said of a line that has none of `REASONS`."""


def build_site(settings: Settings, clock: Clock | None = None) -> dict[str, Any]:
    """Write the index page; where it lies, and under which address it is served.

    Raises:
        StorageError: a pointer, a verdict, the ledger or the snapshot's name cannot be read.
    """
    home = settings.paths
    marks = _watermarks(settings)
    with log_step("build_site") as counts:
        document_gates(settings)
        _write_catalogue(settings)
        state = SiteState(
            built_at=(clock or ScaledClock(settings.paths.clock)).now().isoformat(),
            links=_links(settings),
            recommenders=_recommenders(home),
            ingest=summarise_ingest(home),
            watermarks=dict(marks[:TENANTS_SHOWN]),
            tenants_left_out=max(0, len(marks) - TENANTS_SHOWN),
            gates=read_last_results(home),
            snapshot=_snapshot(home),
        )
        write_quarantine_page(home.site, _quarantine(home, state.built_at))
        page = write_site(home.site, state)
        counts["recommenders"] = len(state.recommenders)
    return {"page": str(page), "address": f"http://{settings.site.host}:{settings.site.port}/"}


def _write_catalogue(settings: Settings) -> None:
    """Write the catalogue; a damaged snapshot or model leaves the last one, as the index must still come."""
    try:
        write_features_page(settings.paths.site, feature_catalogue(settings))
    except (StorageError, ModelRefusedError) as error:
        logger.warning("feature catalogue left as it was: %s", error)


def _watermarks(settings: Settings) -> list[tuple[str, str]]:
    """Tenants and the times up to which their logs are complete, the furthest behind first."""
    if not ledger_path(settings.paths).is_file():
        return []
    return sorted(watermark_texts(settings).items(), key=lambda each: (each[1], each[0]))


def _links(settings: Settings) -> list[dict[str, str]]:
    docs = settings.paths.site / "data-docs" / "index.html"
    airflow = f"http://{settings.airflow.host}:{settings.airflow.port}/"
    service = f"http://{settings.service.host}:{settings.service.port}"
    links = [
        {"name": "Airflow", "address": airflow, "what": "runs and reruns every step"},
        {"name": "Ranking service", "address": f"{service}/readyz", "what": "is it ready, and with what"},
        {"name": "API", "address": f"{service}/docs.json", "what": "OpenAPI document of the service"},
    ]
    if (settings.paths.site / DBT_DOCS).is_file():
        links.insert(
            0, {"name": "Models", "address": DBT_DOCS, "what": "every table, its columns and its tests"}
        )
    if (settings.paths.site / FEATURES).is_file():
        what = "what rankers look at, and how much of it"
        links.append({"name": "Features", "address": FEATURES, "what": what})
    if (settings.paths.site / SKEW).is_file():
        what = "served features, computed again from raw"
        links.append({"name": "Skew audit", "address": SKEW, "what": what})
    if ledger_path(settings.paths).is_file():
        what = "which lines were no events, and why; which personal data was masked"
        links.append({"name": "Quarantine", "address": QUARANTINE, "what": what})
    if docs.is_file():
        links.insert(
            0, {"name": "Data docs", "address": "data-docs/index.html", "what": "what the gates found"}
        )
    certificates = list_certificates(settings.paths)
    if certificates:
        what = f"what was forgotten, {len(certificates)} in all; this is the newest"
        newest = max(certificates, key=lambda page: (settings.paths.site / page).stat().st_mtime)
        links.append({"name": "Certificate", "address": newest, "what": what})
    return links


def _recommenders(home: Home) -> list[RecommenderState]:
    pointers = published(home)
    return [
        RecommenderState(
            name=name,
            description=recommender.description,
            serving=msgspec.to_builtins(pointers[name]) if name in pointers else None,
            verdicts=_verdicts(home, name),
        )
        for name, recommender in RECOMMENDERS.items()
    ]


def _verdicts(home: Home, recommender: str) -> list[dict[str, Any]]:
    """The newest verdicts, newest first."""
    records = all_verdicts(home, recommender)[:VERDICTS_SHOWN]
    return [_with_card(home, msgspec.to_builtins(record)) for record in records]


def _with_card(home: Home, record: dict[str, Any]) -> dict[str, Any]:
    page = card_page(record["model"])
    return {**record, "card": page if (home.site / page).is_file() else None}


def _quarantine(home: Home, built_at: str) -> QuarantineState:
    """What the ledger says of quarantine and of masking; empty before the first ingest."""
    is_there = ledger_path(home).is_file()
    lines = [asdict(each) for each in quarantined_lines(home)] if is_there else []
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for each in lines:
        totals[each["code"]].update(lines=each["lines"], requeued=each["requeued"])
    return QuarantineState(
        built_at=built_at,
        reasons=[
            ReasonState(
                code=code,
                meaning=REASONS.get(code, UNREADABLE),
                lines=count["lines"],
                requeued=count["requeued"],
            )
            for code, count in sorted(totals.items(), key=lambda item: (-item[1]["lines"], item[0]))
        ],
        files=lines[:QUARANTINED_FILES_SHOWN],
        files_left_out=max(0, len(lines) - QUARANTINED_FILES_SHOWN),
        masked=masked_counts(home) if is_there else [],
    )


def _snapshot(home: Home) -> dict[str, Any] | None:
    current = read_current(home)
    return None if current is None else dict(msgspec.to_builtins(current))
