"""The client's socket against the `websockets` library's own server, over loopback."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tertulia.cli.lan import self_signed_certificate
from tertulia.client import ConnectFailedError, InvalidParameterError, Session
from tertulia.client.websocket import dial, signalling_address


class Ear:
    """Keeps what a socket says."""

    def __init__(self) -> None:
        self.texts: asyncio.Queue[bytes] = asyncio.Queue()
        self.end: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def received(self, text: bytes) -> None:
        self.texts.put_nowait(text)

    def lost(self, code: int | None) -> None:
        self.end.set_result(code)


@asynccontextmanager
async def listening(handle: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """A WebSocket server; gives its address."""
    async with asyncio.timeout(10), serve(handle, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/signalling"


async def test_texts_go_both_ways_whole() -> None:
    async def echo(peer: ServerConnection) -> None:
        assert peer.request is not None
        await peer.send(peer.request.path)
        async for text in peer:
            await peer.send([str(text)[:3], str(text)[3:]])  # in two fragments

    async with listening(echo) as address:
        ear = Ear()
        socket = await dial(address, ear, None)
        assert await ear.texts.get() == b"/signalling"
        for text in ("fürs Erste", "x" * 200_000):
            socket.send(text.encode())
            assert await ear.texts.get() == text.encode()
        socket.close()
        socket.send(b"after the end")
        socket.close()


async def test_the_servers_close_code_arrives() -> None:
    async def refuse(peer: ServerConnection) -> None:
        await peer.close(4001)

    async with listening(refuse) as address:
        ear = Ear()
        await dial(address, ear, None)
        assert await ear.end == 4001


async def test_a_connection_that_breaks_has_no_close_code() -> None:
    async def drop(peer: ServerConnection) -> None:
        peer.transport.abort()

    async with listening(drop) as address:
        ear = Ear()
        await dial(address, ear, None)
        assert await ear.end in (None, 1006)


async def test_our_goodbye_is_a_proper_one_and_we_hear_nothing_more() -> None:
    code: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def wait(peer: ServerConnection) -> None:
        await peer.wait_closed()
        code.set_result(peer.close_code)

    async with listening(wait) as address:
        ear = Ear()
        (await dial(address, ear, None)).close()
        assert await code == 1000
        assert not ear.end.done()


async def test_reading_can_pause() -> None:
    async def count(peer: ServerConnection) -> None:
        async for text in peer:
            await peer.send(text)

    async with listening(count) as address:
        ear = Ear()
        socket = await dial(address, ear, None)
        socket.pause()
        socket.send(b"one")
        other_ear = Ear()
        other = await dial(address, other_ear, None)
        other.send(b"two")
        await other_ear.texts.get()  # by now the server has answered `one` as well
        other.close()
        assert ear.texts.empty()
        socket.resume()
        assert await ear.texts.get() == b"one"
        socket.close()
        socket.pause()
        socket.resume()


async def test_nobody_listening_is_an_os_error() -> None:
    async def unused(peer: ServerConnection) -> None: ...

    async with listening(unused) as address:
        pass
    with pytest.raises(OSError, match="Connect"):
        await dial(address, Ear(), None)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-other\r\n", b""])
async def test_a_server_that_is_something_else_is_an_os_error(answer: bytes) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with asyncio.timeout(10), await asyncio.start_server(other, "127.0.0.1", 0) as server:
        address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/signalling"
        with pytest.raises(OSError, match="WebSocket"):
            await dial(address, Ear(), None)


async def test_a_host_name_that_cannot_be_is_a_failed_connecting() -> None:
    session = Session("12345678", "1_session", server=f"http://{'a' * 64}.test")
    with pytest.raises(ConnectFailedError, match="reached"):
        await session.connect("token")


async def test_dialling_can_be_cancelled() -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    async with asyncio.timeout(10), await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/signalling"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await dial(address, Ear(), None)
        await hung_up.wait()


async def test_a_binary_message_is_ignored() -> None:
    async def mixed(peer: ServerConnection) -> None:
        await peer.send(b"\x00binary")
        await peer.send([b"\x00bin", b"ary"])
        await peer.send("text")
        await peer.wait_closed()

    async with listening(mixed) as address:
        ear = Ear()
        socket = await dial(address, ear, None)
        assert await ear.texts.get() == b"text"
        socket.close()


async def test_a_certificate_is_checked_by_the_rules_that_were_given(tmp_path: Path) -> None:
    async def greet(peer: ServerConnection) -> None:
        await peer.send("hello")
        await peer.wait_closed()

    now = datetime.datetime.now(datetime.UTC)
    certificate, private_key = self_signed_certificate(tmp_path, "127.0.0.1", now)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate, private_key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with asyncio.timeout(10), serve(greet, "127.0.0.1", 0, ssl=own) as server:
        address = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/signalling"
        ear = Ear()
        socket = await dial(address, ear, trusting)
        assert await ear.texts.get() == b"hello"
        socket.close()
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            await dial(address, Ear(), None)


@pytest.mark.parametrize(
    ("server", "address"),
    [
        ("http://localhost:8080", "ws://localhost:8080/signalling"),
        ("https://video.example.org/", "wss://video.example.org/signalling"),
        ("HTTPS://video.example.org/rooms/", "wss://video.example.org/rooms/signalling"),
        ("ws://[::1]:8080", "ws://[::1]:8080/signalling"),
    ],
)
def test_the_signalling_is_found_from_the_servers_address(server: str, address: str) -> None:
    assert signalling_address(server) == address


@pytest.mark.parametrize("server", ["", "localhost:8080", "ftp://localhost", "http://", "http://[::1", "https://a:b:c"])
def test_a_malformed_server_address_is_named(server: str) -> None:
    with pytest.raises(InvalidParameterError, match="server address"):
        Session("12345678", "1_session", server=server)


async def test_an_answer_to_what_came_with_a_goodbye_is_dropped() -> None:
    """The server's last message and its close frame may come in one chunk."""
    replies: list[bytes] = []

    class Answering(Ear):
        def received(self, text: bytes) -> None:
            super().received(text)
            socket.send(b"an answer")
            replies.append(text)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1] for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        await ready.wait()
        writer.write(b"\x81\x04last" + b"\x88\x02\x0f\xa5")
        await reader.read()
        writer.close()

    ready = asyncio.Event()
    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ear = Answering()
        socket = await dial(f"ws://127.0.0.1:{port}/signalling", ear, None)
        ready.set()
        assert await ear.end == 4005
    assert replies == [b"last"]
