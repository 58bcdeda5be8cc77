"""Scenarios on the signalling wire, driven by clients that do nothing but read: what is measured is control."""

from __future__ import annotations

import asyncio
import base64
import os
import time
import urllib.parse
from pathlib import Path
from typing import Any, cast

from websockets.frames import Frame, Opcode

from bench.figures import Bar, Figure, percentile
from bench.rest import Caller, control_cpu_s
from tertulia.wire import signalling
from tests.servers import TertuliaServer

RECEIVERS = 1_000
LEAVING, LEAVING_S = 500, 1.0
SIGNALS = 20
IDLE = 5_000
ROOMS = 50
OPENING_AT_ONCE = 25
DEADLINE_S = 240
MARK = b"bench-signal"


class Ears:
    """When marked messages arrived, at all listeners together."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._wanted = 0
        self._all = asyncio.Event()

    async def hear(self, count: int) -> list[float]:
        """Wait for so many and forget them."""
        self._wanted = count
        if len(self.times) < count:
            self._all.clear()
            await self._all.wait()
        heard, self.times = self.times, []
        return heard

    def note(self, count: int) -> None:
        """So many arrived now."""
        self.times += [time.perf_counter()] * count
        if len(self.times) >= self._wanted:
            self._all.set()


class Listener(asyncio.Protocol):
    """One connection to a session that answers the heartbeat and notes marked messages.

    Args:
        server: Where to.
        token: With what.
        ears: Where the marked messages are noted.
        mark: What they contain.
        spared: Whether it is told nothing of who comes and goes.
    """

    def __init__(
        self, server: TertuliaServer, token: str, ears: Ears, mark: bytes = MARK, *, spared: bool = True
    ) -> None:
        self._ears = ears
        self._mark = mark
        self._spared = spared
        self._host = urllib.parse.urlsplit(server.url).netloc
        self._token = token
        self._head = b""
        self._is_open = False
        self.joined = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        self._transport = transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /signalling HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Join, answer a ping, note a signal; nothing is decoded."""
        if not self._is_open:
            self._head += data
            if b"\r\n\r\n" not in self._head:
                return
            assert self._head.startswith(b"HTTP/1.1 101"), self._head
            self._is_open = True
            join = signalling.Join(token=self._token, connection_events_suppressed=self._spared)
            self._say(0, join)
            return
        if self._mark in data:
            self._ears.note(data.count(self._mark))
        elif b'"ping"' in data:
            self._say(0, signalling.Pong())
        elif b'"joined"' in data:
            self.joined.set()

    def _say(self, number: int, message: Any) -> None:
        text = signalling.client_frame(number, 0, message)
        self._transport.write(Frame(Opcode.TEXT, text.encode()).serialize(mask=True))

    def leave(self) -> None:
        """Say goodbye."""
        self._say(1, signalling.Leave())

    def close(self) -> None:
        """End the connection without goodbye."""
        self._transport.abort()


async def open_listeners(
    server: TertuliaServer,
    session_ids: list[str],
    count: int,
    ears: Ears,
    mark: bytes = MARK,
    *,
    spared: bool = True,
) -> list[Listener]:
    """Seat `count` listeners, spread over the sessions."""
    tokens = [server.token(session_id, "subscriber") for session_id in session_ids]
    parts = urllib.parse.urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    host, port = parts.hostname, parts.port
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(number: int) -> Listener:
        listener = Listener(server, tokens[number % len(tokens)], ears, mark, spared=spared)
        async with gate:
            await asyncio.get_running_loop().create_connection(lambda: listener, host, port)
            await listener.joined.wait()
        return listener

    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.gather(*(open_one(number) for number in range(count)))


async def fan_out(server: TertuliaServer) -> Figure:
    """A signal over REST to a thousand sockets: from the call until the last of them has it in its hands."""
    session_id = server.create_session()
    ears = Ears()
    listeners = await open_listeners(server, [session_id], RECEIVERS, ears)
    path = f"/v2/project/{server.api_key}/session/{session_id}/signal"
    body = b'{"type":"bench","data":"' + MARK + b'"}'
    firsts, lasts = [], []
    busy_s = control_cpu_s(server)
    async with asyncio.timeout(DEADLINE_S), Caller(server) as caller:
        for _ in range(SIGNALS):
            began = time.perf_counter()
            assert await caller.post(path, "application/json", body) == 204
            heard = await ears.hear(RECEIVERS)
            firsts.append((min(heard) - began) * 1000)
            lasts.append((max(heard) - began) * 1000)
    busy_ms = (control_cpu_s(server) - busy_s) * 1000 / SIGNALS
    for listener in listeners:
        listener.close()
    return Figure(
        f"a signal over REST to {RECEIVERS:,} sockets that only read, {SIGNALS} times",
        "ms",
        {"first p50": percentile(firsts, 0.5), "last p50": percentile(lasts, 0.5), "control's CPU": busy_ms},
        (Bar("last p50", at_most=50.0),),
    )


async def leaving(server: TertuliaServer) -> Figure:
    """Nearly everybody leaves one session within a second: when the last goodbye is answered, and when the rest know.

    A goodbye's answer counts from the goodbye on; what the member that stays knows, from the last goodbye on.
    """
    session_id = server.create_session()
    stays, goodbyes = Ears(), Ears()
    members = await open_listeners(server, [session_id], 1, stays, b'"connectionDestroyed"', spared=False)
    began_s = control_cpu_s(server)
    leavers = await open_listeners(server, [session_id], LEAVING, goodbyes, b'"reply"', spared=False)
    joining_ms = (control_cpu_s(server) - began_s) * 1000
    began_s, began = control_cpu_s(server), time.perf_counter()
    async with asyncio.timeout(DEADLINE_S):
        for number, leaver in enumerate(leavers):
            await asyncio.sleep(began + LEAVING_S * number / LEAVING - time.perf_counter())
            leaver.leave()
        ended = time.perf_counter()
        answered = await goodbyes.hear(LEAVING)
        known = await stays.hear(LEAVING)
    leaving_ms = (control_cpu_s(server) - began_s) * 1000
    for listener in (*members, *leavers):
        listener.close()
    return Figure(
        f"{LEAVING} of {LEAVING + 1} sockets leave one session within {LEAVING_S:.0f} s",
        "ms",
        {
            "last answered": (max(answered) - ended) * 1000,
            "last known": (max(known) - ended) * 1000,
            "control's CPU": leaving_ms,
            "and to join": joining_ms,
        },
        (Bar("last answered", at_most=1_000.0),),
    )


async def idle_connections(server: TertuliaServer) -> Figure:
    """What a connection that does nothing costs control in memory."""
    session_ids = [server.create_session() for _ in range(ROOMS)]
    before = memory_kib(server)
    listeners = await open_listeners(server, session_ids, IDLE, Ears())
    used = memory_kib(server) - before
    for listener in listeners:
        listener.close()
    what = f"control's memory, {IDLE:,} idle connections in {ROOMS} sessions"
    return Figure(what, "KiB", {"each": used / IDLE}, (Bar("each", at_most=80.0),))


def memory_kib(server: TertuliaServer) -> int:
    """What control's process holds of the machine's memory and shares with nobody, in KiB."""
    lines = Path(f"/proc/{server.pids()['control']}/smaps_rollup").read_text().splitlines()
    private = [line.split() for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:"))]
    return sum(int(fields[1]) for fields in private)
