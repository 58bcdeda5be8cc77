"""The router link over a real Unix socket, against the fake router's server, with time moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tertulia.adapters.router import RouterLink
from tertulia.domain.commands import Carried, FoundAudioSlot, FoundSlot
from tertulia.domain.connection import NewPair
from tertulia.domain.stream import Dimensions, Lines, StreamSource
from tertulia.domain.subscription import PictureWishes, VideoFallback
from tertulia.errors import ConnectFailedError, RouterRefusedError, TimedOutError, UnexpectedAnswerError
from tertulia.ids import Generation, SlotIndex, TransportId
from tertulia.services.ports import TransportListing
from tertulia.wire import router as wire
from tests.fakes.clock import FakeClock
from tests.fakes.router import FakeRouterServer, RouterState

PAIR = NewPair(0, "a", "v")


class Listener:
    """Keeps what the link reports."""

    def __init__(self) -> None:
        self.reports: list[object] = []

    def router_connected(self) -> None:
        self.reports.append("connected")

    def transport_ended(self, seat: str, transport_id: TransportId, message: str) -> None:
        self.reports.append((seat, transport_id, message))

    def codec_support_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, *, supported: bool
    ) -> None:
        self.reports.append((transport_id, slot, generation, supported))

    def audio_slot_changed(
        self, transport_id: TransportId, slot: SlotIndex, of: Carried | None, audio_rtp_timestamp: int | None
    ) -> None:
        self.reports.append((transport_id, slot, of, audio_rtp_timestamp))

    def layers_paused(self, transport_id: TransportId, video_mid: str, rids: Sequence[str]) -> None:
        self.reports.append((transport_id, video_mid, rids))

    def video_fallback_changed(
        self, transport_id: TransportId, slot: SlotIndex, generation: Generation, fallback: VideoFallback
    ) -> None:
        self.reports.append((transport_id, slot, generation, fallback))


async def until(condition: Callable[[], bool], nudge: Callable[[], None] = lambda: None) -> None:
    """Let the event loop work until something holds; the test's own time limit is the deadline."""
    while not condition():
        nudge()
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory() as folder:  # short: the path of a Unix socket has 108 bytes at most
        yield Path(folder) / "router.sock"


@pytest.fixture
async def server(path: Path) -> AsyncIterator[FakeRouterServer]:
    async with FakeRouterServer(path) as running:
        yield running


@pytest.fixture
async def link(path: Path, server: FakeRouterServer, clock: FakeClock, listener: Listener) -> AsyncIterator[RouterLink]:
    link = RouterLink(path, clock)
    await link.start(listener)
    await until(lambda: bool(listener.reports))
    yield link
    await link.close()


async def test_the_link_says_hello_and_tells_its_listener(link: RouterLink, listener: Listener) -> None:
    assert link.hello is not None
    assert link.hello.version == wire.VERSION
    assert listener.reports == ["connected"]


async def test_every_request_goes_out_and_its_reply_comes_back(link: RouterLink, server: FakeRouterServer) -> None:
    publisher, answer = await link.open_transport("ana", 1, "v=0", [], "a session")
    assert answer.startswith("v=0")
    subscriber, _ = await link.open_transport("ben", 2, "v=0", [PAIR], "a session")
    assert (await link.renegotiate(subscriber, "v=0", [NewPair(1, "b", "w")])).startswith("v=0")
    source = StreamSource(publisher, Lines("0", None))
    wishes = PictureWishes(Dimensions(320, 180), 15)
    audio, video = await link.bind(
        subscriber,
        SlotIndex(0),
        Generation(1),
        source,
        audio_paused=False,
        video_paused=True,
        wishes=wishes,
        audio_fallback=True,
        is_screen=True,
    )
    assert audio is not None
    assert video is None
    await link.pause(subscriber, SlotIndex(0), Generation(1), audio_paused=True, video_paused=True)
    await link.prefer(subscriber, SlotIndex(0), Generation(1), PictureWishes(), is_screen=False)
    await link.set_audio_slots(subscriber, [SlotIndex(1)])
    await link.request_key_frame(publisher, "0")
    assert await link.list_transports() == [
        TransportListing(publisher, "ana", 1, [], audio_slots=[], paused_layers=[]),
        TransportListing(
            subscriber,
            "ben",
            2,
            [
                FoundSlot(SlotIndex(0), Generation(1), True),
                FoundSlot(SlotIndex(1), Generation(0), False),
            ],
            audio_slots=[FoundAudioSlot(SlotIndex(1), None, None)],
            paused_layers=[],
        ),
    ]
    await link.unbind(subscriber, SlotIndex(0), Generation(1))
    await link.close_transport(publisher)
    assert [listed.seat for listed in await link.list_transports()] == ["ben"]
    assert server.connections == 1


async def test_a_refusal_keeps_its_code_and_words(link: RouterLink) -> None:
    with pytest.raises(RouterRefusedError, match="No such transport") as refusal:
        await link.close_transport(TransportId(9))
    assert refusal.value.code == "transport_not_found"


async def test_many_requests_at_once_are_all_answered(link: RouterLink) -> None:
    opened = await asyncio.gather(
        *(link.open_transport(f"s{number}", 1, "v=0", [], "a session") for number in range(3000))
    )
    assert len({transport_id for transport_id, _ in opened}) == 3000


