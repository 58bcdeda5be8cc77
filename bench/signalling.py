"""Scenarios on the signalling wire, driven by the Python client."""

from __future__ import annotations

import asyncio
import resource
import time
from functools import partial

from bench.figures import Bar, Figure, spread
from tertulia import Event, Session
from tests.servers import TertuliaServer

JOINS = 30
RECEIVERS = 1_000
JOINING_AT_ONCE = 50
DEADLINE_S = 120


async def time_to_connect(server: TertuliaServer) -> Figure:
    """`connect()` to `sessionConnected`, one client after the other, each in a session of its own."""
    samples = []
    for _ in range(JOINS):
        session_id = server.create_session()
        session = Session(server.api_key, session_id, server=server.url)
        token = server.token(session_id)
        connected = asyncio.Event()
        session.once("sessionConnected", partial(_ring, connected))
        started = time.perf_counter()
        await session.connect(token)
        async with asyncio.timeout(DEADLINE_S):
            await connected.wait()
        samples.append((time.perf_counter() - started) * 1000)
        await session.disconnect()
    return Figure(
        f"`connect()` to `sessionConnected`, Python client, {JOINS} times",
        "ms",
        spread(samples),
        (Bar("p50", at_most=50.0),),
    )


async def signal_fan_out(server: TertuliaServer) -> Figure:
    """One signal to a thousand clients: when the first and the last of them dispatch it."""
    session_id = server.create_session()
    token = server.token(session_id)
    arrivals: list[float] = []
    everybody = asyncio.Event()

    def arrived(_: object) -> None:
        arrivals.append(time.perf_counter())
        if len(arrivals) == RECEIVERS:
            everybody.set()

    gate = asyncio.Semaphore(JOINING_AT_ONCE)
    sessions = [
        Session(server.api_key, session_id, server=server.url, connection_events_suppressed=True)
        for _ in range(RECEIVERS)
    ]

    async def join(session: Session) -> None:
        session.on("signal:bench", arrived)
        async with gate:
            await session.connect(token)

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(join(session))
    started = time.perf_counter()
    await sessions[0].signal("now", type="bench")
    async with asyncio.timeout(DEADLINE_S):
        await everybody.wait()
    figure = Figure(
        f"one signal to {RECEIVERS:,} Python clients in one process",
        "ms",
        {"first": (arrivals[0] - started) * 1000, "last": (arrivals[-1] - started) * 1000},
    )
    async with asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(session.disconnect())
    return figure


def _ring(bell: asyncio.Event, _: Event) -> None:
    bell.set()


def raise_open_files() -> None:
    """A thousand sockets need more open files than many shells allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8_192 if hard == resource.RLIM_INFINITY else min(8_192, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
