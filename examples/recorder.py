"""Records the first stream of a session into a file, until the stream ends.

python examples/recorder.py API_KEY SESSION_ID TOKEN FILE.webm [SERVER]
"""

from __future__ import annotations

import asyncio
import sys

import av

from tertulia import Session, Stream, StreamEvent


async def main(api_key: str, session_id: str, token: str, file: str, server: str = "http://localhost:8080") -> None:
    """Joins, records and leaves."""
    async with Session(api_key, session_id, server=server) as session:
        streams: asyncio.Queue[Stream] = asyncio.Queue()
        session.on(StreamEvent, lambda event: streams.put_nowait(event.stream))
        await session.connect(token)
        subscriber = await session.subscribe(await streams.get())
        with av.open(file, "w") as output:
            sound = output.add_stream("libopus", 48_000)
            pictures = output.add_stream("libvpx", 30, options={"deadline": "realtime", "cpu-used": "8"})

            async def record_sound() -> None:
                async for frame in subscriber.audio(buffer=500):
                    output.mux(sound.encode(frame))

            async with asyncio.TaskGroup() as group:
                group.create_task(record_sound())
                async for picture in subscriber.video(buffer=150):
                    output.mux(pictures.encode(picture.reformat(pictures.width, pictures.height)))
            output.mux([*sound.encode(), *pictures.encode()])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
