"""Clients that want the server's memory or time: each attack has an end, and the others notice nothing."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import secrets
import socket
import struct
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection as Connection
from websockets.asyncio.client import connect

from tests.servers import TertuliaServer

REQUEST_S = 2.0
AUTHENTICATION_S = 8.0
DEADLINE_S = 20
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    settings = {
        "TERTULIA_HTTP_REQUEST_S": str(REQUEST_S),
        "TERTULIA_SESSIONS_AUTHENTICATION_S": str(AUTHENTICATION_S),
        # Those who watch here do so between other things.
        "TERTULIA_SESSIONS_HEARTBEAT_S": "120",
        "TERTULIA_HTTP_PENDING_PER_ADDRESS": "1100",
    }
    with TertuliaServer(tmp_path_factory.mktemp("hostile"), settings=settings) as running:
        yield running


@pytest.fixture(autouse=True)
def _others_notice_nothing(server: TertuliaServer) -> Iterator[None]:
    """Somebody who is in a session keeps the same socket and hears a signal afterwards."""
    session_id = server.create_session()
    witness = RawSocket(server)
    witness.say([0, 0, {"type": "join", "token": server.token(session_id)}])
    assert witness.hear()[1]["type"] == "joined"
    try:
        yield
        witness.say([1, 0, {"type": "signal", "data": "still here"}])
        while (body := witness.hear()[1])["type"] != "signal":
            assert body["type"] in ("ping", "reply")
    finally:
        while _opened:
            _opened.pop().close()


_opened: list[socket.socket] = []


def address(server: TertuliaServer) -> tuple[str, int]:
    return "127.0.0.1", int(server.url.rpartition(":")[2])


def dial(server: TertuliaServer, *, receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    _opened.append(client)
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(DEADLINE_S)
    client.connect(address(server))
    return client


HANDSHAKE = (
    "GET /signalling HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "Sec-WebSocket-Key: {}\r\n\r\n"
)
TEXT, PING, CONTINUATION, CLOSE = 1, 9, 0, 8


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A client's frame (RFC 6455, section 5.2), masked with zeros."""
    first = opcode | (0x80 if final else 0)
    if len(payload) < 126:
        head = struct.pack(">BB", first, 0x80 | len(payload))
    else:
        head = struct.pack(">BBH", first, 0x80 | 126, len(payload))
    return head + bytes(4) + payload


class RawSocket:
    """A WebSocket without a library, so that it can misbehave."""

    def __init__(self, server: TertuliaServer, *, receive_buffer: int | None = None) -> None:
        self.socket = dial(server, receive_buffer=receive_buffer)
        self.socket.sendall(HANDSHAKE.format(base64.b64encode(secrets.token_bytes(16)).decode()).encode())
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.socket.recv(1)

    def say(self, message: object) -> None:
        self.socket.sendall(frame(TEXT, json.dumps(message).encode()))

    def hear(self) -> tuple[int, dict[str, object]]:
        opcode, payload = self._read_frame()
        assert opcode == TEXT, (opcode, payload)
        number, body = json.loads(payload)
        return number, body

    def close_code(self) -> int:
        """The code with which the server closes; what comes before is passed over."""
        while (read := self._read_frame())[0] != CLOSE:
            pass
        code: int = struct.unpack(">H", read[1][:2])[0]
        return code

    def _read_frame(self) -> tuple[int, bytes]:
        first, second = self._read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._read(8))
        return first & 0x0F, self._read(length)

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            assert part, "the server has hung up"
            data += part
        return data

    def close(self) -> None:
        self.socket.close()


def memory_bytes(server: TertuliaServer) -> int:
    """What control holds at present."""
    status = Path(f"/proc/{server.pids()['control']}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def metric(server: TertuliaServer, line: str) -> float:
    """A number at /metrics by its name and labels; 0 while there is none."""
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=DEADLINE_S) as answer:
        text = answer.read().decode()
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def ends_within(client: socket.socket, seconds: float) -> bytes:
    """What the server sends until it hangs up, which it must do in time."""
    deadline = time.monotonic() + seconds
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            client.settimeout(max(0.01, deadline - time.monotonic()))
            part = client.recv(65_536)
            if not part:
                break
            answer += part
    client.close()
    return answer


# ---- HTTP


