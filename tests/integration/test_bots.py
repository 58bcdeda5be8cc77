"""The bots in examples/, run as printed against a server, each with a program at the other end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest
from av import AudioFrame

from tertulia import Publisher, Session, Stream, StreamEvent
from tests.servers import TertuliaServer
from tests.signs import TONE_HZ, counter, number_in, picture, sound, strength, tone

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE_S = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("bots")) as running:
        yield running


class Other:
    """The program at the other end, and the streams that it hears of."""

    def __init__(self, server: TertuliaServer) -> None:
        self.server = server
        self.session_id = server.create_session()
        self.session = Session(server.api_key, self.session_id, server=server.url)
        self.streams: asyncio.Queue[Stream] = asyncio.Queue()
        self.session.on("streamCreated", lambda event: self.streams.put_nowait(event.stream))

    @asynccontextmanager
    async def bot(
        self, name: str, *arguments: str, role: str = "publisher"
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Runs an example in the session until the end of the block, then removes it and expects it to end well."""
        command = [self.server.api_key, self.session_id, self.server.token(self.session_id, role, name), *arguments]
        program = str(EXAMPLES / f"{name}.py")
        process = await asyncio.create_subprocess_exec(sys.executable, program, *command, self.server.url)
        try:
            yield process
            for connection in self.session.connections:
                if connection.data == name:
                    await self.session.force_disconnect(connection)
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def other(server: TertuliaServer) -> AsyncIterator[Other]:
    end = Other(server)
    async with asyncio.timeout(DEADLINE_S), end.session:
        await end.session.connect(server.token(end.session_id, "moderator"))
        yield end


async def see(session: Session, stream: Stream, times: int = 5) -> list[int]:
    subscriber = await session.subscribe(stream)
    async with subscriber.video() as pictures:
        return [number_in(await anext(pictures)) for _ in range(times)]


async def hear(session: Session, stream: Stream, hertz: float) -> bool:
    """Waits until half a second of the stream's sound is that tone."""
    subscriber = await session.subscribe(stream)
    async with subscriber.audio() as sounds:
        heard: list[AudioFrame] = [await anext(sounds) for _ in range(25)]
        while strength(heard, hertz) < 0.8:
            heard = [*heard[1:], await anext(sounds)]
    return True


def film(path: Path, seconds: int) -> None:
    """A file with the counter from 500 on and the tone."""
    with av.open(str(path), "w") as output:
        pictures, sounds = output.add_stream("libvpx", 20), output.add_stream("libopus", 48_000)
        pictures.width, pictures.height, pictures.pix_fmt = 320, 240, "yuv420p"
        pictures.options = {"deadline": "realtime"}
        sounds.layout = "mono"
        for n in range(20 * seconds):
            output.mux(pictures.encode(picture(500 + n)))
        for n in range(50 * seconds):
            output.mux(sounds.encode(sound(960 * n)))
        output.mux([*pictures.encode(), *sounds.encode()])


async def test_the_echo_sends_back_what_it_gets(other: Other) -> None:
    async with Publisher(audio=tone(), video=counter(300), name="song") as publisher, other.bot("echo"):
        await other.session.publish(publisher)
        echo = await other.streams.get()
        numbers = await see(other.session, echo)
        assert await hear(other.session, echo, TONE_HZ)
    assert echo.name == "Echo of song"
    assert numbers == sorted(numbers)
    assert numbers[0] >= 300


async def test_the_player_plays_a_file_and_leaves(other: Other, tmp_path: Path) -> None:
    film(tmp_path / "film.webm", 4)
    ended: asyncio.Queue[StreamEvent] = asyncio.Queue()
    other.session.on("streamDestroyed", ended.put_nowait)
    async with other.bot("player", str(tmp_path / "film.webm")) as process:
        stream = await other.streams.get()
        assert all(500 <= number < 580 for number in await see(other.session, stream))
        assert await hear(other.session, stream, TONE_HZ)
        assert (await ended.get()).reason == "mediaStopped"
        assert await process.wait() == 0


async def test_the_player_names_cause_and_cure_for_what_is_no_film(other: Other, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("This is no film.")
    command = [sys.executable, str(EXAMPLES / "player.py"), other.server.api_key, other.session_id]
    token = other.server.token(other.session_id)
    process = await asyncio.create_subprocess_exec(
        *command, token, str(tmp_path / "notes.txt"), other.server.url, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"OT_UNABLE_TO_CAPTURE_MEDIA" in said
    assert b"notes.txt' cannot be opened" in said
    assert b"Traceback" not in said


async def test_the_recorder_writes_a_file_that_plays(other: Other, tmp_path: Path) -> None:
    file = tmp_path / "record.webm"
    async with Publisher(audio=tone(), video=counter(700)) as publisher:
        await other.session.publish(publisher)
        async with other.bot("recorder", str(file)) as process:
            while not file.exists():  # noqa: ASYNC110 - a file's coming can only be polled
                await asyncio.sleep(0.02)
            assert publisher.stream is not None
            await see(other.session, publisher.stream, times=60)
            await other.session.unpublish(publisher)
            assert await process.wait() == 0
    with av.open(str(file)) as record:
        numbers = [number_in(frame) for frame in record.decode(video=0)]
    with av.open(str(file)) as record:
        heard = list(record.decode(audio=0))
    assert len(numbers) > 5
    assert numbers == sorted(numbers)
    assert numbers[0] >= 700
    assert len(heard) > 20


async def test_the_speech_hook_answers_with_sound(other: Other) -> None:
    async with Publisher(audio=tone(660)) as publisher, other.bot("speech"):
        await other.session.publish(publisher)
        assert await hear(other.session, await other.streams.get(), 660)


async def test_the_moderator_mutes_the_loudest_and_nobody_else(other: Other) -> None:
    muted = asyncio.Event()
    async with (
        Publisher(audio=tone(amplitude=20_000), name="loud") as loud,
        Publisher(audio=tone(amplitude=300), name="quiet") as quiet,
        other.bot("moderator", role="moderator"),
    ):
        loud.on("muteForced", lambda _: muted.set())
        await other.session.publish(quiet)
        await other.session.publish(loud)
        await muted.wait()
        assert not loud.publishes_audio
        assert quiet.publishes_audio
