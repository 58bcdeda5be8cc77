"""Publishing and subscribing against a scripted server and a peer without a network, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from av import AudioFrame

from tertulia.client import (
    DisconnectedError,
    InvalidParameterError,
    MediaFailedError,
    NotConnectedError,
    NotFoundError,
    PermissionDeniedError,
    Publisher,
    ServerError,
    Session,
    SessionDisconnectEvent,
    StreamEvent,
    Subscriber,
)
from tertulia.client.media.peer import EncodedFrame, PeerState
from tertulia.client.media.workers import WORKERS
from tertulia.client.session_media import SessionMedia
from tests.fakes.peer import FakePeer, FakeReceiver
from tests.fakes.signalling_server import FakeSignallingServer
from tests.signs import counter, tone
from tests.unit.client.conftest import DESK, IDA, settle
from tests.unit.client.virtual_time import VirtualTimeLoop

OWN = {**DESK, "id": "44444444-0000-4000-8000-000000000000", "name": "bot"}
REASONS = ["clientDisconnected", "forceDisconnected", "networkDisconnected"]


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> list[FakePeer]:
    """Every peer that is made, in order."""
    made: list[FakePeer] = []

    def make(_: SessionMedia, on_state: Any) -> FakePeer:
        made.append(FakePeer(on_state))
        return made[-1]

    monkeypatch.setattr(SessionMedia, "make_peer", make)
    return made


@pytest.fixture
async def house(server: FakeSignallingServer, peers: list[FakePeer]) -> FakeSignallingServer:
    """A server with Ida and her stream, that lets the client publish and subscribe."""
    server.others, server.streams = [IDA], [DESK]
    own = f"{server.OWN[:-4]}0001"
    server.results = {
        "negotiate": {"answer": "an answer"},
        "republish": {"answer": "an answer"},
        "publish": {"answer": "an answer", "stream": {**OWN, "connectionId": own}},
        "subscribe": {"subscriptionId": 7},
    }
    return server


def bound(generation: int = 1, slot: int = 0, epoch: int = 1, **times: int) -> dict[str, Any]:
    return {"binding": {"subscriptionId": 7, "epoch": epoch, "slot": slot, "generation": generation, **times}}


def packet(rtp_timestamp: int = 960) -> EncodedFrame:
    return EncodedFrame("audio", "opus", b"\x00", rtp_timestamp, audio_level=20)


async def test_a_stream_is_published_heard_and_taken_out(
    session: Session, house: FakeSignallingServer, peers: list[FakePeer]
) -> None:
    seen: list[str] = []
    publisher = Publisher(audio=tone(), name="bot")
    for name in ("streamCreated", "streamDestroyed", "destroyed"):
        publisher.on(name, lambda event: seen.append(event.type))
    async with session:
        await session.connect("token")
        assert await session.publish(publisher) is publisher
        await asyncio.sleep(1)
        [lines] = peers[0].sent
        assert lines.audio is not None
        assert len(lines.audio.frames) >= 40
        _, _, message = await house.has("publish")
        assert (message["audioMid"], message["hasAudio"], message["hasVideo"]) == ("100", True, False)
        assert session.publishers == [publisher]
        await session.unpublish(publisher)
        house.tell("streamDestroyed", streamId=OWN["id"], connectionId=house.own["id"], reason="clientDisconnected")
        await publisher.ended()
        await settle()
    assert seen == ["streamCreated", "streamDestroyed", "destroyed"]
    assert lines.stopped
    assert peers[0].closed


async def test_sizes_that_nobody_needs_are_not_encoded(
    session: Session, house: FakeSignallingServer, peers: list[FakePeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(work: Any, *arguments: Any) -> Any:
        return work(*arguments)

    # Its threads know nothing of virtual time.
    monkeypatch.setattr(WORKERS, "run", at_once)
    publisher = Publisher(video=counter(), simulcast=True, frame_rate=10)

    async def sizes() -> list[set[tuple[int, bool]]]:
        """What is sent from now on in a second, of each picture: its encodings, and whether they begin anew."""
        line = peers[-1].sent[-1].video
        assert line is not None
        first = len(line.frames)
        await asyncio.sleep(1)
        sent: dict[int, set[tuple[int, bool]]] = {}
        for frame, encoding in zip(line.frames[first:], line.encodings[first:], strict=True):
            sent.setdefault(frame.rtp_timestamp, set()).add((encoding, frame.key_frame))
        return list(sent.values())

    async with session:
        await session.connect("token")
        await session.publish(publisher)
        assert (await sizes())[-1] == {(0, False), (1, False), (2, False)}
        house.notify("layersPaused", streamId="another", rids=["q", "h", "f"])
        house.notify("layersPaused", streamId=OWN["id"], rids=["h", "f"])
        await settle()
        assert all(picture == {(0, False)} for picture in await sizes())
        house.notify("layersPaused", streamId=OWN["id"], rids=["h"])
        await settle()
        again = await sizes()
        assert again[0] == {(0, False), (2, True)}
        assert again[-1] == {(0, False), (2, False)}
        # New lines: the server says anew who needs what.
        house.notify("mediaFailed", epoch=1, message="the router was restarted")
        await house.has("republish")
        await settle()
        assert {encoding for encoding, _ in (await sizes())[-1]} == {0, 1, 2}
        await session.unpublish(publisher)


async def test_nothing_of_an_earlier_binding_is_handed_over(
    session: Session, house: FakeSignallingServer, peers: list[FakePeer]
) -> None:
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(str(DESK["id"]))
        house.notify("bound", **bound(audioRtpTimestamp=5000))
        await settle()
        receiver = peers[0].slots[0].audio
        assert isinstance(receiver, FakeReceiver)
        starts = [receiver.start]
        packets = subscriber.packets("audio")
        assert receiver.listener is not None
        receiver.listener(packet())
        assert (await anext(packets)).rtp_timestamp == 960
        assert subscriber.connected
        assert subscriber.audio_level == pytest.approx(0.1)
        house.notify("unbound", subscriptionId=7, slot=0, generation=1)
        _, _, released = await house.has("releaseSlot")
        assert (released["slot"], released["generation"]) == (0, 1)
        house.notify("bound", **bound(2, audioRtpTimestamp=9000))
        await settle()
        listened = receiver.listener is not None
        starts.append(receiver.start)
    assert listened
    assert starts == [None, 9000]  # at first the pair had never been used


async def test_a_subscriber_says_which_picture_it_would_like(session: Session, house: FakeSignallingServer) -> None:
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(str(DESK["id"]))
        for size in ((0, 180), (320, 65_536), (320.0, 180), (320,), "320x180"):
            with pytest.raises(InvalidParameterError, match="65535"):
                subscriber.set_preferred_resolution(size)  # type: ignore[arg-type]  # that is what is tested
        for rate in (0, -1, 1001, "15", float("nan")):
            with pytest.raises(InvalidParameterError, match="1000"):
                subscriber.set_preferred_frame_rate(rate)  # type: ignore[arg-type]  # that is what is tested
        subscriber.set_preferred_resolution((320, 180))
        subscriber.set_preferred_frame_rate(15)
        subscriber.set_preferred_resolution(None)
        subscriber.set_preferred_frame_rate(None)
        await house.has("updateSubscription", 4)
        said = house.of_type("updateSubscription")
    assert [(update.get("resolution"), update.get("frameRate")) for _, _, update in said] == [
        ({"width": 320, "height": 180}, None),
        ({"width": 320, "height": 180}, 15),
        (None, 15),
        (None, None),
    ]


@pytest.mark.parametrize("prevented", [False, True])
@pytest.mark.parametrize("reason", REASONS)
async def test_the_end_of_a_connection_ends_publishers_and_subscribers_unless_prevented(
    session: Session, house: FakeSignallingServer, reason: str, prevented: bool
) -> None:
    house.reconnect_window_s = 1.0
    told: list[tuple[str, str]] = []

    def end(event: SessionDisconnectEvent) -> None:
        told.append((event.type, event.reason))
        if prevented:
            event.prevent_default()

    session.on(SessionDisconnectEvent, end)
    publisher = Publisher(audio=tone())
    publisher.on(StreamEvent, lambda e: told.append((e.type, str(e.reason))) if e.reason else None)
    async with session:
        await session.connect("token")
        await session.publish(publisher)
        subscriber = await session.subscribe(session.streams[0])
        match reason:
            case "clientDisconnected":
                await session.disconnect()
            case "forceDisconnected":
                house.notify("disconnected", reason=reason)
            case _:
                house.reachable = False
                house.cut()
                await asyncio.sleep(5)
        await settle()
        assert told == [("sessionDisconnected", reason), ("streamDestroyed", reason)]
        assert (publisher.destroyed, subscriber.destroyed) == (not prevented, not prevented)
        assert (session.publishers, session.subscribers) == ([], [])
        if prevented:
            house.reachable = True
            await session.connect("token")
            house.results["publish"]["stream"]["connectionId"] = house.own["id"]
            await session.publish(publisher)
            assert publisher.stream is not None
    subscriber.destroy()
    publisher.destroy()
    await settle()


async def test_a_prevented_end_of_a_stream_keeps_its_subscriber(session: Session, house: FakeSignallingServer) -> None:
    keep = True
    session.on("streamDestroyed", lambda event: event.prevent_default() if keep else None)
    async with session:
        await session.connect("token")
        for keep in (True, False):
            house.tell("streamCreated", stream={**DESK, "id": f"stream {keep}"})
            await settle()
            subscriber = await session.subscribe(f"stream {keep}")
            house.tell("streamDestroyed", streamId=f"stream {keep}", connectionId=IDA["id"], reason="mediaStopped")
            await settle()
            assert subscriber.destroyed is not keep


async def test_a_new_transport_carries_the_old_streams(
    session: Session, house: FakeSignallingServer, peers: list[FakePeer]
) -> None:
    async with session, Publisher(audio=tone()) as publisher:
        await session.connect("token")
        await session.publish(publisher)
        subscriber = await session.subscribe(session.streams[0])
        house.notify("mediaFailed", epoch=1, message="the router was restarted")
        _, _, again = await house.has("republish")
        assert (again["epoch"], again["streamId"]) == (2, OWN["id"])
        await asyncio.sleep(0.5)
        assert peers[0].closed
        [lines] = peers[1].sent
        assert lines.audio is not None
        assert lines.audio.frames
        house.notify("bound", **bound(epoch=2))
        await settle()
        receiver = peers[1].slots[0].audio
        assert isinstance(receiver, FakeReceiver)
        assert receiver.listener is not None
        assert not publisher.destroyed
        assert not subscriber.destroyed


@pytest.mark.parametrize("silence_s", [2.5, 3.5])
async def test_only_a_long_stop_of_media_is_told(
    session: Session, house: FakeSignallingServer, peers: list[FakePeer], silence_s: float
) -> None:
    told: list[str] = []
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(session.streams[0])
        house.notify("bound", **bound())
        await settle()
        subscriber._take(packet())
        await settle()
        for name in ("connected", "disconnected"):
            subscriber.on(name, lambda event: told.append(event.type))
        house.replies = False  # a router that is not back yet
        house.notify("mediaFailed", epoch=1, message="the router was restarted")
        await asyncio.sleep(silence_s)
        assert subscriber.connected is (silence_s < 3)
        peers[-1].become(PeerState.CONNECTED)
        subscriber._take(packet(1920))
        await settle()
        assert subscriber.connected
        assert told == ([] if silence_s < 3 else ["disconnected", "connected"])


async def test_an_interrupted_path_restarts_ice_and_a_failed_one_makes_a_new_peer(
    session: Session, house: FakeSignallingServer, peers: list[FakePeer]
) -> None:
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(session.streams[0])
        house.notify("bound", **bound())
        await settle()
        subscriber._take(packet())
        peers[0].become(PeerState.INTERRUPTED)
        await settle()
        assert "restart" in peers[0].log
        peers[0].become(PeerState.FAILED)
        await asyncio.sleep(1)
        assert len(peers) == 2
        assert (await house.has("negotiate", 3))[2]["epoch"] == 2


async def test_a_video_left_out_for_bandwidth_is_told_with_its_warning(
    session: Session, house: FakeSignallingServer
) -> None:
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(session.streams[0])
        told: list[str] = []
        for event_type in ("videoDisableWarning", "videoDisableWarningLifted"):
            subscriber.on(event_type, lambda event: told.append(event.type))
        for event_type in ("videoDisabled", "videoEnabled"):
            subscriber.on(event_type, lambda event: told.append(f"{event.type} {event.reason}"))
        for active in (True, False, False, True):
            house.notify("subscriptionVideoWarning", subscriptionId=7, active=active)
        for enabled in (False, True, True):
            house.notify("subscriptionVideo", subscriptionId=7, enabled=enabled, reason="quality")
        house.notify("subscriptionVideoWarning", subscriptionId=7, active=False)
        await settle()
        assert told == [
            "videoDisableWarning",
            "videoDisableWarningLifted",
            "videoDisableWarning",
            "videoDisabled quality",
            "videoEnabled quality",
        ]


async def test_sound_comes_by_the_audio_slot_that_carries_it(
    session: Session, house: FakeSignallingServer, peers: list[FakePeer]
) -> None:
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(session.streams[0])
        frames = subscriber.packets("audio")
        house.notify("audioSlot", epoch=1, slot=1, subscriptionId=7, audioRtpTimestamp=5000)
        house.notify("audioSlot", epoch=9, slot=0, subscriptionId=7, audioRtpTimestamp=1)
        house.notify("bound", **bound())
        await settle()
        receivers = peers[0].receivers(1)
        assert receivers is not None
        line = receivers.audio
        assert isinstance(line, FakeReceiver)
        take = line.listener
        assert take is not None
        assert line.start == 5000, "what was said before the binding holds for it"
        take(packet())
        assert (await anext(frames)).kind == "audio"
        house.notify("audioSlot", epoch=1, slot=1, subscriptionId=8, audioRtpTimestamp=6000)
        await settle()
        assert line.listener is None, "the slot carries what this client did not subscribe to, or not yet"
        house.notify("audioSlot", epoch=1, slot=1)
        house.notify("audioSlot", epoch=1, slot=0, subscriptionId=7, audioRtpTimestamp=7000)
        await settle()
        subscriber.destroy()
        await settle()
        own = peers[0].receivers(0)
        assert own is not None
        assert isinstance(own.audio, FakeReceiver)
        assert own.audio.listener is None


async def test_more_slot_pairs_are_offered_when_the_server_needs_them(
    session: Session, house: FakeSignallingServer
) -> None:
    async with session:
        await session.connect("token")
        await session.subscribe(session.streams[0])
        assert len((await house.has("negotiate"))[2]["slots"]) == 2
        house.notify("slotsNeeded", pairs=3)
        assert [pair["slot"] for pair in (await house.has("negotiate", 2))[2]["slots"]] == [2, 3]


@pytest.mark.parametrize("what", ["publish", "subscribe"])
async def test_a_call_that_is_cancelled_at_any_await_leaves_nothing_behind(
    session: Session, house: FakeSignallingServer, what: str, loop: VirtualTimeLoop
) -> None:
    async with session:
        await session.connect("token")
        finished, step = False, -1
        call: asyncio.Task[Any] = asyncio.create_task(settle())
        while not finished:
            step += 1
            publisher = Publisher(audio=tone())
            call = asyncio.create_task(
                session.publish(publisher) if what == "publish" else session.subscribe(session.streams[0])
            )
            for _ in range(step):
                await asyncio.sleep(0)
            finished = call.done()
            call.cancel()
            await asyncio.wait((call,))
            await settle()
            if finished:
                break
            assert (session.publishers, session.subscribers) == ([], [])
            publisher.destroy()
            asked, undone = len(house.of_type(what)), len(house.of_type(f"un{what}"))
            assert asked == undone, f"cancelled after {step} steps"
        assert step > 3
        result = call.result()
        result.destroy()
        await settle()
    assert isinstance(result, Publisher if what == "publish" else Subscriber)
    assert {task for task in asyncio.all_tasks() if task.get_name().startswith("tertulia")} == set()


async def test_the_end_of_the_connection_ends_a_call_that_waits(session: Session, house: FakeSignallingServer) -> None:
    async with session:
        await session.connect("token")
        house.replies = False
        publishing = asyncio.create_task(session.publish(Publisher(audio=tone())))
        subscribing = asyncio.create_task(session.subscribe(session.streams[0]))
        await settle()
        house.notify("disconnected", reason="forceDisconnected")
        for call in (publishing, subscribing):
            with pytest.raises((DisconnectedError, NotConnectedError, MediaFailedError)):
                await call


@pytest.mark.parametrize(
    ("kind", "result"), [("subscribe", {"subscriptionId": "seven"}), ("publish", {"stream": 1}), ("publish", {})]
)
async def test_an_unlawful_answer_is_the_servers_error(
    session: Session, house: FakeSignallingServer, kind: str, result: dict[str, Any]
) -> None:
    house.results[kind] = result
    async with session:
        await session.connect("token")
        call: Any = session.publish(Publisher(audio=tone())) if kind == "publish" else session.subscribe(DESK["id"])  # type: ignore[arg-type]  # a text
        with pytest.raises(ServerError, match="OT_UNEXPECTED_SERVER_RESPONSE"):
            await call
        assert (session.publishers, session.subscribers) == ([], [])


async def test_an_answer_that_is_no_sdp_is_the_servers_error(session: Session, house: FakeSignallingServer) -> None:
    house.results["publish"]["answer"] = "garbage"
    async with session:
        await session.connect("token")
        with pytest.raises(ServerError, match="no address over UDP"):
            await session.publish(Publisher(audio=tone()))


async def test_calls_out_of_order_and_of_wrong_types_name_cause_and_cure(
    session: Session, house: FakeSignallingServer
) -> None:
    publisher = Publisher(audio=tone())
    with pytest.raises(NotConnectedError):
        await session.publish(publisher)
    with pytest.raises(NotConnectedError):
        await session.subscribe("stream")
    async with session:
        await session.connect("token")
        with pytest.raises(InvalidParameterError, match="not a str"):
            await session.publish("publisher")  # type: ignore[arg-type]  # that is what is tested
        with pytest.raises(InvalidParameterError, match="not a int"):
            await session.subscribe(5)  # type: ignore[arg-type]  # that is what is tested
        with pytest.raises(NotFoundError):
            await session.subscribe("no stream")
        with pytest.raises(InvalidParameterError, match="not published"):
            await session.unpublish(publisher)
        await session.publish(publisher)
        with pytest.raises(InvalidParameterError, match="unpublish it first"):
            await session.publish(publisher)
        publisher.destroy()
        with pytest.raises(InvalidParameterError, match="make a new one"):
            await session.publish(publisher)
        subscriber = await session.subscribe(session.streams[0])
        with pytest.raises(InvalidParameterError, match="1 to 3000"):
            subscriber.audio(buffer=0)
        subscriber.destroy()
        with pytest.raises(InvalidParameterError, match="subscribe again"):
            subscriber.packets()
        house.errors["publish"] = {"name": "OT_PERMISSION_DENIED", "code": 1500, "message": "No."}
        with pytest.raises(PermissionDeniedError):
            await session.publish(Publisher(audio=tone()))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"audio": [1, 2]},
        {"audio": tone(), "name": 5},
        {"audio": tone(), "video_codec": "av1"},
        {"audio": tone(), "width": 0},
        {"audio": tone(), "frame_rate": 1000},
        {"audio": tone(), "audio_bitrate_bps": "loud"},
    ],
    ids=str,
)
def test_a_publisher_refuses_what_cannot_be_published(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        Publisher(**options)


async def test_a_source_of_something_else_than_frames_is_told(session: Session, house: FakeSignallingServer) -> None:
    async def words() -> AsyncIterator[AudioFrame]:
        yield "no frame"  # type: ignore[misc]  # that is what is tested

    errors: list[str] = []
    async with session:
        await session.connect("token")
        publisher = Publisher(audio=words())
        publisher.on("mediaStopped", lambda event: errors.append(str(event.error)))
        await session.publish(publisher)
        await publisher.ended()
        assert (await house.has("unpublish"))[2]["reason"] == "mediaStopped"
    assert "it must give PyAV audio frames" in errors[0]


async def test_a_slow_program_sees_what_is_new(session: Session, house: FakeSignallingServer) -> None:
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(session.streams[0])
        packets = subscriber.packets("audio", buffer=3)
        for n in range(10):
            subscriber._take(packet(n))
        assert [(await anext(packets)).rtp_timestamp for _ in range(3)] == [7, 8, 9]
        assert packets.dropped == 7
        subscriber.destroy()
        assert [one async for one in packets] == []


async def test_pictures_that_were_dropped_are_followed_by_a_key_frame(
    session: Session, house: FakeSignallingServer
) -> None:
    async with session:
        await session.connect("token")
        subscriber = await session.subscribe(session.streams[0])
        packets = subscriber.packets("video", buffer=3)
        for n in range(6):
            subscriber._take(EncodedFrame("video", "vp8", b"", n, key_frame=n in (0, 4)))
        assert [(await anext(packets)).rtp_timestamp for _ in range(2)] == [4, 5]


async def test_a_muted_publisher_says_so(session: Session, house: FakeSignallingServer) -> None:
    async with session, Publisher(audio=tone()) as publisher:
        muted = asyncio.Event()
        publisher.on("muteForced", lambda _: muted.set())
        await session.connect("token")
        await session.publish(publisher)
        house.tell("streamMuted", streamId=OWN["id"])
        await muted.wait()
        assert not publisher.publishes_audio
        assert (await house.has("updateStream"))[2]["hasAudio"] is False
