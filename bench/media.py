"""Scenarios of the Python client's media, and the same work done by aiortc, in CPU time of this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

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


async def python_media(server: TertuliaServer) -> list[Figure]:
    """All of them."""
    return [await first_frame(server), *await work_per_frame(server), *await offers(), await signals(server)]


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
    began = time.process_time()
    for _ in range(SIGNALS // len(senders) // 40):
        async with asyncio.TaskGroup() as group:
            for session in senders:
                for _ in range(40):
                    group.create_task(session.signal("x", type="bench", to=session.connection))
    cpu = time.process_time() - began
    for session in senders:
        await session.disconnect()
    return Figure(
        "signals for a CPU second, sent, acknowledged and received, Python client", "1/s", {"signals": SIGNALS / cpu}
    )


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
