"""The Python programs in the documents, run as printed against a server."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tertulia import Connection, ConnectionEvent, PermissionDeniedError, Session
from tertulia.server import AsyncClient
from tests.docs.examples import ROOT, Example, examples
from tests.servers import TertuliaServer

DEADLINE_S = 30
PROGRAMS = {example.run: example for example in examples(language="python")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("docs")) as running:
        yield running


@pytest.fixture
def session_id(server: TertuliaServer) -> str:
    return server.create_session()


def start(example: Example, server: TertuliaServer, session_id: str, folder: Path) -> subprocess.Popen[str]:
    """Starts the program, with this server's values in it."""
    program = folder / "program.py"
    token = server.token(session_id)
    text = example.filled(
        server=server.url,
        api_key=server.api_key,
        api_secret=server.api_secret,
        session_id=session_id,
        token=token,
    )
    program.write_text(text, encoding="utf-8")
    return subprocess.Popen([sys.executable, "-u", str(program)], stdout=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> list[str]:
    """Waits for the program's end, which must be a good one."""
    try:
        printed, _ = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 0
    return printed.splitlines()


def test_a_program_that_leaves_by_itself(server: TertuliaServer, session_id: str, tmp_path: Path) -> None:
    connected, ended = output(start(PROGRAMS["leaves"], server, session_id, tmp_path))
    assert connected.startswith("Connected as ")
    assert ended == "The connection is over: clientDisconnected"


async def test_a_program_that_stays_until_it_is_removed(
    server: TertuliaServer, session_id: str, tmp_path: Path
) -> None:
    async with asyncio.timeout(DEADLINE_S), Session(server.api_key, session_id, server=server.url) as moderator:
        newcomers = await watch(moderator, server, session_id)
        process = start(PROGRAMS["stays"], server, session_id, tmp_path)
        await moderator.force_disconnect(await newcomers.get())
        lines = await asyncio.to_thread(output, process)
    assert lines[0] == "sessionConnected"
    assert lines[-2:] == ["sessionDisconnected", "Not coming back: forceDisconnected"]


async def test_a_bot_in_ten_lines(server: TertuliaServer, session_id: str, tmp_path: Path) -> None:
    async with asyncio.timeout(DEADLINE_S), Session(server.api_key, session_id, server=server.url) as moderator:
        newcomers = await watch(moderator, server, session_id)
        answers: asyncio.Queue[str] = asyncio.Queue()
        moderator.on("signal:chat", lambda event: answers.put_nowait(event.data))
        process = start(PROGRAMS["readme"], server, session_id, tmp_path)
        bot = await newcomers.get()
        await moderator.signal("hello", type="chat", to=bot)
        assert await answers.get() == "You said: hello"
        await moderator.force_disconnect(bot)
        await asyncio.to_thread(output, process)
    lines = [line for line in PROGRAMS["readme"].text.splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 10


async def test_a_bot_that_greets_and_answers(server: TertuliaServer, session_id: str, tmp_path: Path) -> None:
    async with asyncio.timeout(DEADLINE_S), Session(server.api_key, session_id, server=server.url) as moderator:
        newcomers = await watch(moderator, server, session_id)
        answers: asyncio.Queue[str] = asyncio.Queue()
        moderator.on("signal:chat", lambda event: answers.put_nowait(event.data))
        process = start(PROGRAMS["bot"], server, session_id, tmp_path)
        bot = await newcomers.get()
        await moderator.signal("hello", type="chat", to=bot)
        assert await answers.get() == "You said: hello"
        await moderator.force_disconnect(bot)
        lines = await asyncio.to_thread(output, process)
    assert "here: the moderator" in lines


def start_watching(server: TertuliaServer, session_id: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-u", str(ROOT / "examples" / "watch.py"), server.api_key, session_id]
    command += [server.token(session_id, "subscriber", "the watcher"), "--server", server.url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_the_watcher_prints_what_happens(server: TertuliaServer, session_id: str) -> None:
    async with asyncio.timeout(DEADLINE_S), Session(server.api_key, session_id, server=server.url) as moderator:
        newcomers = await watch(moderator, server, session_id)
        process = start_watching(server, session_id)
        watcher = await newcomers.get()
        await moderator.signal("hello", type="chat")
        await moderator.force_disconnect(watcher)
        lines = [line.strip() for line in await asyncio.to_thread(output, process)]
    assert lines == [
        "sessionConnected",
        "connectionCreated: the watcher",
        "connectionCreated: the moderator",
        "signal:chat from the moderator: hello",
        "sessionDisconnected: forceDisconnected",
    ]


@pytest.mark.parametrize("program", ["server", "server-client"])
def test_a_server_that_makes_a_session_and_a_token(
    server: TertuliaServer, session_id: str, tmp_path: Path, program: str
) -> None:
    made_id, token = output(start(PROGRAMS[program], server, session_id, tmp_path))
    assert made_id != session_id

    async def join() -> str:
        async with Session(server.api_key, made_id, server=server.url) as session:
            await session.connect(token)
            assert session.connection is not None
            return session.connection.data

    assert asyncio.run(join()) == "name=Ida"


@asynccontextmanager
async def application(program: str, folder: Path) -> AsyncIterator[str]:
    """The program as uvicorn runs it, with its data and its `output` in `folder`; where it carries the server."""
    (folder / "program.py").write_text(PROGRAMS[program].text, encoding="utf-8")
    settings = {"TERTULIA_DATA_FOLDER": str(folder / "data"), "TERTULIA_MEDIA_PORT": "0"}
    # Afterwards only the program has it: nobody waits for an answer of one that ended.
    with socket.create_server(("127.0.0.1", 0)) as listener, (folder / "output").open("wb") as output_file:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/video"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-u", "-m", "uvicorn", "program:application", "--fd", str(listener.fileno())),
            cwd=folder,
            env={**os.environ, **settings},
            pass_fds=[listener.fileno()],
            stdout=output_file,
            stderr=output_file,
        )
    try:
        yield url
    except BaseException as error:
        error.add_note(f"The application said: {(folder / 'output').read_text(encoding='utf-8')}")
        raise
    finally:
        ended_by_itself = process.returncode is not None
        if not ended_by_itself:
            process.terminate()
        await process.wait()
    assert not ended_by_itself


@pytest.mark.parametrize("program", ["embedded", "mounted"])
async def test_an_application_that_carries_the_server_in_itself(tmp_path: Path, program: str) -> None:
    async with application(program, tmp_path) as url:
        async with asyncio.timeout(DEADLINE_S), httpx.AsyncClient(timeout=DEADLINE_S) as http:
            assert (await http.get(f"{url}/health/live")).status_code == 200
            made = await asyncio.to_thread(make_project, tmp_path / "data")
        api_key, api_secret = made["api_key"], made["api_secret"]
        async with asyncio.timeout(DEADLINE_S), AsyncClient(api_key, api_secret, url) as client:
            session_id = (await client.create_session()).session_id
            async with Session(api_key, session_id, server=url) as session:
                if program == "embedded":
                    with pytest.raises(PermissionDeniedError, match="not welcome"):
                        await session.connect(client.generate_token(session_id, data="name=Mallory"))
                await session.connect(client.generate_token(session_id, data="name=Ida"))
    said = (tmp_path / "output").read_text(encoding="utf-8")
    assert ("ConnectionCreated" in said) is (program == "embedded")


def make_project(data: Path) -> dict[str, str]:
    """Makes a project with the command, in the data folder of a server that runs."""
    command = [sys.executable, "-m", "tertulia", "project", "create", "--json", "--data", str(data)]
    made: dict[str, str] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return made


async def watch(moderator: Session, server: TertuliaServer, session_id: str) -> asyncio.Queue[Connection]:
    """Connects the moderator; gives everybody who comes after it."""
    newcomers: asyncio.Queue[Connection] = asyncio.Queue()
    connected = asyncio.Event()

    @moderator.on(ConnectionEvent)
    def somebody_came(event: ConnectionEvent) -> None:
        if event.connection == moderator.connection:
            connected.set()
        elif event.type == "connectionCreated":
            newcomers.put_nowait(event.connection)

    await moderator.connect(server.token(session_id, "moderator", "the moderator"))
    await connected.wait()
    return newcomers


def test_no_program_is_left_out() -> None:
    """A new example needs a test of its own: here, or in `test_callback_guide`."""
    assert set(PROGRAMS) == {
        "callback-receiver",
        "leaves",
        "stays",
        "bot",
        "server",
        "embedded",
        "mounted",
        "readme",
        "server-client",
        "sdk-python",
    }
    assert len(PROGRAMS) == len(examples(language="python"))
