"""The Python client's media through a real router: what one program sends is what another one gets."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from av import AudioFrame, VideoFrame

from tertulia import (
    CaptureError,
    Publisher,
    Session,
    SessionError,
    Stream,
    StreamEvent,
    StreamPropertyChangedEvent,
    VideoDimensions,
)
from tests.servers import TertuliaServer
from tests.signs import TONE_HZ, counter, film, number_in, strength, tone

DEADLINE_S = 30


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("media")) as running:
        yield running


@pytest.fixture
async def pair(server: TertuliaServer) -> AsyncIterator[tuple[Session, Session]]:
    """Two clients of one session. When both have left, no task and no thread is left."""
    async with asyncio.timeout(2 * DEADLINE_S):
        session_id = server.create_session()
        one = Session(server.api_key, session_id, server=server.url)
        other = Session(server.api_key, session_id, server=server.url)
        async with one, other:
            await one.connect(server.token(session_id, "moderator"))
            await other.connect(server.token(session_id))
            yield one, other
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("tertulia")] == []
    for thread in threading.enumerate():
        if thread.name.startswith("tertulia"):
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


async def stream_at(session: Session) -> Stream:
    """The first stream that the session hears of."""
    while not session.streams:
        heard = asyncio.Event()
        session.once("streamCreated", lambda _, heard=heard: heard.set())  # type: ignore[misc]  # a default argument
        async with asyncio.timeout(DEADLINE_S):
            if not session.streams:
                await heard.wait()
    return session.streams[0]


@pytest.mark.parametrize(("codec", "simulcast"), [("vp8", False), ("h264", False), ("vp8", True)])
async def test_a_counter_and_a_tone_arrive_in_order(pair: tuple[Session, Session], codec: str, simulcast: bool) -> None:
    one, other = pair
    publisher = Publisher(audio=tone(), video=counter(), video_codec=codec, simulcast=simulcast)  # type: ignore[arg-type]  # one of the two
    async with publisher:
        await one.publish(publisher)
        subscriber = await other.subscribe(await stream_at(other))
        heard: list[AudioFrame] = []
        async with subscriber.video() as pictures, subscriber.audio() as sounds:
            numbers = [number_in(await anext(pictures)) for _ in range(10)]
            heard = [await anext(sounds) for _ in range(20)]
            while strength(heard, TONE_HZ) < 0.9:  # a loaded machine may lose a piece
                heard = [*heard[1:], await anext(sounds)]
    # Where the encoding changes, the picture of the change may be seen in both.
    assert numbers == sorted(numbers)
    assert len(set(numbers)) >= (8 if simulcast else 10)
    assert strength(heard, 660) < 0.05
    assert 0.05 < subscriber.audio_level < 0.3


async def test_sizes_that_nobody_watches_are_not_sent(pair: tuple[Session, Session]) -> None:
    one, other = pair

    needed: asyncio.Queue[list[int]] = asyncio.Queue()

    async def watching() -> AsyncIterator[VideoFrame]:
        async for frame in counter():
            if (publication := publisher._publication) is not None:
                needed.put_nowait(publication.needed)
            yield frame

    async def sends(*sizes: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while await needed.get() != list(sizes):
                pass

    async with Publisher(video=watching(), simulcast=True) as publisher:
        await one.publish(publisher)
        await sends(0, 1, 2)
        await sends(0)
        subscriber = await other.subscribe(await stream_at(other))
        async with subscriber.video() as pictures:
            while (await anext(pictures)).width < 320:
                pass
        await sends(0, 2)


async def test_packets_come_without_decoding_and_begin_with_a_key_frame(pair: tuple[Session, Session]) -> None:
    one, other = pair
    async with Publisher(audio=tone(), video=counter()) as publisher:
        await one.publish(publisher)
        subscriber = await other.subscribe(await stream_at(other))
        async with subscriber.packets("video") as packets:
            got = [await anext(packets) for _ in range(5)]
    assert got[0].key_frame
    assert {packet.codec for packet in got} == {"vp8"}
    steps = [(b.rtp_timestamp - a.rtp_timestamp) % 2**32 for a, b in itertools.pairwise(got)]
    assert all(0 < step < 90_000 for step in steps)


async def test_a_frame_of_another_size_is_announced_and_decoded(pair: tuple[Session, Session]) -> None:
    one, other = pair
    changes: asyncio.Queue[object] = asyncio.Queue()
    other.on(StreamPropertyChangedEvent, lambda event: changes.put_nowait(event.new_value))
    grow = asyncio.Event()

    async def growing() -> AsyncIterator[object]:
        number = 0
        async for frame in counter():
            if number < 4096 and grow.is_set():
                break
            yield frame
        async for frame in counter(sizes=[(640, 360)] * 100_000):
            yield frame

    async with Publisher(video=growing(), width=320, height=240) as publisher:  # type: ignore[arg-type]  # frames they are
        await one.publish(publisher)
        subscriber = await other.subscribe(await stream_at(other))
        async with subscriber.video() as pictures:
            first = await anext(pictures)
            grow.set()
            assert await changes.get() == VideoDimensions(640, 360)
            async for frame in pictures:
                if frame.width == 640:
                    break
    assert (first.width, first.height, frame.height) == (320, 240, 360)


async def test_a_source_that_fails_is_told_and_ends_the_publisher(pair: tuple[Session, Session]) -> None:
    one, other = pair
    ended: asyncio.Queue[StreamEvent] = asyncio.Queue()
    other.on("streamDestroyed", ended.put_nowait)
    errors: list[SessionError] = []

    async def failing() -> AsyncIterator[AudioFrame]:
        async for frame in tone():
            yield frame
            if ended_soon.is_set():
                raise RuntimeError("the model has crashed")

    ended_soon = asyncio.Event()
    publisher = Publisher(audio=failing()).on("mediaStopped", lambda event: errors.append(event.error))
    await one.publish(publisher)
    await stream_at(other)
    ended_soon.set()
    await publisher.ended()
    assert (await ended.get()).reason == "mediaStopped"
    assert isinstance(errors[0], CaptureError)
    assert "the model has crashed" in str(errors[0])


@pytest.mark.parametrize("make", ["missing device", "no film", "empty film", "folder"])
async def test_what_cannot_be_opened_is_raised_by_publishing_and_harms_nothing(
    pair: tuple[Session, Session], tmp_path: Path, make: str
) -> None:
    one, other = pair
    (tmp_path / "notes.webm").write_text("This is no film.")
    (tmp_path / "empty.webm").touch()
    publisher = {
        "missing device": lambda: Publisher.from_device(audio=None, video="/dev/no-such-camera"),
        "no film": lambda: Publisher.from_file(tmp_path / "notes.webm"),
        "empty film": lambda: Publisher.from_file(tmp_path / "empty.webm"),
        "folder": lambda: Publisher.from_file(tmp_path),
    }[make]()
    with pytest.raises(CaptureError, match="cannot be opened") as caught:
        await one.publish(publisher)
    assert caught.value.name == ("OT_NO_DEVICES_FOUND" if make == "missing device" else "OT_UNABLE_TO_CAPTURE_MEDIA")
    assert (one.publishers, publisher.stream) == ([], None)
    async with Publisher(audio=tone(), name="after it") as next:
        await one.publish(next)
        assert (await stream_at(other)).name == "after it"


@pytest.mark.parametrize(
    ("name", "codec", "says"),
    [("film.webm", "libvpx", "breaks off after"), ("film.mp4", "libx264", "cannot be decoded further")],
)
async def test_a_film_that_breaks_in_the_middle_is_told_with_its_cure(
    pair: tuple[Session, Session], tmp_path: Path, name: str, codec: str, says: str
) -> None:
    one, other = pair
    ended: asyncio.Queue[StreamEvent] = asyncio.Queue()
    other.on("streamDestroyed", ended.put_nowait)
    errors: list[SessionError] = []
    film(tmp_path / name, codec, seconds=4, options={"movflags": "faststart"} if codec == "libx264" else None)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    publisher = Publisher.from_file(tmp_path / name).on("mediaStopped", lambda event: errors.append(event.error))
    await one.publish(publisher)
    subscriber = await other.subscribe(await stream_at(other))
    async with subscriber.video() as pictures:
        assert number_in(await anext(pictures)) < 80
    await publisher.ended()
    assert (await ended.get()).reason == "mediaStopped"
    (error,) = errors
    assert isinstance(error, CaptureError)
    assert name in error.message
    assert says in error.message
    assert "convert it" in error.message


async def test_a_frame_that_no_encoder_takes_ends_the_publisher_and_names_its_size(
    pair: tuple[Session, Session],
) -> None:
    one, _ = pair
    errors: list[SessionError] = []
    publisher = Publisher(video=counter(sizes=[(320, 240)] * 10 + [(8194, 16)]))
    publisher.on("mediaStopped", lambda event: errors.append(event.error))
    await one.publish(publisher)
    await publisher.ended()
    (error,) = errors
    assert isinstance(error, CaptureError)
    assert "8194 x 16. Scale it" in error.message


async def test_unpublishing_ends_both_ends_and_a_slot_is_used_again(pair: tuple[Session, Session]) -> None:
    one, other = pair
    for first in (0, 1000, 2000, 3000):
        async with Publisher(video=counter(first)) as publisher:
            await one.publish(publisher)
            subscriber = await other.subscribe(await stream_at(other))
            async with subscriber.video() as pictures:
                assert first <= number_in(await anext(pictures)) < first + 900
            gone = asyncio.Event()
            subscriber.on("destroyed", lambda _, gone=gone: gone.set())  # type: ignore[misc]  # a default argument
            await one.unpublish(publisher)
            await publisher.ended()
            await gone.wait()
    assert (other.subscribers, one.publishers) == ([], [])


async def test_a_moderator_mutes_a_publisher(pair: tuple[Session, Session]) -> None:
    moderator, other = pair
    muted = asyncio.Event()
    async with Publisher(audio=tone()) as publisher:
        publisher.on("muteForced", lambda _: muted.set())
        await other.publish(publisher)
        stream = await stream_at(moderator)
        await moderator.force_mute_stream(stream)
        async with asyncio.timeout(DEADLINE_S):
            await muted.wait()
            while stream.has_audio:
                await anext(moderator.events())
    assert not publisher.publishes_audio


async def test_more_streams_than_the_first_slot_pairs_hold(pair: tuple[Session, Session]) -> None:
    one, other = pair
    publishers = [Publisher(video=counter(1000 * n), name=str(n)) for n in range(4)]
    for publisher in publishers:
        await one.publish(publisher)
    while len(other.streams) < 4:
        await anext(other.events())
    numbers = {}
    for stream in other.streams:
        subscriber = await other.subscribe(stream)
        async with subscriber.video() as pictures:
            numbers[int(stream.name)] = number_in(await anext(pictures)) // 1000
    assert numbers == {0: 0, 1: 1, 2: 2, 3: 3}
    for publisher in publishers:
        publisher.destroy()
