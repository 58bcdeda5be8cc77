"""The path to the server, over real sockets of this machine, in virtual time."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tertulia.client.media.webrtc import stun
from tertulia.client.media.webrtc.ice import IceAgent
from tests.unit.client.virtual_time import VirtualTimeLoop

PASSWORD = "the server's"
DTLS = bytes([22, 254, 253])


class Address(asyncio.DatagramProtocol):
    """One address of a server, which answers checks."""

    def __init__(self) -> None:
        self.checked = asyncio.Event()
        self._client: tuple[str, int] | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # asyncio gives it
        self._transport = transport
        self.at: tuple[str, int] = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._client = addr
        head = struct.pack("!HHI", 0x0101, 24, 0x2112A442) + data[8:20]
        self._transport.sendto(head + struct.pack("!HH", 0x0008, 20) + stun._sign(head, PASSWORD), addr)
        self.checked.set()

    def send(self, datagram: bytes, to: tuple[str, int] | None = None) -> None:
        self._transport.sendto(datagram, to or self._client)

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def addresses(count: int) -> AsyncIterator[list[Address]]:
    made: list[Address] = []
    for _ in range(count):
        _, one = await asyncio.get_running_loop().create_datagram_endpoint(Address, local_addr=("127.0.0.1", 0))
        made.append(one)
    yield made
    for one in made:
        one.close()


@pytest.mark.parametrize("sender", [0, 1], ids=["the first", "the second"])
async def test_the_server_sends_from_whichever_of_its_addresses_it_likes(loop: VirtualTimeLoop, sender: int) -> None:
    came: asyncio.Queue[bytes] = asyncio.Queue()
    flows: asyncio.Queue[bool | None] = asyncio.Queue()
    agent = IceAgent(came.put_nowait, flows.put_nowait)
    async with addresses(2) as server:
        agent.start("theirs", PASSWORD, [one.at for one in server])
        assert await flows.get() is True
        for one in server:
            await one.checked.wait()
        server[sender].send(DTLS)
        assert await came.get() == DTLS
        agent.close()


async def test_what_comes_from_an_address_that_answered_no_check_is_dropped(loop: VirtualTimeLoop) -> None:
    came: asyncio.Queue[bytes] = asyncio.Queue()
    flows: asyncio.Queue[bool | None] = asyncio.Queue()
    agent = IceAgent(came.put_nowait, flows.put_nowait)
    async with addresses(2) as (server, stranger):
        agent.start("theirs", PASSWORD, [server.at])
        assert await flows.get() is True
        assert server._client is not None
        stranger.send(DTLS, server._client)
        server.send(DTLS + b"after it")
        assert await came.get() == DTLS + b"after it"
        agent.close()
