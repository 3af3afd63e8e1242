"""The service without HTTP: starts and stops its parts, ranks, logs, and says how it is."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec

from letterpress import __version__
from letterpress.clock import Clock, ScaledClock
from letterpress.events.codec import encode
from letterpress.lake.service_log import service_log_folder
from letterpress.lake.tenant_keys import StandInKeys, TenantKeys
from letterpress.recommenders import get_recommender
from letterpress.serving.audit_sample import AuditSample
from letterpress.serving.event_intake import EventIntake
from letterpress.serving.event_log import EventLog
from letterpress.serving.messages import ModelState, RankRequest, Readiness
from letterpress.serving.openapi import build_document
from letterpress.serving.overlay import Overlay
from letterpress.serving.private_request import make_private
from letterpress.serving.problems import problem, wrong_body
from letterpress.serving.service_metrics import ServiceMetrics
from letterpress.serving.slate import Known, RankedSlate, rank_slate
from letterpress.serving.watcher import SNAPSHOT, Watcher
from letterpress.settings import Home, Settings

SWITCH_SECONDS = 0.0005
"""How long the writer or the watcher may hold the interpreter while a request waits; 5 ms by default."""


class RankingService:
    """One worker's service. `start` before the first request, `stop` after the last."""

    def __init__(self, settings: Settings, clock: Clock | None = None, *, packed: Home | None = None) -> None:
        self.settings = settings
        self.clock = clock or ScaledClock(settings.paths.clock)
        self.metrics = ServiceMetrics()
        home, options = settings.paths, settings.service
        self.log = EventLog(
            service_log_folder(home),
            self.clock,
            flush_seconds=options.log_flush_seconds,
            rotate_seconds=options.log_rotate_seconds,
            live=home.live,
        )
        self.keys = TenantKeys(home.keys)
        self.audit = AuditSample(options.audit_share, options.audit_vectors_per_hour)
        self.intake = EventIntake(self.log, self.clock, self.metrics.events, self.keys)
        self.watcher = Watcher(home, self.metrics.swaps, self.metrics.load_failures, packed=packed)
        self.overlay = Overlay(home, self.clock, lambda: self.watcher.loaded.snapshot)
        needs_token = options.token is not None
        document = build_document(version=__version__, needs_token=needs_token)
        self.openapi = msgspec.json.encode(document)

    def start(self) -> None:
        sys.setswitchinterval(SWITCH_SECONDS)
        self.log.start()
        self.watcher.start()
        self.overlay.start()

    def stop(self) -> None:
        """Write and land what was logged; nothing that was answered is lost."""
        self.overlay.stop()
        self.watcher.stop()
        self.log.stop()

    async def rank(self, request: RankRequest, *, has_escapes: bool = True) -> RankedSlate:
        """The slate for `request`; give it to `log_slate` when it was sent.

        A tenant's first key is made beside the event loop, and only for a request that can be ranked.

        Raises:
            UnknownRecommenderError, RequestProblemError: it cannot be ranked; says why.
            StorageError: it holds personal data, and the key to hide it with cannot be read or made.
        """
        keys = StandInKeys(self.keys)
        ranked = self._rank(request, keys, has_escapes=has_escapes)
        if keys.missing:
            await asyncio.to_thread(self.keys.make, keys.missing)
            ranked = self._rank(request, self.keys, has_escapes=has_escapes)
        self.metrics.slates[request.recommender, ranked.is_explored] += 1
        self.metrics.items_ranked[request.recommender] += len(ranked.scores)
        return ranked

    def _rank(self, request: RankRequest, keys: TenantKeys, *, has_escapes: bool) -> RankedSlate:
        loaded = self.watcher.loaded
        model = loaded.models.get(request.recommender)
        if model is None or loaded.snapshot is None:
            get_recommender(request.recommender)
            missing = "model" if model is None else SNAPSHOT
            source = request.recommender if model is None else SNAPSHOT
            reason = loaded.problems.get(
                source,
                f"no {missing} of {request.recommender} was published yet; it comes with the first run.",
            )
            raise problem(503, "Not ready", reason, headers=((b"retry-after", b"5"),))
        private, names = make_private(request, keys)
        return rank_slate(
            model,
            Known(loaded.snapshot, self.overlay),
            private,
            self.clock.now(),
            max_items=self.settings.service.max_items,
            audit=self.audit,
            has_escapes=has_escapes,
            names=names,
        )

    async def rank_document(self, document: dict[str, Any]) -> dict[str, Any]:
        """The same for plain JSON values; the slate is logged.

        Raises:
            UnknownRecommenderError, RequestProblemError: it cannot be ranked; says why.
        """
        try:
            request = msgspec.convert(document, RankRequest)
        except msgspec.ValidationError as error:
            raise wrong_body(error) from error
        ranked = await self.rank(request)
        self.log_slate(ranked)
        answer: dict[str, Any] = msgspec.to_builtins(ranked.to_answer())
        return answer

    def log_slate(self, ranked: RankedSlate) -> None:
        """Log what was shown, with the features that the model saw; written within a flush."""
        self.log.append_stamped(lambda received_at: encode(ranked.to_event(received_at)))

    def readiness(self) -> Readiness:
        """Ready as long as one model can answer; a log that fails is a problem, but slates go on."""
        loaded, log = self.watcher.loaded, self.log.state()
        problems = dict(loaded.problems)
        if loaded.snapshot is None and SNAPSHOT not in problems:
            problems[SNAPSHOT] = "no snapshot was published yet; run `letterpress features`."
        if not loaded.models and not problems.keys() - {SNAPSHOT}:
            problems["models"] = "no model was published yet; run `letterpress train`."
        if log.reason is not None:
            problems["log"] = log.reason
        if self.watcher.has_died:
            problems["watcher"] = "it died, see the log; restart the service to take over newer models."
        if self.overlay.has_died:
            problems["overlay"] = "it died, see the log; restart the service to count live events again."
        models = [
            ModelState(
                recommender=name,
                model=model.model,
                sha256=model.publication.sha256,
                scorer=type(model.scorer).__name__,
            )
            for name, model in sorted(loaded.models.items())
        ]
        return Readiness(
            ready=bool(models) and loaded.snapshot is not None,
            now=self.clock.now(),
            models=models,
            snapshot=None if loaded.snapshot is None else loaded.snapshot.snapshot_id,
            log=log,
            live=self.overlay.state(),
            problems=problems,
        )
