"""Scenarios of the Python client's media, and the same work done by aiortc, in CPU time of this process."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, VideoStreamTrack
from av import VideoFrame

from bench.figures import Figure, spread
from tertulia import Publisher, Session
from tertulia.client.media.webrtc import WebRtcPeer
from tests.servers import TertuliaServer
from tests.signs import counter, picture

TIMES = 10
SECONDS = 5
PAIRS = 16
SIGNALS = 2_000
MEDIA_CLIENTS = 30
START_S = 60
SIGNALLING_CLIENTS = 300


async def python_media(server: TertuliaServer) -> list[Figure]:
    """All of them."""
    return [
        await publish_to_frame(server),
        await first_frame(server),
        *await work_per_frame(server),
        await media_clients(server),
        await signalling_clients(server),
        *await offers(),
        await signals(server),
    ]


async def publish_to_frame(server: TertuliaServer) -> Figure:
    """`publish()` to the first decoded frame at the other client, both new: media connections are made meanwhile."""
    samples = []
    for _ in range(TIMES):
        session_id = server.create_session()
        one, other = (Session(server.api_key, session_id, server=server.url) for _ in range(2))
        async with one, other, Publisher(video=counter()) as publisher:
            for session in (one, other):
                await session.connect(server.token(session_id))
            events = other.events()
            began = time.perf_counter()
            publishing = asyncio.create_task(one.publish(publisher))
            while not other.streams:
                await anext(events)
            async with await other.subscribe(other.streams[0]) as subscriber, subscriber.video() as pictures:
                await anext(pictures)
            samples.append((time.perf_counter() - began) * 1000)
            await publishing
    return Figure(
        f"`publish()` to the first decoded frame at another new Python client, {TIMES} times", "ms", spread(samples)
    )


async def media_clients(server: TertuliaServer) -> Figure:
    """How many clients that take pictures of 320 x 240, 30 a second, without decoding would fill a core.

    The publisher is in another process.
    """
    session_id = server.create_session()
    others = [Session(server.api_key, session_id, server=server.url) for _ in range(MEDIA_CLIENTS)]
    counts = [0, 0]

    async def take(session: Session) -> None:
        while not session.streams:
            await anext(session.events())
        async with (await session.subscribe(session.streams[0])).packets("video") as packets:
            async for packet in packets:
                counts[0] += 1
                counts[1] += len(packet.data)

    token = server.token(session_id)
    publisher = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.media", server.api_key, session_id, token, server.url
    )
    async with contextlib.AsyncExitStack() as stack:
        for session in others:
            await stack.enter_async_context(session)
            await session.connect(token)
        taking = [asyncio.create_task(take(session)) for session in others]
        async with asyncio.timeout(START_S):
            while counts[0] < 100 * MEDIA_CLIENTS:  # noqa: ASYNC110 - many tasks count
                await asyncio.sleep(0.1)
        counts[:] = 0, 0
        share = await _share_of_a_core()
        frames, size = counts
        for task in taking:
            task.cancel()
        await asyncio.wait(taking)
    publisher.terminate()
    await publisher.wait()
    each = MEDIA_CLIENTS * SECONDS
    return Figure(
        f"Python clients for a core that receive 320 x 240 without decoding, by {MEDIA_CLIENTS} in one process",
        "clients; frames/s and kbit/s of each",
        {"clients": MEDIA_CLIENTS / share, "frames": frames / each, "rate": size * 8 / 1000 / each},
    )


async def publish_counter(api_key: str, session_id: str, token: str, url: str) -> None:
    """What the other process does, until it is ended."""
    async with Session(api_key, session_id, server=url) as session:
        await session.connect(token)
        async with Publisher(video=_grain(), video_bitrate_bps=500_000) as publisher:
            await session.publish(publisher)
            await publisher.ended()


async def _grain() -> AsyncIterator[VideoFrame]:
    """Pictures with enough in them to fill a bitrate, the same on every run."""
    grain = random.Random(1)
    frames = [picture(0) for _ in range(30)]
    for frame in frames:
        luma = frame.planes[0]
        luma.update(bytes(128 + value // 16 for value in grain.randbytes(luma.buffer_size)))
    while True:
        for frame in frames:
            frame.pts = None
            yield frame


async def signalling_clients(server: TertuliaServer) -> Figure:
    """How many clients that get one signal a second would fill a core of this process."""
    session_id = server.create_session()
    sessions = [
        Session(server.api_key, session_id, server=server.url, connection_events_suppressed=True)
        for _ in range(SIGNALLING_CLIENTS)
    ]
    for session in sessions:
        await session.connect(server.token(session_id))
    heard = 0

    def hear(_: object) -> None:
        nonlocal heard
        heard += 1

    for session in sessions:
        session.on("signal:beat", hear)

    async def beat() -> None:
        while True:
            await sessions[0].signal("x", type="beat")
            await asyncio.sleep(1)

    beating = asyncio.create_task(beat())
    share = await _share_of_a_core()
    beating.cancel()
    assert heard >= (SECONDS - 1) * SIGNALLING_CLIENTS, "every beat was heard"
    async with asyncio.TaskGroup() as group:
        for session in sessions:
            group.create_task(session.disconnect())
    return Figure(
        f"Python clients for a core that get a signal a second, by {SIGNALLING_CLIENTS} in one process",
        "clients",
        {"clients": SIGNALLING_CLIENTS / share},
    )


async def first_frame(server: TertuliaServer) -> Figure:
    """`subscribe()` to the first decoded frame, with the publisher running and the media connection up."""
    samples = []
    session_id = server.create_session()
    one, other = (Session(server.api_key, session_id, server=server.url) for _ in range(2))
    async with one, other, Publisher(video=counter()) as publisher:
        for session in (one, other):
            await session.connect(server.token(session_id))
        await one.publish(publisher)
        assert publisher.stream is not None
        while not other.streams:
            await anext(other.events())
        for _ in range(TIMES + 1):
            began = time.perf_counter()
            async with await other.subscribe(other.streams[0]) as subscriber, subscriber.video() as pictures:
                await anext(pictures)
                samples.append((time.perf_counter() - began) * 1000)
    return Figure(f"`subscribe()` to the first decoded frame, Python client, {TIMES} times", "ms", spread(samples[1:]))


async def work_per_frame(server: TertuliaServer) -> list[Figure]:
    """What encoding, sending, receiving and decoding a picture of 320 by 240 costs, both ends in this process."""
    session_id = server.create_session()
    one, other = (Session(server.api_key, session_id, server=server.url) for _ in range(2))
    async with one, other, Publisher(video=counter(), video_bitrate_bps=500_000) as publisher:
        for session in (one, other):
            await session.connect(server.token(session_id))
        await one.publish(publisher)
        while not other.streams:
            await anext(other.events())
        subscriber = await other.subscribe(other.streams[0])
        async with subscriber.video() as pictures:
            ours = await _frames_per_cpu_second(lambda: anext(pictures))
    return [
        Figure("pictures of 320 x 240 for a CPU second, sent and received, Python client", "1/s", {"frames": ours}),
        Figure("the same, aiortc", "1/s", {"frames": await _aiortc_frames()}),
    ]


async def offers() -> list[Figure]:
    """A peer with 16 slot pairs and its offer."""

    async def ours() -> None:
        peer = WebRtcPeer(lambda _: None, time.time)
        peer.add_slot_pairs(PAIRS)
        peer.offer()
        peer.close()

    async def aiortcs() -> None:
        peer = _aiortc_peer()
        for _ in range(PAIRS):
            for kind in ("audio", "video"):
                peer.addTransceiver(kind, direction="recvonly")
        await peer.setLocalDescription(await peer.createOffer())
        await peer.close()

    figures = []
    for name, make in (("Python client", ours), ("aiortc", aiortcs)):
        began = time.process_time()
        for _ in range(TIMES):
            await make()
        cost = (time.process_time() - began) / TIMES * 1000
        figures.append(Figure(f"a peer with {PAIRS} slot pairs and its offer, {name}", "ms of CPU", {"mean": cost}))
    return figures


async def signals(server: TertuliaServer) -> Figure:
    """Signals that one client process sends and gets back, as fast as the limit of each client allows."""
    session_id = server.create_session()
    senders = [Session(server.api_key, session_id, server=server.url) for _ in range(25)]
    for session in senders:
        await session.connect(server.token(session_id))
    began, wall = time.process_time(), time.perf_counter()
    for _ in range(SIGNALS // len(senders) // 40):
        async with asyncio.TaskGroup() as group:
            for session in senders:
                for _ in range(40):
                    group.create_task(session.signal("x", type="bench", to=session.connection))
    cpu, took_s = time.process_time() - began, time.perf_counter() - wall
    for session in senders:
        await session.disconnect()
    return Figure(
        f"signals sent, acknowledged and received by {len(senders)} Python clients in one process",
        "1/s",
        {"a second": SIGNALS / took_s, "a CPU second of the process": SIGNALS / cpu},
    )


async def _share_of_a_core() -> float:
    """CPU time of this process in a second, over SECONDS."""
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(SECONDS)
    return (time.process_time() - cpu) / (time.perf_counter() - began)


async def _frames_per_cpu_second(take: Callable[[], Awaitable[object]]) -> float:
    for _ in range(10):
        await take()
    began, cpu, frames = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < SECONDS:
        await take()
        frames += 1
    return frames / (time.process_time() - cpu)


class _Counter(VideoStreamTrack):
    """The same pictures, as aiortc takes them."""

    _number = 0

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = picture(self._number % 4096)
        frame.pts, frame.time_base = pts, time_base
        self._number += 1
        return frame


def _aiortc_peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


async def _aiortc_frames() -> float:
    one, other = _aiortc_peer(), _aiortc_peer()
    tracks: asyncio.Queue[VideoStreamTrack] = asyncio.Queue()
    other.on("track", tracks.put_nowait)
    one.addTrack(_Counter())
    await one.setLocalDescription(await one.createOffer())
    await other.setRemoteDescription(one.localDescription)
    await other.setLocalDescription(await other.createAnswer())
    await one.setRemoteDescription(other.localDescription)
    track = await tracks.get()
    frames = await _frames_per_cpu_second(track.recv)
    await one.close()
    await other.close()
    return frames


if __name__ == "__main__":
    asyncio.run(publish_counter(*sys.argv[1:]))
