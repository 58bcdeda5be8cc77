"""The outgoing queue of a socket."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from tertulia.adapters.websocket.socket import QUEUE_BYTES, QUEUE_MESSAGES, OutgoingSocket
from tertulia.errors import ConnectFailedError
from tertulia.services.ports import SocketEnd
from tertulia.wire.codes import CloseCode
from tests.fakes.house import settle


class Network:
    """Takes what is sent; `stuck` takes nothing until `flow`."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.closed: list[int] = []
        self.closings = 0
        self.gone = False
        self._flow = asyncio.Event()
        self._flow.set()
        self.socket = OutgoingSocket(self.send, self.note_closing)

    def offer_at_once(self) -> None:
        """Make a socket whose server sends without waiting where it can."""
        self.socket = OutgoingSocket(self.send, self.note_closing, self.send_at_once)

    def send_at_once(self, texts: tuple[str, ...]) -> bool:
        if self._flow.is_set():
            self.sent.extend(texts)
        return self._flow.is_set()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self._flow.wait()
        if self.gone:
            raise OSError("the client has gone")
        if message["type"] == "websocket.send":
            self.sent.append(message["text"])
        else:
            self.closed.append(message["code"])

    def note_closing(self) -> None:
        self.closings += 1

    def stick(self) -> None:
        self._flow.clear()

    def flow(self) -> None:
        self._flow.set()


@pytest.fixture
async def network() -> Network:
    return Network()


async def test_what_can_be_sent_at_once_waits_for_no_task_and_overtakes_nobody(network: Network) -> None:
    network.offer_at_once()
    network.socket.send("0")
    assert network.sent == ["0"]
    network.stick()
    running = asyncio.create_task(network.socket.run())
    network.socket.send("1")
    await settle()
    network.flow()  # the first of those that wait is still on its way
    network.socket.send("2")
    network.socket.send("3")
    await settle()
    network.socket.send("4")
    assert network.sent == ["0", "1", "2", "3", "4"]
    network.socket.close(SocketEnd.ENDED)
    network.socket.send("too late")
    await running
    assert network.sent == ["0", "1", "2", "3", "4"]
    assert network.closed == [4005]


async def test_frames_go_out_in_order_and_then_the_close(network: Network) -> None:
    for number in range(5):
        network.socket.send(str(number))
    network.socket.close(SocketEnd.ENDED)
    network.socket.send("too late")
    await network.socket.run()
    assert network.sent == ["0", "1", "2", "3", "4"]
    assert network.closed == [4005]


@pytest.mark.parametrize(
    ("end", "code"),
    [(SocketEnd.ENDED, 4005), (SocketEnd.REPLACED, 4002), (SocketEnd.UNLAWFUL, 4000), (SocketEnd.RESTART, 1012)],
)
async def test_each_end_has_its_code_and_the_first_stands(network: Network, end: SocketEnd, code: int) -> None:
    network.socket.close(end)
    network.socket.close_with(CloseCode.FLOODING)
    await network.socket.run()
    assert network.closed == [code]
    assert network.closings == 1


@pytest.mark.parametrize(
    "frames", [["x"] * (QUEUE_MESSAGES + 2), ["x" * (QUEUE_BYTES // 2)] * 3], ids=["messages", "bytes"]
)
async def test_a_client_that_does_not_read_is_closed_as_too_slow(network: Network, frames: list[str]) -> None:
    network.stick()
    writing = asyncio.create_task(network.socket.run())
    network.socket.send("first")
    await asyncio.sleep(0)
    for frame in frames:
        network.socket.send(frame)
    assert network.socket.close_code is CloseCode.TOO_SLOW
    network.flow()
    await writing
    assert network.sent == ["first"], "the rest comes from the log when the client has resumed"
    assert network.closed == [4004]


async def test_a_client_that_reads_may_be_sent_any_amount(network: Network) -> None:
    writing = asyncio.create_task(network.socket.run())
    for number in range(3 * QUEUE_MESSAGES):
        network.socket.send(str(number))
        if number % 100 == 0:
            await asyncio.sleep(0)
    network.socket.close(SocketEnd.ENDED)
    await writing
    assert len(network.sent) == 3 * QUEUE_MESSAGES


async def test_a_backlog_may_be_longer_than_the_queue_and_comes_first(network: Network) -> None:
    network.socket.send_backlog([f"old {number}" for number in range(2 * QUEUE_MESSAGES)])
    network.socket.send("new")
    network.socket.close(SocketEnd.ENDED)
    await network.socket.run()
    assert network.sent[-2:] == [f"old {2 * QUEUE_MESSAGES - 1}", "new"]
    assert network.closed == [4005]


async def test_a_client_that_has_gone_ends_the_writing_quietly(network: Network) -> None:
    network.gone = True
    network.socket.send("x")
    await network.socket.run()
    assert network.sent == []


class Pages:
    """A log that is read page by page; `failing` instead of an end."""

    def __init__(self, *pages: list[str], failing: bool = False) -> None:
        self.left = list(pages)
        self.read = 0
        self.failing = failing

    def __aiter__(self) -> "Pages":
        return self

    async def __anext__(self) -> list[str]:
        if not self.left:
            if self.failing:
                raise ConnectFailedError("The store is away.")
            raise StopAsyncIteration
        self.read += 1
        return self.left.pop(0)


async def test_a_long_backlog_is_read_only_as_the_client_takes_it(network: Network) -> None:
    network.stick()
    pages = Pages(["b", "c"], ["d"], ["e"])
    network.socket.send_backlog(["a"], pages)
    writing = asyncio.create_task(network.socket.run())
    for _ in range(20):
        await asyncio.sleep(0)
    network.socket.send("new")
    assert pages.read == 0

    network.flow()
    network.socket.close(SocketEnd.ENDED)
    await writing

    assert network.sent == ["a", "b", "c", "d", "e", "new"]
    assert network.closed == [4005]


async def test_a_backlog_that_cannot_be_read_to_its_end_makes_the_client_resume(network: Network) -> None:
    network.socket.send_backlog(["a"], Pages(["b"], failing=True))
    network.socket.send("never before what was missed")
    await network.socket.run()

    assert network.sent == ["a", "b"]
    assert network.closed == [1012]


async def test_a_client_too_slow_for_its_backlog_is_closed_and_sent_no_more_of_it(network: Network) -> None:
    network.stick()
    pages = Pages(*[["old"]] * 100)
    network.socket.send_backlog(["a"], pages)
    writing = asyncio.create_task(network.socket.run())
    await asyncio.sleep(0)
    for number in range(QUEUE_MESSAGES + 1):
        network.socket.send(str(number))
    network.flow()
    await writing

    assert network.sent == ["a"]
    assert network.closed == [4004]


async def test_the_queue_is_bounded_in_bytes_whatever_the_letters(network: Network) -> None:
    network.stick()
    network.socket.send("€" * (QUEUE_BYTES // 3 + 1))
    assert network.socket.close_code is CloseCode.TOO_SLOW
