"""Every number that operators can read, by its Prometheus name. Nothing else makes one.

Names end in a unit or in what they count; labels have few values that are known beforehand. What grows with the number
of sessions or clients has no label: its details are at `/statistics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "Metrics", "Readings", "ShardReading"]

CONTENT_TYPE = CONTENT_TYPE_LATEST

_WRITE_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""A write of the embedded store takes 1 to 5 ms; above 0.1 s every signal is late."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many took how long, or were how high.

    Attributes:
        within: Upper bounds, the last infinite, each with how many were within it.
        total: All of them together.
    """

    within: Sequence[tuple[float, int]]
    total: float


@dataclass(frozen=True, slots=True)
class NetworkReading:
    """What is known of the networks of one shard's subscribers, each of which counts once in 2 s; rates in bit/s.

    Attributes:
        estimates: What may be sent to each.
        targets: What was chosen for that, sound and videos.
        probes: How often a network was asked whether it bears more, by what came of it.
        times_left_out: How often a video was left out.
        videos: Those that are wanted now.
        videos_left_out: Those of them that the network does not bear.
    """

    estimates: Distribution
    targets: Distribution
    probes: Mapping[str, int]
    times_left_out: int
    videos: int
    videos_left_out: int


@dataclass(frozen=True, slots=True)
class ShardReading:
    """What one shard of the router has counted since it started, and its gauges as they are now."""

    shard: int
    gauges: Mapping[str, int]
    counters: Mapping[str, int]
    drops: Mapping[str, int]
    sojourns: Distribution | None = None
    networks: NetworkReading | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """What is read when somebody asks, each from where it is kept anyway.

    Attributes:
        connections: Seats by where they stand.
        starts: How often the supervisor has started each process since the server was started.
    """

    sessions: Callable[[], int] = lambda: 0
    streams: Callable[[], int] = lambda: 0
    connections: Callable[[], Mapping[str, int]] = dict
    pending_sockets: Callable[[], int] = lambda: 0
    expelled_sockets: Callable[[], int] = lambda: 0
    router_link: Callable[[], bool] = lambda: False
    shards: Callable[[], Iterable[ShardReading]] = tuple
    starts: Callable[[], Mapping[str, int]] = dict


class Metrics:
    """The numbers of one control process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.sockets = self._gauge("tertulia_sockets", "Signalling sockets that are open.")
        self.sockets_closed = self._counter(
            "tertulia_sockets_closed_total", "Signalling sockets that ended, by what this side said.", "why"
        )
        self.joins = self._counter("tertulia_joins_total", "Clients that asked for a seat.", "outcome")
        self.resumes = self._counter("tertulia_resumes_total", "Clients that asked for their seat again.", "outcome")
        self.signals = self._counter("tertulia_signals_total", "Signals that were stored and sent on.")
        self.requests_refused = self._counter(
            "tertulia_requests_refused_total", "Requests of clients that were answered with an error.", "error", "code"
        )
        self.store_write = Histogram(
            "tertulia_store_write_seconds",
            "Time from the start of a transaction to its commit.",
            buckets=_WRITE_SECONDS,
            registry=self.registry,
        )
        self.store_writes_failed = self._counter(
            "tertulia_store_writes_failed_total", "Transactions that could not be committed."
        )
        self.callback_attempts = self._counter(
            "tertulia_callback_attempts_total", "Callbacks that were sent, by what the receiver made of it.", "outcome"
        )
        self.router_connects = self._counter(
            "tertulia_router_link_connects_total", "How often the link to the media router came up."
        )
        self.router_requests_failed = self._counter(
            "tertulia_router_requests_failed_total", "Requests that the media router refused or did not answer."
        )

    def read_from(self, readings: Readings) -> None:
        """Read these numbers whenever somebody asks."""
        self.registry.register(_Reader(readings))

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self.registry)


@dataclass(frozen=True, slots=True)
class _Reader(Collector):
    """Asks at the moment of the question."""

    readings: Readings
    described: tuple[Metric, ...] = field(default=())

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: some names are known only once the router has spoken."""
        return self.described

    def collect(self) -> Iterable[Metric]:
        """Every number of `Readings`."""
        now = self.readings
        yield GaugeMetricFamily("tertulia_sessions", "Sessions in memory.", now.sessions())
        yield GaugeMetricFamily("tertulia_streams", "Streams that are published.", now.streams())
        connections = GaugeMetricFamily("tertulia_connections", "Seats, by where they stand.", labels=["state"])
        for state, count in now.connections().items():
            connections.add_metric([state], count)
        yield connections
        yield GaugeMetricFamily(
            "tertulia_pending_sockets", "Connections whose client has proven nothing yet.", now.pending_sockets()
        )
        yield CounterMetricFamily(
            "tertulia_expelled_sockets", "Such connections that had to give way to newer ones.", now.expelled_sockets()
        )
        yield GaugeMetricFamily(
            "tertulia_router_link_up", "1 while the media router is connected.", float(now.router_link())
        )
        starts = CounterMetricFamily(
            "tertulia_process_starts", "How often the supervisor has started a process.", labels=["process"]
        )
        for process, count in now.starts().items():
            starts.add_metric([process], count)
        yield starts
        yield from _of_shards(list(now.shards()))


