"""Programs of applications: written for OpenTok, moved here by the line that the guide names, and the guide's own."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tertulia import Session, SessionDisconnectEvent
from tests.docs.examples import DOCS, SERVER, examples
from tests.integration.sdks.packages import ENVIRONMENT, HERE, java_program, node_program, python_program
from tests.integration.sdks.test_sessions_and_tokens import joining
from tests.servers import TertuliaServer

DEADLINE_S = 60
GUIDE = DOCS / "guides" / "migrate-server.md"
CHANGES = re.compile(r"^```diff\n-(?P<before>.*)\n\+(?P<after>.*)\n```$", re.MULTILINE)
RUN = {".py": python_program, ".js": node_program, ".java": java_program}


def moved(program: str) -> str:
    """The program with the guide's one line in it."""
    changes = [change for change in CHANGES.finditer(GUIDE.read_text(encoding="utf-8")) if change["before"] in program]
    assert len(changes) == 1
    return program.replace(changes[0]["before"], changes[0]["after"])


@contextmanager
def running(program: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        RUN[program.suffix](program),
        env={**ENVIRONMENT, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


def program_file(folder: Path, name: str, text: str, server: TertuliaServer) -> Path:
    file = folder / name
    file.write_text(text.replace(SERVER, server.url), encoding="utf-8")
    return file


def test_the_guide_has_the_line_of_every_sdk() -> None:
    changes = list(CHANGES.finditer(GUIDE.read_text(encoding="utf-8")))
    assert len(changes) == 6
    for change in changes:
        assert SERVER in change["after"]
        assert SERVER not in change["before"]


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("readme.py", "ForceDisconnectError"),
        ("readme.js", "ForceDisconnectError"),
        ("Readme.java", "RequestException"),
    ],
)
async def test_a_program_written_for_opentok_works_with_its_address_changed(
    fetched: None, server: TertuliaServer, tmp_path: Path, name: str, refusal: str
) -> None:
    program = program_file(tmp_path, name, moved((HERE / "programs" / name).read_text(encoding="utf-8")), server)
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    ended: asyncio.Queue[SessionDisconnectEvent] = asyncio.Queue()
    with running(program, API_KEY=server.api_key, API_SECRET=server.api_secret) as process:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            session_id, token = [
                (await asyncio.to_thread(process.stdout.readline)).strip() for _ in ("session id", "token")
            ]
            async with Session(server.api_key, session_id, server=server.url) as session:
                session.on("signal:chat", lambda event: heard.put_nowait(event.data))
                session.on(SessionDisconnectEvent, ended.put_nowait)
                await session.connect(token)
                assert session.connection is not None
                assert session.connection.data == "name=Ida"
                said, _ = await asyncio.to_thread(process.communicate, f"{session.connection.connection_id}\n")
                assert await heard.get() == "Hello!"
                assert (await ended.get()).reason == "forceDisconnected"
    assert process.returncode == 0
    assert said.split() == ["0", refusal]


@pytest.mark.parametrize("run", ["sdk-python", "sdk-node", "sdk-java"])
def test_the_guides_program_makes_a_session_and_a_token(
    fetched: None, server: TertuliaServer, tmp_path: Path, run: str
) -> None:
    (example,) = [example for example in examples(GUIDE) if example.run == run]
    name = {"python": "program.py", "js": "program.js", "java": "Program.java"}[example.language]
    text = example.filled(server=server.url, api_key=server.api_key, api_secret=server.api_secret)
    with running(program_file(tmp_path, name, text, server)) as process:
        said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    session_id, token = said.split()
    assert session_id.startswith("2_")
    with joining(server, token) as told:
        assert told["connection"]["data"] == "name=Ida"
