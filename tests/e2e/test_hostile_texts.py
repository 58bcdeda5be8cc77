"""Texts of other people that would like to be markup, in every field in which they reach a page through the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from av import AudioFrame
from playwright.sync_api import Browser

from tertulia import Publisher, Session
from tests.e2e.programs import Programs
from tests.e2e.test_conformance import prepare
from tests.servers import PageServer, TertuliaServer

pytestmark = pytest.mark.timeout(120)

TEXTS_OF_EACH = 10
# Shows every stream with what its owner calls it. A few views stay, the others make room.
JOIN = """
async ([apiKey, sessionId, token]) => {
  const told = { names: [], initials: [], facts: [], data: [], signals: [] };
  const session = OT.initSession(apiKey, sessionId);
  window.finding = watchForMarkup();
  window.told = told;
  session.on('connectionCreated', ({ connection }) => told.data.push(connection.data));
  session.on('signal:text', ({ data }) => told.signals.push(data));
  session.on('streamCreated', ({ stream }) => {
    const view = session.subscribe(stream, 'stage', { insertMode: 'append', width: 80, height: 60 });
    told.facts.push([stream.name, stream.initials]);
    told.names.push(view.element.querySelector('.OT_name').textContent);
    told.initials.push(view.element.querySelector('.OT_initials').textContent);
    if (told.names.length % 20) session.unsubscribe(view);
  });
  await session.connect.promise(token);
  window.session = session;
}
"""
FIND = """
async (count) => {
  const end = performance.now() + 30_000;
  const all = () => [told.names, told.signals].every(({ length }) => length >= count);
  while (!all() && performance.now() < end) await new Promise((resume) => setTimeout(resume, 20));
  await session.disconnect();
  return [told, await finding()];
}
"""


class Stranger:
    """A program that writes its texts wherever a client can write one."""

    def __init__(self, server: TertuliaServer, session_id: str, texts: list[str]) -> None:
        self.data = "\n".join(texts)
        self._texts = texts
        self._session = Session(server.api_key, session_id, server=server.url)
        self._token = server.token(session_id, data=self.data)

    async def arrive(self) -> None:
        """Joins, and publishes a stream with each text for its name and its initials."""
        await self._session.connect(self._token)
        for text in self._texts:
            await self._session.publish(Publisher(audio=hush(), name=text, initials=text))

    async def talk(self) -> None:
        for text in self._texts:
            await self._session.signal(text, type="text")

    async def leave(self) -> None:
        await self._session.__aexit__(None, None, None)


async def hush() -> AsyncIterator[AudioFrame]:
    """A microphone that never delivers."""
    await asyncio.Event().wait()
    yield AudioFrame()


async def together(*work: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(*work)


def test_no_text_of_other_people_is_taken_for_markup(
    server: TertuliaServer, pages: PageServer, chromium: Browser, programs: Programs, session_id: str
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(prepare(server, pages))
    texts: list[str] = page.evaluate("() => injections")
    parts = [texts[at : at + TEXTS_OF_EACH] for at in range(0, len(texts), TEXTS_OF_EACH)]
    strangers = [Stranger(server, session_id, part) for part in parts]
    try:
        programs.run(together(*(one.arrive() for one in strangers)))
        page.evaluate(JOIN, [server.api_key, session_id, server.token(session_id)])
        programs.run(together(*(one.talk() for one in strangers)))
        told, found = page.evaluate(FIND, len(texts))
    finally:
        programs.run(together(*(one.leave() for one in strangers)))
        context.close()

    assert len(texts) == 200
    assert sorted(told["names"]) == sorted(texts)
    assert sorted(told["initials"]) == sorted(texts)
    assert sorted(told["facts"]) == sorted([text, text] for text in texts)
    assert sorted(told["signals"]) == sorted(texts)
    assert sorted(told["data"]) == sorted(["", *(one.data for one in strangers)])
    assert found == {"made": [], "ran": False}
