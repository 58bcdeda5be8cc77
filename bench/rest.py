"""Scenarios on the REST API and its tokens."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.figures import Bar, Figure, percentile
from tertulia import Session
from tertulia.clock import WallTime
from tertulia.domain.project import Project
from tertulia.ids import ApiKey
from tertulia.wire.tokens import (
    encode_jwt,
    encode_rest_token,
    encode_t1,
    verify_client_token,
    verify_rest_token,
)
from tests.servers import TertuliaServer

CREATORS = 32
CREATING_S = 5.0
CHECKS = 20_000
IDLE = 1_000
JOINING_AT_ONCE = 50
SIGNALS = 500
DEADLINE_S = 120
_TICKS_S = os.sysconf("SC_CLK_TCK")


async def rest_figures(server: TertuliaServer) -> list[Figure]:
    """All of them."""
    return [*token_checks(), await session_creations(server), await signal_arrivals(server)]


class Caller:
    """One kept-alive connection to the server, which asks one thing after the other. Use it as a context manager."""

    def __init__(self, server: TertuliaServer) -> None:
        self._server = server
        self._host = urllib.parse.urlsplit(server.url).netloc

    async def __aenter__(self) -> Self:
        parts = urllib.parse.urlsplit(self._server.url)
        self._reader, self._writer = await asyncio.open_connection(parts.hostname, parts.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self, path: str, content_type: str, body: bytes) -> int:
        """Ask once, with a token of its own as the SDKs make it; returns the status."""
        server = self._server
        token = encode_rest_token(api_key=server.api_key, api_secret=server.api_secret, now_s=int(time.time()))
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nAccept: application/json\r\nX-OPENTOK-AUTH: {token}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        _, found, rest = answer.partition(b"content-length: ")
        if found:
            await self._reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        return int(answer.split(b" ", 2)[1])


def token_checks() -> list[Figure]:
    """How many tokens one core checks, by kind: the best of five runs, for other programs only ever take time."""
    now_s = int(time.time())
    project = Project(ApiKey("40012345"), "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68")
    session_id = "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"

    def find(_: str) -> Project:
        return project

    now = WallTime(now_s * 1000)
    t1, jwt = [
        encode(
            api_key=project.api_key,
            api_secret=project.api_secret,
            session_id=session_id,
            created_at_s=now_s,
            connection_data="user=17&name=Ida",
        )
        for encode in (encode_t1, encode_jwt)
    ]
    rest = encode_rest_token(api_key=project.api_key, api_secret=project.api_secret, now_s=now_s)
    rates = {
        "T1": checks_a_second(lambda: verify_client_token(t1, find, now)),
        "JWT": checks_a_second(lambda: verify_client_token(jwt, find, now)),
        "of REST": checks_a_second(lambda: verify_rest_token(rest, find, now)),
    }
    bars = tuple(Bar(name, at_least=20_000.0) for name in rates)
    return [Figure("tokens checked on one core, best of 5", "1/s", rates, bars)]


def checks_a_second(check: Callable[[], object]) -> float:
    """By the process's own time on the processor."""
    best = 0.0
    for _ in range(5):
        began = time.process_time()
        for _ in range(CHECKS):
            check()
        best = max(best, CHECKS / (time.process_time() - began))
    return best


async def session_creations(server: TertuliaServer) -> Figure:
    """Sessions made through the REST API on SQLite, by as many callers at once as keep control busy."""
    ends_at = time.perf_counter() + CREATING_S
    used_s = control_cpu_s(server)

    async def create() -> int:
        made = 0
        async with Caller(server) as caller:
            while time.perf_counter() < ends_at:
                status = await caller.post(
                    "/session/create", "application/x-www-form-urlencoded", b"p2p.preference=disabled"
                )
                assert status == 200
                made += 1
        return made

    async with asyncio.timeout(DEADLINE_S):
        made = sum(await asyncio.gather(*(create() for _ in range(CREATORS))))
    busy_s = control_cpu_s(server) - used_s
    return Figure(
        f"sessions created over REST on SQLite, {CREATORS} callers for {CREATING_S:.0f} s",
        "1/s",
        {"a second": made / CREATING_S, "a CPU second of control": made / busy_s},
        (Bar("a CPU second of control", at_least=1_500.0),),
    )


async def signal_arrivals(server: TertuliaServer) -> Figure:
    """From the REST call of a signal to its event at a Python client, with a thousand others connected and idle."""
    session_id, crowd_id = server.create_session(), server.create_session()
    listener = Session(server.api_key, session_id, server=server.url)
    heard: asyncio.Queue[float] = asyncio.Queue()
    listener.on("signal:bench", lambda _: heard.put_nowait(time.perf_counter()))
    crowd = [
        Session(server.api_key, crowd_id, server=server.url, connection_events_suppressed=True) for _ in range(IDLE)
    ]
    gate = asyncio.Semaphore(JOINING_AT_ONCE)

    async def join(session: Session) -> None:
        async with gate:
            await session.connect(server.token(crowd_id))

    samples = []
    path = f"/v2/project/{server.api_key}/session/{session_id}/signal"
    body = json.dumps({"type": "bench", "data": "now"}).encode()
    async with asyncio.timeout(DEADLINE_S):
        async with asyncio.TaskGroup() as group:
            for session in crowd:
                group.create_task(join(session))
        async with listener, Caller(server) as caller:
            await listener.connect(server.token(session_id))
            for _ in range(SIGNALS):
                began = time.perf_counter()
                assert await caller.post(path, "application/json", body) == 204
                samples.append((await heard.get() - began) * 1000)
        async with asyncio.TaskGroup() as group:
            for session in crowd:
                group.create_task(session.disconnect())
    return Figure(
        f"a signal over REST to its event, {IDLE:,} idle connections, {SIGNALS} times",
        "ms",
        {"p50": percentile(samples, 0.5), "p99": percentile(samples, 0.99)},
        (Bar("p99", at_most=20.0),),
    )


def control_cpu_s(server: TertuliaServer) -> float:
    """The time that control has spent on a processor until now."""
    fields = Path(f"/proc/{server.pids()['control']}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S
