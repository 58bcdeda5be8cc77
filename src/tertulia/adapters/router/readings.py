"""The router's newest counters, as it last told them."""

import math
from collections.abc import Sequence
from itertools import accumulate

from tertulia.observability.metrics import Distribution, NetworkReading, ShardReading
from tertulia.wire import router as wire

__all__ = ["RouterReadings"]

OTHER_CAUSE = "other"
"""What a newer router calls by a name that we do not know."""


class RouterReadings:
    """Counters by shard and by transport; empty while the router is away."""

    def __init__(self) -> None:
        self._shards: Sequence[wire.Shard] = ()
        self._transports: dict[int, wire.Statistics] = {}

    def take(self, event: wire.Statistics | wire.RouterStatistics) -> None:
        """Keep the newest counters."""
        if isinstance(event, wire.RouterStatistics):
            self._shards = event.shards
        else:
            self._transports[event.transport] = event

    def close(self, transport: int) -> None:
        """Forget a transport that has ended."""
        self._transports.pop(transport, None)

    def forget(self) -> None:
        """Forget everything: the router has gone, and the next one begins at zero."""
        self._shards = ()
        self._transports.clear()

    @property
    def transports(self) -> dict[int, wire.Statistics]:
        """The newest counters of each transport."""
        return dict(self._transports)

    def shards(self) -> list[ShardReading]:
        """The newest counters of each shard."""
        return [
            ShardReading(
                shard=shard.shard,
                gauges={
                    "transports": shard.transports,
                    "tcp_connections": shard.tcp_connections,
                    "largest_batch_packets": shard.largest_batch,
                },
                counters={
                    "received_packets": shard.packets_received,
                    "received_bytes": shard.bytes_received,
                    "sent_packets": shard.packets_sent,
                    "sent_bytes": shard.bytes_sent,
                    "retransmitted_packets": shard.retransmissions,
                    "handed_over_packets": shard.handed_over,
                    "system_calls": shard.system_calls,
                },
                drops=_by_cause(shard.drops),
                sojourns=_in_seconds(shard.sojourns),
                networks=_of_networks(shard.networks),
            )
            for shard in self._shards
        ]


def _in_seconds(sojourns: wire.Sojourns | None) -> Distribution | None:
    if sojourns is None:
        return None
    return _distribution([bound / 1e6 for bound in sojourns.bounds_us], sojourns.counts, sojourns.sum_us / 1e6)


def _of_networks(networks: wire.Networks | None) -> NetworkReading | None:
    if networks is None:
        return None
    bounds = [bound * 1e3 for bound in networks.bounds_kbps]
    estimates, targets = (
        _distribution(bounds, rates.counts, rates.sum_kbps * 1e3) for rates in (networks.estimates, networks.targets)
    )
    if estimates is None or targets is None:
        return None
    return NetworkReading(
        estimates=estimates,
        targets=targets,
        probes={"found": networks.probes_found, "other": networks.probes - networks.probes_found},
        times_left_out=networks.times_left_out,
        videos=networks.videos,
        videos_left_out=networks.videos_left_out,
    )


def _distribution(bounds: Sequence[float], counts: Sequence[int], total: float) -> Distribution | None:
    if len(counts) != len(bounds) + 1:
        return None
    return Distribution(list(zip([*bounds, math.inf], accumulate(counts), strict=True)), total)


def _by_cause(drops: Sequence[wire.Drop]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for drop in drops:
        cause = drop.cause if drop.cause in wire.DROP_CAUSES else OTHER_CAUSE
        counted[cause] = counted.get(cause, 0) + drop.count
    return counted
