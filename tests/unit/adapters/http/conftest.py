"""The HTTP side on fakes, asked without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from tertulia.adapters.http.application import make_application
from tertulia.adapters.http.operations import Operations
from tertulia.adapters.http.operator_access import OperatorAccess, OperatorRules
from tertulia.adapters.http.playground import Playground, open_playground
from tertulia.adapters.http.rest_access import AccessRules
from tertulia.adapters.storage import SqlStore
from tertulia.adapters.websocket import SignallingCodec
from tertulia.adapters.websocket.requests import RequestMessage, command_of
from tertulia.domain.connection import Origin
from tertulia.observability.metrics import Metrics
from tertulia.services.callbacks import Callbacks
from tertulia.services.projects import Projects
from tertulia.services.sessions import Attachment, Sessions, SessionSettings
from tertulia.wire import signalling
from tertulia.wire.tokens import verify_client_token
from tests import openapi
from tests.fakes.callbacks import MemoryCallbacks
from tests.fakes.clock import FakeClock
from tests.fakes.ids import CountingIds
from tests.fakes.router import FakeRouter
from tests.fakes.socket import FakeSocket
from tests.fakes.store import MemoryStore

AnyStore = MemoryStore | SqlStore
DEADLINE_S = 30
POLL_S = 0.001


async def as_promised(answer: httpx.Response) -> None:
    """Hold every answer of the REST API to its description."""
    method, path = answer.request.method, answer.request.url.path
    if openapi.find(method, path) is not None:
        media_type = answer.headers.get("content-type")
        faults = openapi.faults(method, path, answer.status_code, media_type, await answer.aread())
        assert not faults, faults


async def until(holds: Callable[[], bool]) -> None:
    """Return when this holds; a store may be in other threads and processes."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - fakes have no event for everything
            await asyncio.sleep(POLL_S)


async def ask(
    server: Server, attachment: Attachment, socket: FakeSocket, request_id: int, message: RequestMessage
) -> signalling.Reply:
    """What a client that asks this is answered; what follows from it for everybody has happened then."""
    origin = Origin(attachment.connection_id, request_id)
    await attachment.request(command_of(message, origin, server.ids, server.clock.wall()))

    def replies() -> list[signalling.Reply]:
        return [one for one in socket.messages if isinstance(one, signalling.Reply) and one.id == request_id]

    await until(lambda: bool(replies()))
    return replies()[0]


async def publish(
    server: Server, attachment: Attachment, socket: FakeSocket, request_id: int, name: str, **more: Any
) -> str:
    """A client publishes sound, and what is in `more`; returns the id of the stream."""
    wish = signalling.Publish(
        epoch=1,
        offer="v=0\r\n",
        slots=[],
        name=name,
        has_audio=True,
        video_dimensions=signalling.Dimensions(640, 480),
        audio_mid="a",
        **{"has_video": False, **more},
    )
    reply = await ask(server, attachment, socket, request_id, wish)
    published = signalling.decode_result("publish", reply)
    assert isinstance(published, signalling.Published)
    return published.stream.id


class Server:
    """The application with everything that a test may want to look at."""

    def __init__(self, folder: Path, store: AnyStore | None = None) -> None:
        self.clock = FakeClock()
        self.router_is_up = True
        self.web = folder / "web"
        self.docs = folder / "docs"
        self.store: AnyStore = store or MemoryStore()
        self.callbacks = self.store.callbacks if isinstance(self.store, SqlStore) else MemoryCallbacks()
        self.router = FakeRouter()
        self.ids = CountingIds()
        self.projects = Projects(self.store, CountingIds(), self.clock)
        self.sessions = Sessions(
            store=self.store,
            router=self.router,
            codec=SignallingCodec(),
            clock=self.clock,
            ids=CountingIds(),
            projects=self.projects,
            verify_token=verify_client_token,
            settings=SessionSettings(),
        )
        self.playground: Playground
        self.application: ASGIApp
        self.rules = AccessRules()
        self.operations = Operations(Metrics())
        self.operator: OperatorRules | None = None

    async def _is_router_up(self) -> bool:
        return self.router_is_up

    async def start(self, file: Path, *, development: bool = True) -> httpx.AsyncClient:
        """Starts the services; returns a client that speaks to the application."""
        await self.sessions.start()
        self.playground = await open_playground(self.projects, self.sessions, self.clock, file)
        self.application = make_application(
            sessions=self.sessions,
            projects=self.projects,
            callbacks=Callbacks(self.callbacks, CountingIds(), self.clock),
            clock=self.clock,
            issues=self.store,
            rules=self.rules,
            web=self.web,
            docs=self.docs,
            checks={"router": self._is_router_up},
            operations=self.operations,
            playground=self.playground if development else None,
            operator=None if self.operator is None else OperatorAccess(self.operator, self.clock),
        )
        transport = httpx.ASGITransport(self.application, raise_app_exceptions=False)
        hooks: dict[str, list[Callable[..., Awaitable[None]]]] = {"response": [as_promised]}
        return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", event_hooks=hooks)


STORES = ["memory", "sqlite", "postgresql"]


@pytest.fixture
def store_kind() -> str:
    """One of `STORES`; a module that should run on all of them has a fixture of this name with these parameters."""
    return "memory"


@pytest.fixture
async def store(request: pytest.FixtureRequest, store_kind: str) -> AsyncIterator[AnyStore]:
    if store_kind == "memory":
        yield MemoryStore()
        return
    opened = await SqlStore.open(request.getfixturevalue("sqlite_url" if store_kind == "sqlite" else "postgres_url"))
    yield opened
    await opened.close()


@pytest.fixture
async def server(tmp_path: Path, store: AnyStore) -> AsyncIterator[Server]:
    pages = tmp_path / "web" / "pages"
    (pages / "assets").mkdir(parents=True)
    web = tmp_path / "web"
    (web / "icons").mkdir()
    (web / "tertulia.js").write_text("var OT={};" + " " * 2000)
    (web / "tertulia-no-style.js").write_text("var OT={style:0};")
    (web / "tertulia.css").write_text(".OT_root{}")
    (web / "icons" / "play.svg").write_text("<svg/>")
    (web / "tertulia.tgz").write_bytes(b"\x1f\x8bpackage")
    (pages / "playground.html").write_text("<!doctype html><title>Playground</title>")
    for name in ("projects", "try-v1", "try-v2"):
        (pages / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    (pages / "assets" / "playground-1a2b.js").write_text("join()")
    (tmp_path / "docs" / "guides").mkdir(parents=True)
    server = Server(tmp_path, store)
    yield server
    await server.sessions.close()


@pytest.fixture
async def client(server: Server, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with await server.start(tmp_path / "playground.json") as client:
        yield client
