"""`tertulia.asgi` in Starlette and FastAPI applications that really run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import urllib.parse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

import tertulia.asgi
from tertulia import PermissionDeniedError, Session, SessionDisconnectEvent
from tertulia.asgi import App, ConnectionAttempt, Hooks, Refused, SessionEvent, SignalAttempt
from tertulia.config import ConfiguredProject, MediaSettings, Settings
from tertulia.domain.events import ConnectionCreated, ConnectionDestroyed, SignalSent
from tertulia.server import AsyncClient, Roles
from tertulia.server import PermissionDeniedError as NotPermittedError
from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.leftovers import start_time

API_KEY, API_SECRET = "40012345", "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
DEADLINE_S = 30
POLL_S = 0.02


class House(Hooks):
    """Lets nobody in who is called Mallory, and nothing be said that is secret."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[SessionEvent] = asyncio.Queue()

    async def allow_connection(self, attempt: ConnectionAttempt) -> None:
        if attempt.data == "Mallory":
            raise Refused("Not you.")
        if attempt.data == "Trent":
            raise RuntimeError("the application broke")

    async def allow_signal(self, attempt: SignalAttempt) -> None:
        if attempt.data == "secret":
            raise Refused("Psst.")

    async def on_event(self, event: SessionEvent) -> None:
        self.events.put_nowait(event)


def settings(folder: Path) -> Settings:
    project = ConfiguredProject(api_key=API_KEY, api_secret=API_SECRET)
    programs = os.environ.get("TERTULIA_PROGRAMS_FOLDER")
    return Settings(
        data_folder=folder / "data",
        programs_folder=Path(programs) if programs else None,
        media=MediaSettings(port=0),
        projects=(project,),
    )


async def has_all_it_loads(http: httpx.AsyncClient, page: str) -> None:
    """What a browser fetches for this page stands below the path at which we are mounted, and is there."""
    html = (await http.get(page)).text
    named = re.findall(r'(?:src|href)="((?!data:)[^"#]+)"', html)
    assert any(name.endswith(".js") for name in named), html
    for name in named:
        address = urllib.parse.urljoin(page, name)
        assert "/video/" in address, name
        assert (await http.get(address)).status_code == 200, address


