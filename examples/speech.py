"""Takes the sound of the first stream, hands it to a function of yours, and speaks what comes out of it.

python examples/speech.py API_KEY SESSION_ID TOKEN [SERVER]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from av import AudioFrame

from tertulia import Publisher, Session, Stream, StreamEvent


async def answer(heard: AsyncIterator[AudioFrame]) -> AsyncIterator[AudioFrame]:
    """Yours: speech recognition, a language model and a voice. This one turns the samples upside down."""
    async for frame in heard:
        samples = memoryview(bytes(frame.planes[0])).cast("h")
        frame.planes[0].update(b"".join(max(-32767, -sample).to_bytes(2, "little", signed=True) for sample in samples))
        yield frame


async def main(api_key: str, session_id: str, token: str, server: str = "http://localhost:8080") -> None:
    """Joins, and talks until the stream ends."""
    async with Session(api_key, session_id, server=server) as session:
        streams: asyncio.Queue[Stream] = asyncio.Queue()
        session.on(StreamEvent, lambda event: streams.put_nowait(event.stream))
        await session.connect(token)
        subscriber = await session.subscribe(await streams.get(), video=False)
        async with Publisher(audio=answer(subscriber.audio()), name="Voice") as publisher:
            await session.publish(publisher)
            await publisher.ended()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