async def test_a_request_that_is_not_answered_in_time_ends_the_link(
    link: RouterLink, server: FakeRouterServer, clock: FakeClock, listener: Listener
) -> None:
    server.silent = True
    slow = asyncio.ensure_future(link.list_transports())
    other = asyncio.ensure_future(link.list_transports())
    await until(lambda: clock.next_timer() is not None)
    clock.advance(5.0)
    with pytest.raises((TimedOutError, ConnectFailedError)):
        await slow
    with pytest.raises((TimedOutError, ConnectFailedError)):
        await other
    server.silent = False
    await until(lambda: listener.reports.count("connected") == 2, lambda: clock.advance(0.01))
    assert await link.list_transports() == []


async def test_a_lost_link_fails_what_is_open_and_comes_back(
    link: RouterLink, server: FakeRouterServer, clock: FakeClock, listener: Listener
) -> None:
    server.silent = True
    waiting = asyncio.ensure_future(link.list_transports())
    await asyncio.sleep(0)
    server.drop()
    with pytest.raises(ConnectFailedError):
        await waiting
    await until(lambda: link.hello is None)
    with pytest.raises(ConnectFailedError):
        await link.list_transports()
    server.silent = False
    await until(lambda: listener.reports.count("connected") == 2, lambda: clock.advance(0.01))
    assert server.connections == 2


async def test_a_router_that_comes_late_is_found(path: Path, clock: FakeClock, listener: Listener) -> None:
    link = RouterLink(path, clock)
    await link.start(listener)
    with pytest.raises(ConnectFailedError):
        await link.list_transports()
    await until(lambda: clock.next_timer() is not None)
    async with FakeRouterServer(path, RouterState()):
        await until(lambda: listener.reports == ["connected"], lambda: clock.advance(0.01))
        await link.close()


async def test_events_reach_the_listener_and_others_are_left_out(
    link: RouterLink, server: FakeRouterServer, listener: Listener
) -> None:
    server.report(
        wire.TransportState(7, "ana", "connecting"),
        wire.TransportState(7, "ana", "failed", "ICE timed out"),
        wire.TransportState(8, "ben", "closed"),
        wire.CodecNotSupported(7, 0, 3, "video", "h264"),
        wire.CodecNotSupported(7, 0, 3, "audio", "opus"),
        wire.CodecSupported(7, 0, 3, "video", "vp8"),
        wire.VideoFallback(7, 0, 3, "stopped"),
        wire.AudioLevels(7, []),
        wire.LayersPaused(7, "1", ["h", "f"]),
    )
    await until(lambda: len(listener.reports) == 7)
    assert listener.reports == [
        "connected",
        ("ana", 7, "The media transport ended: ICE timed out."),
        ("ben", 8, "The media transport ended."),
        (7, 0, 3, False),
        (7, 0, 3, True),
        (7, 0, 3, VideoFallback.STOPPED),
        (7, "1", ["h", "f"]),
    ]


async def test_a_listing_says_which_layers_are_paused(link: RouterLink, server: FakeRouterServer) -> None:
    transport_id, _ = await link.open_transport("ana", 1, "v=0", [], "a session")
    server.state.transports[transport_id].tracks = [
        wire.Track("0", "audio", True, "opus"),
        wire.Track("1", "video", True, "vp8", ["f"]),
        wire.Track("2", "video", True, "vp8", []),
    ]
    (listed,) = await link.list_transports()
    assert listed.paused_layers == [("1", ["f"]), ("2", [])]


async def test_lost_events_ask_for_a_fresh_comparison(
    link: RouterLink, server: FakeRouterServer, listener: Listener
) -> None:
    server.report(dropped=3)
    await until(lambda: listener.reports == ["connected", "connected"])


@pytest.mark.parametrize("garbage", [b"\0\0\0\0", b"\xff" * 8, b"\0\0\0\x01\xc1"])
async def test_a_router_that_breaks_the_protocol_is_dropped_and_tried_again(
    link: RouterLink, server: FakeRouterServer, listener: Listener, clock: FakeClock, garbage: bytes
) -> None:
    server.send(garbage)
    await until(lambda: listener.reports.count("connected") == 2, lambda: clock.advance(0.01))


async def test_a_reply_of_another_form_is_an_error_of_that_request_only(
    link: RouterLink, server: FakeRouterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as odd:
        odd.setattr(server.state, "answer", lambda _: wire.Empty())
        with pytest.raises(UnexpectedAnswerError):
            await link.list_transports()
    assert await link.list_transports() == []


async def test_an_incompatible_router_is_tried_again_with_longer_and_longer_waits(
    path: Path, clock: FakeClock, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: wire.Request) -> wire.ReplyBody:
        raise RouterRefusedError("version_not_supported", "No common version.")

    link = RouterLink(path, clock)
    async with FakeRouterServer(path) as server:
        monkeypatch.setattr(server.state, "answer", refuse)
        await link.start(listener)
        waits: list[float] = []
        while len(waits) < 8:
            await until(lambda: clock.next_timer() is not None and link.hello is None)
            await _quiet(server, len(waits) + 1)
            when = clock.next_timer()
            assert when is not None
            waits.append(when - clock.monotonic())
            clock.advance(waits[-1])
        await link.close()
    assert waits[-1] > waits[0] * 5
    assert max(waits) <= 3.0
    assert listener.reports == []


async def _quiet(server: FakeRouterServer, connections: int) -> None:
    """Wait until the link has been refused this many times and waits for its next try."""
    await until(lambda: server.connections >= connections and not server._writers)
    for _ in range(20):
        await asyncio.sleep(0)