def _of_shards(shards: list[ShardReading]) -> Iterable[Metric]:
    families: dict[str, Metric] = {}
    drops = CounterMetricFamily(
        "tertulia_router_drops", "Packets that the router dropped, by cause.", labels=["shard", "cause"]
    )
    sojourns = HistogramMetricFamily(
        "tertulia_router_sojourn_seconds",
        "From the kernel's receipt of a packet to the return of the call that sent a copy, of one packet in 100.",
        labels=["shard"],
    )
    for reading in shards:
        shard = str(reading.shard)
        for name, value in reading.gauges.items():
            gauge = families.setdefault(
                name, GaugeMetricFamily(f"tertulia_router_{name}", "Of one shard, now.", labels=["shard"])
            )
            gauge.add_sample(f"tertulia_router_{name}", {"shard": shard}, value)
        for name, value in reading.counters.items():
            counter = families.setdefault(
                name,
                CounterMetricFamily(
                    f"tertulia_router_{name}", "Of one shard, since the router started.", labels=["shard"]
                ),
            )
            counter.add_sample(f"tertulia_router_{name}_total", {"shard": shard}, value)
        for cause, value in reading.drops.items():
            drops.add_metric([shard, cause], value)
        if reading.sojourns is not None:
            _add(sojourns, shard, reading.sojourns)
    yield from families.values()
    if shards:
        yield drops
        yield sojourns
        yield from _of_networks({str(reading.shard): reading.networks for reading in shards if reading.networks})


def _of_networks(readings: Mapping[str, NetworkReading]) -> Iterable[Metric]:
    """Of all shards that tell it."""
    labels = ["shard"]
    estimates = HistogramMetricFamily(
        "tertulia_router_estimate_bits_per_second",
        "What may be sent to a subscriber, of each once in 2 s, if something is known of its network.",
        labels=labels,
    )
    targets = HistogramMetricFamily(
        "tertulia_router_target_bits_per_second", "What was chosen for it, sound and videos, likewise.", labels=labels
    )
    probes = CounterMetricFamily(
        "tertulia_router_probes",
        "How often a subscriber's network was asked with extra packets whether it bears more, by what came of it.",
        labels=["shard", "outcome"],
    )
    times = CounterMetricFamily(
        "tertulia_router_video_stops",
        "How often a video was left out for a subscriber's bandwidth.",
        labels=labels,
    )
    videos = GaugeMetricFamily("tertulia_router_wanted_videos", "Videos that subscribers want, now.", labels=labels)
    left_out = GaugeMetricFamily(
        "tertulia_router_left_out_videos", "Those of them that are left out for bandwidth, now.", labels=labels
    )
    for shard, reading in readings.items():
        _add(estimates, shard, reading.estimates)
        _add(targets, shard, reading.targets)
        for outcome, count in reading.probes.items():
            probes.add_metric([shard, outcome], count)
        times.add_metric([shard], reading.times_left_out)
        videos.add_metric([shard], reading.videos)
        left_out.add_metric([shard], reading.videos_left_out)
    return estimates, targets, probes, times, videos, left_out


def _add(histogram: HistogramMetricFamily, shard: str, distribution: Distribution) -> None:
    within = [("+Inf" if bound == math.inf else str(bound), float(count)) for bound, count in distribution.within]
    histogram.add_metric([shard], within, distribution.total)
