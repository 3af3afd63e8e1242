"""Counts what the service does, as plain numbers on the hot path and Prometheus text when asked.

A labelled counter of the client library costs a lock and a look-up at every increment; these are
dictionary entries, collected into its families when `/metrics` is read. One worker counts for itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from letterpress.serving.messages import Readiness

BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Upper bounds in seconds; the last one is followed by infinity."""


class ServiceMetrics:
    """Counters of one worker. Callers add to the public ones."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.slates: Counter[tuple[str, bool]] = Counter()
        self.items_ranked: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.swaps: Counter[str] = Counter()
        self.load_failures: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[route, status] += 1
        buckets = self._buckets.get(route)
        if buckets is None:
            buckets = self._buckets.setdefault(route, [0] * (len(BUCKETS) + 1))
        buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[route] += seconds  # type: ignore[assignment]  # a Counter adds floats as well

    def to_prometheus(self, readiness: Readiness) -> bytes:
        """Everything as Prometheus text, format 0.0.4."""
        registry = CollectorRegistry()
        registry.register(_Snapshot(self, readiness))
        return generate_latest(registry)

    def families(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """The counters that the hot path filled."""
        requests = CounterMetricFamily(
            "letterpress_requests", "Answered requests.", labels=["route", "status"]
        )
        for (route, status), count in list(self.requests.items()):
            requests.add_metric([route, str(status)], count)
        yield requests
        yield self._latency()
        slates = CounterMetricFamily(
            "letterpress_slates", "Slates answered.", labels=["recommender", "explored"]
        )
        for (recommender, is_explored), count in list(self.slates.items()):
            slates.add_metric([recommender, str(is_explored).lower()], count)
        yield slates
        for name, text, label, counts in (
            ("items_ranked", "Candidates scored.", "recommender", self.items_ranked),
            ("events", "Events received.", "result", self.events),
            ("swaps", "Models and snapshots taken over while running.", "source", self.swaps),
            ("load_failures", "Models and snapshots that were refused.", "source", self.load_failures),
        ):
            family = CounterMetricFamily(f"letterpress_{name}", text, labels=[label])
            for value, count in list(counts.items()):
                family.add_metric([value], count)
            yield family

    def _latency(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(
            "letterpress_request_seconds", "From the first byte read to the last one sent.", labels=["route"]
        )
        for route, counts in list(self._buckets.items()):
            bounds = [*map(str, BUCKETS), "+Inf"]
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([route], buckets, self._seconds[route])
        return family


class _Snapshot(Collector):
    """The counters and the state of the service at the moment of a scrape."""

    def __init__(self, metrics: ServiceMetrics, readiness: Readiness) -> None:
        self._metrics, self._readiness = metrics, readiness

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily | GaugeMetricFamily]:
        yield from self._metrics.families()
        state = self._readiness
        models = GaugeMetricFamily(
            "letterpress_model_info", "The model that answers.", labels=["recommender", "model", "sha256"]
        )
        for model in state.models:
            models.add_metric([model.recommender, model.model, model.sha256], 1)
        yield models
        snapshot = GaugeMetricFamily("letterpress_snapshot_info", "The features in use.", labels=["snapshot"])
        if state.snapshot is not None:
            snapshot.add_metric([state.snapshot], 1)
        yield snapshot
        for name, text, value in (
            ("ready", "Whether slates can be answered.", int(state.ready)),
            ("problems", "Entries of `problems` in /readyz.", len(state.problems)),
            ("log_healthy", "Whether the log reaches the disk.", int(state.log.healthy)),
            ("log_pending_bytes", "Log in memory, not yet on disk.", state.log.pending_bytes),
            ("live_hours", "Hours that live counts hold.", state.live.hours),
            ("live_remembered", "Events and slates that live counts remember.", state.live.remembered),
            ("live_waiting", "Reactions to slates that are not known yet.", state.live.waiting),
            ("live_in_use", "Whether slates have live counts.", int(state.live.reason is None)),
        ):
            yield GaugeMetricFamily(f"letterpress_{name}", text, value=value)
        if state.live.lag_seconds is not None:
            lag = "How far behind the clock live counts are."
            yield GaugeMetricFamily("letterpress_live_lag_seconds", lag, value=state.live.lag_seconds)
        yield CounterMetricFamily(
            "letterpress_live_events", "Events that live counts took in.", state.live.events
        )
        yield CounterMetricFamily(
            "letterpress_unlogged_slates",
            "Slates given up while the disk was full.",
            state.log.unlogged_slates,
        )
