"""More open microphones than are all forwarded: a page hears the loud ones, each in its own Subscriber."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from av import AudioFrame

from tertulia import Publisher, Session
from tests.e2e.bidi import Firefox
from tests.e2e.person import Era, Person
from tests.e2e.programs import Programs
from tests.servers import PageServer, TertuliaServer
from tests.signs import sound

Arrive = Callable[..., Person]

PEOPLE = 17
"""One more live audio stream than are all forwarded."""
DEADLINE_S = 60

ENERGY = """async id => {
    // Before the stream is bound there is nothing to read.
    const report = await person.subscribers[id].getRtcStatsReport().catch(() => new Map());
    const energies = [...report.values()].filter(({ kind, type }) => kind === 'audio' && type === 'inbound-rtp');
    const { muted, volume, srcObject } = document.getElementById(person.subscribers[id].id).querySelector('video');
    const energy = energies[0]?.totalAudioEnergy ?? 0;
    return { energy, muted, volume, tracks: srcObject?.getAudioTracks().length ?? 0 };
}"""
HEARS = f"""async id => {{
    const before = await ({ENERGY})(id);
    await new Promise((resume) => setTimeout(resume, 300));
    const now = await ({ENERGY})(id);
    return !now.muted && now.tracks === 1 && now.energy - before.energy > 0.0005;
}}"""


class Crowd:
    """So many programs, each with an open microphone; those in `loud` speak."""

    def __init__(self, programs: Programs, server: TertuliaServer, session_id: str) -> None:
        self.loud: set[int] = set()
        self._programs = programs
        self._server = server
        self._session_id = session_id
        self._sessions: list[Session] = []
        # Made once: every microphone says the same.
        self._word, self._silence = sound(0, hertz=400), sound(0, amplitude=0)

    def publish(self) -> list[str]:
        """All come and publish; returns their streams."""
        return [self._programs.run(self._enter(number)) for number in range(PEOPLE)]

    def leave(self, count: int) -> None:
        """So many go, the last first."""
        for _ in range(count):
            self._programs.run(self._sessions.pop().__aexit__(None, None, None))

    def close(self) -> None:
        self.leave(len(self._sessions))

    async def _enter(self, number: int) -> str:
        session = Session(self._server.api_key, self._session_id, server=self._server.url)
        self._sessions.append(session)
        await session.connect(self._server.token(self._session_id))
        publisher = Publisher(audio=self._microphone(number), name=str(number))
        await session.publish(publisher)
        assert publisher.stream is not None
        return publisher.stream.id

    async def _microphone(self, number: int) -> AsyncIterator[AudioFrame]:
        while True:
            yield self._word if number in self.loud else self._silence


@pytest.fixture
def crowd(programs: Programs, server: TertuliaServer, session_id: str) -> Iterator[Crowd]:
    crowd = Crowd(programs, server, session_id)
    yield crowd
    crowd.close()


@pytest.mark.timeout(240)
def test_the_loud_are_heard_with_their_own_volume_and_mute(arrive: Arrive, crowd: Crowd) -> None:
    viewer = arrive(role="subscriber")
    streams = crowd.publish()
    viewer.wait("count => Object.keys(person.subscribers).length === count", PEOPLE, deadline_s=DEADLINE_S)
    first, second = streams[0], streams[1]

    crowd.loud = {0}
    viewer.wait(HEARS, first, deadline_s=DEADLINE_S)
    assert not viewer.page.evaluate(HEARS, second)
    viewer.page.evaluate("id => { person.subscribers[id].setAudioVolume(30) }", first)
    assert viewer.page.evaluate(ENERGY, first)["volume"] == pytest.approx(0.3)

    crowd.loud = {0, 1}
    viewer.wait(HEARS, second, deadline_s=DEADLINE_S)
    assert viewer.page.evaluate(ENERGY, second)["volume"] == 1
    viewer.page.evaluate("id => { person.subscribers[id].subscribeToAudio(false) }", first)
    viewer.wait(f"async id => !(await ({HEARS})(id))", first, deadline_s=DEADLINE_S)
    viewer.wait(HEARS, second, deadline_s=DEADLINE_S)

    # Few enough again: everybody is heard in its own pair.
    crowd.leave(PEOPLE - 14)
    viewer.page.evaluate("id => { person.subscribers[id].subscribeToAudio(true) }", first)
    viewer.wait(HEARS, first, deadline_s=DEADLINE_S)
    viewer.wait(HEARS, second, deadline_s=DEADLINE_S)


@pytest.mark.timeout(240)
def test_firefox_hears_the_loud_each_in_its_own_subscriber(
    crowd: Crowd, server: TertuliaServer, pages: PageServer, session_id: str, tmp_path: Path
) -> None:
    streams = crowd.publish()
    first, second = streams[0], streams[1]
    with Firefox(tmp_path) as firefox:
        firefox.goto(pages.person_page(server.url, Era.V2))
        viewer = Person(firefox, Era.V2)
        viewer.prepare(server, session_id, role="subscriber", data="", subscribe_to_all=True)
        viewer.connect()
        viewer.wait("count => Object.keys(person.subscribers).length === count", PEOPLE, deadline_s=DEADLINE_S)
        crowd.loud = {0}
        viewer.wait(HEARS, first, deadline_s=DEADLINE_S)
        assert not viewer.page.evaluate(HEARS, second)
        crowd.loud = {1}
        viewer.wait(HEARS, second, deadline_s=DEADLINE_S)
        viewer.wait(f"async id => !(await ({HEARS})(id))", first, deadline_s=DEADLINE_S)