def test_a_connection_that_says_nothing_is_cut(server: TertuliaServer) -> None:
    assert ends_within(dial(server), REQUEST_S + 3) == b""


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /session/create HTTP/1.1\r\nContent-Length: 900\r\n\r\n",
    ],
    ids=["headers", "body"],
)
def test_a_request_by_the_byte_is_cut(server: TertuliaServer, beginning: bytes) -> None:
    client = dial(server)
    client.sendall(beginning)
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < REQUEST_S + 3:
            client.sendall(b"x")
            # The pace of the attack, not a wait for something.
            client.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                if not client.recv(65_536):
                    break
    assert time.monotonic() - began < REQUEST_S + 2.5
    client.close()


@pytest.mark.parametrize(
    ("endless", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X-Header: " + b"x" * 200_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 50_000, b"431"),
        (b"GET /" + b"x" * 200_000, b"431"),
        (b"POST /session/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 500_000, b"413"),
    ],
    ids=["a long header", "many headers", "a long address", "a body without end"],
)
def test_a_request_without_end_is_cut(server: TertuliaServer, endless: bytes, status: bytes) -> None:
    before = memory_bytes(server)
    client = dial(server)
    with contextlib.suppress(ConnectionError):
        client.sendall(endless)
    answer = ends_within(client, DEADLINE_S)
    # What was still on its way may turn the server's last words into a reset.
    assert not answer or status in answer or b" 4" in answer.split(b"\r\n")[0]
    assert memory_bytes(server) - before < 16 * MIB


# ---- signalling


def test_nothing_is_compressed(server: TertuliaServer) -> None:
    client = RawSocket(server)
    assert b"101" in client.head.split(b"\r\n")[0]
    assert b"extensions" not in client.head.lower()
    client.close()


def test_a_thousand_silent_sockets_change_nothing_for_others(server: TertuliaServer) -> None:
    before = memory_bytes(server)
    silent = [RawSocket(server) for _ in range(1000)]
    assert metric(server, "tertulia_pending_sockets") >= 1000

    session_id = server.create_session()
    began = time.monotonic()
    late = RawSocket(server)
    late.say([0, 0, {"type": "join", "token": server.token(session_id)}])
    assert late.hear()[1]["type"] == "joined"
    late.say([1, 0, {"type": "signal"}])
    while late.hear()[1]["type"] != "signal":
        pass
    assert time.monotonic() - began < 1.0
    assert memory_bytes(server) - before < 150 * MIB

    assert {client.close_code() for client in (silent[0], silent[-1])} == {4003}
    for client in (late, *silent):
        client.close()


def test_more_than_may_wait_give_way_to_newer_ones(tmp_path: Path) -> None:
    # However long they take to come, none is cut for its silence.
    settings = {"TERTULIA_HTTP_PENDING_PER_ADDRESS": "100", "TERTULIA_SESSIONS_AUTHENTICATION_S": "300"}
    with TertuliaServer(tmp_path, settings=settings) as crowded:
        crowd = [RawSocket(crowded) for _ in range(150)]
        assert crowd[0].close_code() == 4003
        assert metric(crowded, "tertulia_expelled_sockets_total") >= 50
        crowd[-1].say([0, 0, {"type": "join", "token": crowded.token(crowded.create_session())}])
        assert crowd[-1].hear()[1]["type"] == "joined"
        for client in crowd:
            client.close()


def test_answers_to_pings_that_nobody_reads_are_not_kept(server: TertuliaServer) -> None:
    before = memory_bytes(server)
    client = RawSocket(server, receive_buffer=4096)
    flood = frame(PING, b"x" * 125) * 1000
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < DEADLINE_S:
            client.socket.sendall(flood)
    assert time.monotonic() - began < DEADLINE_S, "it was cut"
    assert memory_bytes(server) - before < 16 * MIB
    client.close()


def test_a_message_in_endless_fragments_is_cut(server: TertuliaServer) -> None:
    client = RawSocket(server)
    flood = frame(TEXT, b"[", final=False) + frame(CONTINUATION, b"", final=False) * 2000
    with contextlib.suppress(ConnectionError):
        client.socket.sendall(flood)
    ends_within(client.socket, DEADLINE_S)


def test_a_flood_of_signals_is_refused_then_closed_and_the_client_may_resume(server: TertuliaServer) -> None:
    client = RawSocket(server)
    client.say([0, 0, {"type": "join", "token": server.token(server.create_session())}])
    joined = client.hear()[1]
    with contextlib.suppress(ConnectionError):
        for number in range(1, 2000):
            client.say([number, 0, {"type": "signal", "data": "flood"}])
    errors, heard = 0, 0
    while (read := client._read_frame())[0] != CLOSE:
        body = json.loads(read[1])[1]
        errors += body.get("error", {}).get("code") == 429
        heard += body["type"] == "signal"
    assert struct.unpack(">H", read[1][:2])[0] == 4029
    assert errors >= 200
    assert heard < 400
    client.close()

    again = RawSocket(server)
    connection = joined["connection"]
    assert isinstance(connection, dict)
    resume = {"type": "resume", "connectionId": connection["id"], "resumeKey": joined["resumeKey"], "after": 0}
    again.say([0, 0, resume])
    assert again.hear()[1]["type"] == "resumed"
    again.close()


@pytest.mark.timeout(180)
def test_clients_that_never_read_cost_little_and_the_others_hear_every_signal(server: TertuliaServer) -> None:
    slow_before = metric(server, 'tertulia_sockets_closed_total{why="too_slow"}')
    grown, heard = asyncio.run(_signal_to_the_deaf(server))
    for per_sender in heard:
        assert per_sender == [list(range(PER_SENDER))] * SENDERS
    assert grown < 64 * MIB, f"{grown / MIB:.0f} MiB"
    # Each is given some seconds to take its last words.
    deadline = time.monotonic() + 3 * DEADLINE_S
    while metric(server, 'tertulia_sockets_closed_total{why="too_slow"}') - slow_before < DEAF:
        assert time.monotonic() < deadline, "all of them are closed"


DEAF, SENDERS, PER_SENDER = 100, 10, 200


async def _signal_to_the_deaf(server: TertuliaServer) -> tuple[int, list[list[list[int]]]]:
    """1,000 signals a second for two seconds; returns how much control grew, and who heard what of whom."""
    session_id = server.create_session()
    deaf = []
    for _ in range(DEAF):
        client = RawSocket(server, receive_buffer=4096)
        client.say([0, 0, {"type": "join", "token": server.token(session_id)}])
        deaf.append(client)
    url = server.url.replace("http", "ws", 1) + "/signalling"
    senders = [await connect(url, compression=None) for _ in range(SENDERS)]
    for sender in senders:
        await sender.send(json.dumps([0, 0, {"type": "join", "token": server.token(session_id)}]))
        assert json.loads(await sender.recv())[1]["type"] == "joined"
    before = memory_bytes(server)
    most = before
    async with asyncio.timeout(100), asyncio.TaskGroup() as group:
        speaking = [group.create_task(_speak(one, who)) for who, one in enumerate(senders)]
        while not all(task.done() for task in speaking):
            most = max(most, memory_bytes(server))
            await asyncio.wait(speaking, timeout=0.1)
    for sender in senders:
        await sender.close()
    return most - before, [task.result() for task in speaking]


async def _speak(socket: Connection, who: int) -> list[list[int]]:
    """Sends its signals, each after the answer to the last and at most 100 a second; returns what it heard of whom."""
    heard: list[list[int]] = [[] for _ in range(SENDERS)]
    answered = asyncio.Event()

    async def listen() -> None:
        answers = 0
        async for text in socket:
            body = json.loads(text)[1]
            if body["type"] == "reply":
                assert "error" not in body, body
                answers += 1
                answered.set()
            elif body["type"] == "signal":
                sender, number, _ = body["data"].split(" ")
                heard[int(sender)].append(int(number))
            if all(len(numbers) == PER_SENDER for numbers in heard) and answers == PER_SENDER:
                return

    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        began = loop.time()
        for number in range(PER_SENDER):
            answered.clear()
            data = f"{who} {number} {'x' * 2000}"
            await socket.send(json.dumps([number + 1, 0, {"type": "signal", "data": data}]))
            await answered.wait()
            if (wait := began + (number + 1) / 98 - loop.time()) > 0:
                await asyncio.wait([listening], timeout=wait)  # the pace of the senders
    return heard