def in_starlette(video: App) -> Any:
    async def greet(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("the application's own")

    return Starlette(routes=[Route("/own", greet), Mount("/video", video)], lifespan=video.lifespan)


def in_fastapi(video: App) -> Any:
    @asynccontextmanager
    async def lifespan(_host: FastAPI) -> AsyncIterator[None]:
        async with video.running():
            yield

    application = FastAPI(lifespan=lifespan)
    application.add_api_route("/own", lambda: "the application's own")
    application.mount("/video", video)
    return application


@asynccontextmanager
async def serving(application: Any) -> AsyncIterator[str]:
    """The application on a free port of this machine; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_config=None, lifespan="on", ws="websockets-sansio")
    server = uvicorn.Server(config)
    # The test's own signals are none of the server's.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await until(lambda: server.started or task.done())
        assert server.started
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - another process brings it about
        await asyncio.sleep(POLL_S)


async def until_ready(url: str) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(DEADLINE_S):
        while (await http.get(f"{url}/health/ready")).status_code != 200:  # noqa: ASYNC110 - it is asked over HTTP
            await asyncio.sleep(POLL_S)


def router_pid(folder: Path) -> int:
    known = json.loads((folder / "data" / "run" / "processes.json").read_text(encoding="utf-8"))
    return int(known["router"]["pid"])


@pytest.mark.parametrize("mount", [in_starlette, in_fastapi])
async def test_an_application_has_calls_below_a_path_of_its_own(mount: Callable[[App], Any], tmp_path: Path) -> None:
    house = House()
    application = mount(tertulia.asgi.app(settings(tmp_path), house))
    async with serving(application) as url, httpx.AsyncClient(base_url=url) as http:
        await until_ready(f"{url}/video")
        pid = router_pid(tmp_path)
        assert "own" in (await http.get("/own")).text
        assert (await http.get("/video/v2/js/opentok.min.js")).status_code == 200
        assert 'href="/video/docs/limits"' in (await http.get("/video/docs")).text
        assert (await http.get("/video/nothing")).json()["code"] == 404
        for page in ("", "playground", "projects", "try-v1", "try-v2"):
            await has_all_it_loads(http, f"{url}/video/{page}")
        for page in ("", "playground", "projects", "try-v1", "try-v2"):
            await has_all_it_loads(http, f"{url}/video/{page}")

        async with AsyncClient(API_KEY, API_SECRET, f"{url}/video") as client, asyncio.timeout(DEADLINE_S):
            made = await client.create_session()
            async with Session(API_KEY, made.session_id, server=f"{url}/video") as session:
                ended: asyncio.Queue[SessionDisconnectEvent] = asyncio.Queue()
                session.on(SessionDisconnectEvent, ended.put_nowait)
                await session.connect(client.generate_token(made.session_id, data="Ida"))
                await session.signal("hello", type="chat")
                assert session.connection is not None
                await client.force_disconnect(made.session_id, session.connection.connection_id)
                assert (await ended.get()).reason == "forceDisconnected"
            facts = [type((await house.events.get()).fact) for _ in range(3)]
    assert facts == [ConnectionCreated, SignalSent, ConnectionDestroyed]
    assert start_time(pid) == "", "the router is stopped with the application"


async def test_what_a_hook_refuses_reaches_client_and_api_as_a_typed_error(tmp_path: Path) -> None:
    application = in_starlette(tertulia.asgi.app(settings(tmp_path), House()))
    async with serving(application) as url, asyncio.timeout(DEADLINE_S):
        client = AsyncClient(API_KEY, API_SECRET, f"{url}/video")
        async with client:
            made = await client.create_session()
            async with Session(API_KEY, made.session_id, server=f"{url}/video") as session:
                for name, words in (("Mallory", "Not you."), ("Trent", "could not decide")):
                    with pytest.raises(PermissionDeniedError, match=words) as refused:
                        await session.connect(client.generate_token(made.session_id, Roles.publisher, data=name))
                    assert (refused.value.name, refused.value.code) == ("OT_REFUSED_BY_APPLICATION", 403)
                await session.connect(client.generate_token(made.session_id, data="Ida"))
                with pytest.raises(PermissionDeniedError, match="Psst"):
                    await session.signal("secret")
                with pytest.raises(NotPermittedError, match="Psst"):
                    await client.signal(made.session_id, {"data": "secret"})
                await session.signal("hello")


async def test_a_router_that_dies_is_started_again(tmp_path: Path) -> None:
    async with serving(in_starlette(tertulia.asgi.app(settings(tmp_path)))) as url, asyncio.timeout(DEADLINE_S):
        await until_ready(f"{url}/video")
        first = router_pid(tmp_path)
        os.kill(first, signal.SIGKILL)
        await until(lambda: router_pid(tmp_path) != first)
        await until_ready(f"{url}/video")


async def test_an_external_router_is_neither_started_nor_stopped(tmp_path: Path) -> None:
    ours = settings(tmp_path)
    async with serving(tertulia.asgi.app(ours, router="external")) as url, httpx.AsyncClient() as http:
        assert (await http.get(f"{url}/health/live")).status_code == 200
        assert (await http.get(f"{url}/health/ready")).status_code == 503
        assert not (ours.run_folder / "processes.json").exists()


async def test_without_its_lifespan_it_says_what_is_missing(tmp_path: Path) -> None:
    forgotten = Starlette(routes=[Mount("/video", tertulia.asgi.app(settings(tmp_path)))])
    async with serving(forgotten) as url, httpx.AsyncClient() as http:
        answer = await http.get(f"{url}/video/health/live")
    assert answer.status_code == 503
    assert "lifespan" in answer.json()["message"]


async def test_two_cannot_share_a_data_folder(tmp_path: Path) -> None:
    first = tertulia.asgi.app(settings(tmp_path), router="external")
    second = tertulia.asgi.app(settings(tmp_path), router="external")
    async with first.running():
        with pytest.raises(CannotStartError, match="already runs"):
            async with second.running():
                raise AssertionError("it must not start")
        with pytest.raises(RuntimeError):
            async with first.running():
                raise AssertionError("it must not start twice")
    async with second.running():
        pass
