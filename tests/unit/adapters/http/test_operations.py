"""`/metrics` and `/statistics`: what they say, and to whom."""

from __future__ import annotations

import math
import re
from pathlib import Path

import httpx
import pytest

from tertulia.adapters.http.operations import Operations
from tertulia.observability.metrics import Distribution, Metrics, NetworkReading, Readings, ShardReading
from tests.unit.adapters.http.conftest import Server

TOKEN = "0123456789abcdef0123"
SHARDS = [
    ShardReading(
        0,
        {"transports": 2},
        {"sent_packets": 7},
        {"send_failed": 1},
        Distribution([(0.0003, 5), (math.inf, 6)], 0.002),
        NetworkReading(
            estimates=Distribution([(250_000.0, 1), (math.inf, 10)], 14e6),
            targets=Distribution([(250_000.0, 2), (math.inf, 10)], 7e6),
            probes={"found": 5, "other": 4},
            times_left_out=3,
            videos=4,
            videos_left_out=1,
        ),
    )
]


@pytest.fixture
async def open_client(server: Server, tmp_path: Path) -> httpx.AsyncClient:
    server.operations = Operations(
        Metrics(), lambda: [{"transport": 1, "connection_id": "c", "packets_sent": 3}], TOKEN
    )
    return await server.start(tmp_path / "playground.json")


@pytest.mark.parametrize("path", ["/metrics", "/statistics"])
async def test_a_token_opens_them_from_anywhere(open_client: httpx.AsyncClient, path: str) -> None:
    async with open_client as client:
        assert (await client.get(path)).status_code == 403
        assert (await client.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 403
        answer = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}", "Origin": "https://example.org"})

    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_statistics_name_the_owner_of_a_transport(open_client: httpx.AsyncClient) -> None:
    async with open_client as client:
        answer = await client.get("/statistics", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.json() == {"transports": [{"transport": 1, "connection_id": "c", "packets_sent": 3}]}


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        ("http://localhost:8080", {}, 200),
        ("http://127.0.0.1:8080", {}, 200),
        ("http://video.example.org", {}, 403),
        ("http://localhost:8080", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("http://localhost:8080", {"Forwarded": "for=127.0.0.1"}, 403),
    ],
)
async def test_without_a_token_only_this_machine_reads_them(
    server: Server, tmp_path: Path, url: str, headers: dict[str, str], status: int
) -> None:
    async with await server.start(tmp_path / "playground.json") as client:
        answer = await client.get(f"{url}/metrics", headers=headers)

    assert answer.status_code == status


async def test_another_machine_is_refused(server: Server, tmp_path: Path) -> None:
    async with await server.start(tmp_path / "playground.json") as client:
        transport = httpx.ASGITransport(server.application, client=("192.0.2.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as stranger:
            assert (await stranger.get("/metrics")).status_code == 403
        assert (await client.get("/metrics")).status_code == 200


def test_numbers_are_read_when_somebody_asks() -> None:
    metrics = Metrics()
    sessions = [1]
    metrics.read_from(
        Readings(
            sessions=lambda: sessions[-1],
            connections=lambda: {"connected": 3, "interrupted": 1},
            router_link=lambda: True,
            shards=lambda: SHARDS,
            starts=lambda: {"control": 2},
        )
    )
    metrics.requests_refused.labels("OT_RATE_LIMIT_EXCEEDED", "429").inc()
    sessions.append(5)
    text = metrics.text().decode()

    for line in (
        "tertulia_sessions 5.0",
        'tertulia_connections{state="interrupted"} 1.0',
        "tertulia_router_link_up 1.0",
        'tertulia_router_transports{shard="0"} 2.0',
        'tertulia_router_sent_packets_total{shard="0"} 7.0',
        'tertulia_router_drops_total{cause="send_failed",shard="0"} 1.0',
        'tertulia_router_sojourn_seconds_bucket{le="0.0003",shard="0"} 5.0',
        'tertulia_router_sojourn_seconds_bucket{le="+Inf",shard="0"} 6.0',
        'tertulia_router_sojourn_seconds_sum{shard="0"} 0.002',
        'tertulia_router_estimate_bits_per_second_bucket{le="250000.0",shard="0"} 1.0',
        'tertulia_router_estimate_bits_per_second_sum{shard="0"} 1.4e+07',
        'tertulia_router_target_bits_per_second_bucket{le="250000.0",shard="0"} 2.0',
        'tertulia_router_probes_total{outcome="found",shard="0"} 5.0',
        'tertulia_router_video_stops_total{shard="0"} 3.0',
        'tertulia_router_wanted_videos{shard="0"} 4.0',
        'tertulia_router_left_out_videos{shard="0"} 1.0',
        'tertulia_process_starts_total{process="control"} 2.0',
        'tertulia_requests_refused_total{code="429",error="OT_RATE_LIMIT_EXCEEDED"} 1.0',
    ):
        assert line in text.splitlines(), text


def test_every_number_says_what_it_counts() -> None:
    metrics = Metrics()
    metrics.read_from(Readings(shards=lambda: SHARDS))
    names = re.findall(r"^# TYPE (tertulia_\w+) (\w+)$", metrics.text().decode(), re.MULTILINE)

    units = (
        "seconds",
        "bytes",
        "packets",
        "sockets",
        "sessions",
        "streams",
        "connections",
        "transports",
        "videos",
        "bits_per_second",
        "up",
    )
    for name, kind in names:
        ending = "total" if kind == "counter" else "created" if name.endswith("_created") else None
        assert name.endswith(ending) if ending else name.endswith(units), name
    assert len(names) > 15
