"""How long packets were in the router, from the histogram that it tells control."""

from __future__ import annotations

import time
import urllib.request
from collections import Counter

NAME = "tertulia_router_sojourn_seconds_bucket"
# The router tells every 2 s; asking often would load the core on which the clients are.
TOLD_WITHIN_S, ASK_EVERY_S = 2.5, 0.25


def read(url: str) -> Counter[float]:
    """How many were within each bound, in seconds, of all shards since the router started; at most 2 s old."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    within: Counter[float] = Counter()
    for line in lines:
        if line.startswith(NAME):
            labels, _, count = line.rpartition(" ")
            within[float(labels.partition('le="')[2].partition('"')[0])] += round(float(count))
    return within


def read_anew(url: str) -> Counter[float]:
    """As `read`, once the router has told anew, so that all that was before this call is in it, or 2.5 s later."""
    former = newest = read(url)
    give_up_at = time.monotonic() + TOLD_WITHIN_S
    while newest == former and time.monotonic() < give_up_at:
        time.sleep(ASK_EVERY_S)
        newest = read(url)
    return newest


def percentile_ms(before: Counter[float], after: Counter[float], share: float) -> float:
    """What `share` (0 to 1) of those between two readings did not exceed, in ms, evenly spread between two bounds.

    Raises ValueError if there are none.
    """
    within = sorted((bound, count - before[bound]) for bound, count in after.items())
    if not within or not within[-1][1]:
        raise ValueError("no packet was followed")
    wanted = share * within[-1][1]
    low, below = 0.0, 0
    for bound, count in within:
        if count >= wanted and count > below:
            # Beyond the last bound nothing is known.
            high = low if bound == float("inf") else bound
            return 1000 * (low + (high - low) * (wanted - below) / (count - below))
        low, below = bound, count
    return 1000 * low


def spread_ms(before: Counter[float], after: Counter[float]) -> dict[str, float]:
    """The median and the 99th percentile; nothing if no packet was followed."""
    if before.total() == after.total():
        return {}
    return {name: percentile_ms(before, after, share) for name, share in (("p50", 0.5), ("p99", 0.99))}
