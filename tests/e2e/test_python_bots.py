"""A browser and a Python program in one session: each decodes what the other publishes, and can remove the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from tertulia import Publisher, Session, SessionDisconnectEvent
from tests.e2e.person import Era, Person
from tests.e2e.programs import Programs
from tests.servers import TertuliaServer
from tests.signs import BITS, TONE_HZ, counter, number_in, strength, tone

Arrive = Callable[..., Person]
DEADLINE_S = 30

READ_NUMBERS = f"""async id => {{
    const video = document.getElementById(person.subscribers[id].id).querySelector('video');
    const canvas = document.createElement('canvas');
    const pen = canvas.getContext('2d', {{ willReadFrequently: true }});
    const numbers = [];
    while (numbers.length < 10) {{
        await new Promise(shown => video.requestVideoFrameCallback(shown));
        [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
        pen.drawImage(video, 0, 0);
        const row = pen.getImageData(0, video.videoHeight / 2, video.videoWidth, 1).data;
        let number = 0;
        for (let bit = 0; bit < {BITS}; bit += 1) {{
            const x = Math.floor((2 * bit + 1) * video.videoWidth / {2 * BITS});
            number = number * 2 + (row[4 * x] > 128 ? 1 : 0);
        }}
        numbers.push(number);
    }}
    return numbers;
}}"""

STRONGEST_HZ = """async id => {
    const video = document.getElementById(person.subscribers[id].id).querySelector('video');
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    context.createMediaStreamSource(video.srcObject).connect(analyser);
    const bins = new Float32Array(analyser.frequencyBinCount);
    let strongest = 0;
    for (const end = performance.now() + 10000; performance.now() < end && !strongest;) {
        await new Promise(requestAnimationFrame);
        analyser.getFloatFrequencyData(bins);
        const loudest = Math.max(...bins);
        strongest = loudest > -60 ? bins.indexOf(loudest) : 0;
    }
    return strongest * context.sampleRate / analyser.fftSize;
}"""

PUBLISH_SIGNS = f"""([first, hertz]) => {{
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 240];
    const pen = canvas.getContext('2d');
    let number = first;
    person.painters = [setInterval(() => {{
        for (let bit = 0; bit < {BITS}; bit += 1) {{
            pen.fillStyle = Math.floor(number / 2 ** ({BITS - 1} - bit)) % 2 ? 'white' : 'black';
            pen.fillRect(bit * 320 / {BITS}, 0, 320 / {BITS}, 240);
        }}
        number += 1;
    }}, 60)];
    const context = new AudioContext();
    const oscillator = context.createOscillator();
    oscillator.frequency.value = hertz;
    const out = context.createMediaStreamDestination();
    oscillator.connect(out);
    oscillator.start();
    person.publish({{
        videoSource: canvas.captureStream(15).getVideoTracks()[0], audioSource: out.stream.getAudioTracks()[0],
    }});
}}"""


@pytest.fixture
def bot(programs: Programs, server: TertuliaServer, session_id: str) -> Iterator[Session]:
    """A program in the session, as a moderator."""
    session = Session(server.api_key, session_id, server=server.url)
    programs.run(session.connect(server.token(session_id, "moderator", "bot")))
    yield session
    programs.run(session.__aexit__(None, None, None))


async def publish_signs(bot: Session) -> str:
    publisher = Publisher(audio=tone(), video=counter(100), name="signs")
    await bot.publish(publisher)
    assert publisher.stream is not None
    return publisher.stream.stream_id


async def read_signs(bot: Session) -> tuple[list[int], float]:
    """Ten numbers of the first stream in the session, and how much of its sound is the tone."""
    events = bot.events()
    while not bot.streams:
        await anext(events)
    subscriber = await bot.subscribe(bot.streams[0])
    async with subscriber.video() as pictures, subscriber.audio() as sounds:
        numbers = [number_in(await anext(pictures)) for _ in range(10)]
        heard = [await anext(sounds) for _ in range(25)]
        while not numbers[0]:  # the canvas was empty when it was published
            numbers = [*numbers[1:], number_in(await anext(pictures))]
        while strength(heard, TONE_HZ) < 0.5:
            heard = [*heard[1:], await anext(sounds)]
    return numbers, strength(heard, TONE_HZ)


def test_a_page_decodes_what_a_program_publishes(arrive: Arrive, programs: Programs, bot: Session) -> None:
    ann = arrive()
    stream = programs.run(publish_signs(bot))
    ann.watches(stream)
    numbers = ann.page.evaluate(READ_NUMBERS, stream)
    assert numbers == sorted(numbers)
    assert 100 <= numbers[0] < numbers[-1]
    assert ann.page.evaluate(STRONGEST_HZ, stream) == pytest.approx(TONE_HZ, abs=12)


def test_a_program_decodes_what_a_page_publishes(arrive: Arrive, programs: Programs, bot: Session) -> None:
    ann = arrive()
    ann.page.evaluate(PUBLISH_SIGNS, [100, TONE_HZ])
    numbers, share = programs.run(read_signs(bot))
    assert numbers == sorted(numbers)
    assert 100 <= numbers[0] < numbers[-1]
    assert share > 0.5


def test_a_program_removes_a_page_of_the_first_generation(arrive: Arrive, programs: Programs, bot: Session) -> None:
    old = arrive(Era.V1)
    old.publish()
    programs.run(bot.force_disconnect(old.connection_id))
    assert old.sees("sessionDisconnected")["reason"] == "forceDisconnected"
    assert old.elements(".OT_publisher") == 0


def test_a_page_of_the_first_generation_removes_a_program(
    arrive: Arrive, programs: Programs, server: TertuliaServer, session_id: str
) -> None:
    old = arrive(Era.V1, role="moderator")
    old.sees("sessionConnected")
    reasons: list[str] = []

    async def stay() -> None:
        async with Session(server.api_key, session_id, server=server.url) as session:
            events = session.events()
            await session.connect(server.token(session_id, data="program"))
            joined.set()
            async for event in events:
                if isinstance(event, SessionDisconnectEvent):
                    reasons.append(event.reason)

    joined = threading.Event()
    staying = threading.Thread(target=lambda: programs.run(stay()))
    staying.start()
    assert joined.wait(DEADLINE_S)
    old.page.evaluate(
        """async () => {
            for (;;) {
                for (const event of person.log.filter(e => e.type === 'connectionCreated')) {
                    person.session.forceDisconnect(event.connections[0]);
                    return;
                }
                await new Promise(requestAnimationFrame);
            }
        }"""
    )
    staying.join(DEADLINE_S)
    assert reasons == ["forceDisconnected"]
