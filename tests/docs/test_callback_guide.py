"""The guide to callbacks: its receivers, in both languages, take what a server sends and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tertulia.wire.webhooks import signature
from tests.docs.examples import DOCS, examples
from tests.member import Member
from tests.servers import TertuliaServer, rest_token

DEADLINE_S = 30
GUIDE = {example.language: example for example in examples(DOCS / "guides" / "callbacks.md")}
SUFFIX = {"python": "py", "js": "js"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("callback-guide")) as running:
        yield running


class Program:
    """A receiver of the guide, running, and what it prints."""

    def __init__(self, language: str, secret: str, port: int, folder: Path) -> None:
        interpreter = {"python": sys.executable, "js": shutil.which("node") or "node"}[language]
        file = folder / f"receiver.{SUFFIX[language]}"
        file.write_text(GUIDE[language].text, encoding="utf-8")
        self.url = f"http://127.0.0.1:{port}/callbacks"
        self._process = subprocess.Popen(
            [interpreter, str(file)],
            env={**os.environ, "CALLBACK_SECRET": secret, "PORT": str(port)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def line(self) -> str:
        return self._lines.get(timeout=DEADLINE_S)

    def printed(self) -> list[str]:
        """What is there beyond the lines that were asked for."""
        with contextlib.suppress(queue.Empty):
            return [self._lines.get_nowait()]
        return []

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def register(server: TertuliaServer, port: int) -> str:
    """Register for everything as the guide says; return the secret."""
    secrets = set()
    for group in ("session", "connection", "stream"):
        for event in ("created", "destroyed"):
            answer = httpx.post(
                f"{server.url}/v2/project/{server.api_key}/callback",
                json={"group": group, "event": event, "url": f"http://127.0.0.1:{port}/callbacks"},
                headers={"X-OPENTOK-AUTH": rest_token(server.api_key, server.api_secret)},
            )
            secrets.add(answer.json()["secret"])
    (secret,) = secrets
    return str(secret)


@pytest.mark.parametrize("language", list(SUFFIX))
async def test_the_receiver_of_the_guide_takes_what_is_genuine(
    server: TertuliaServer, language: str, tmp_path: Path
) -> None:
    port = free_port()
    secret = register(server, port)
    program = Program(language, secret, port, tmp_path)
    try:
        # What comes before it listens is tried again, as the guide promises.
        member = Member(server, server.create_session(), server.url)
        await member.arrive()
        await member.session.disconnect()
        lines = [await asyncio.to_thread(program.line) for _ in range(4)]
        assert lines == [
            "sessionCreated",
            "connectionCreated",
            "connectionDestroyed clientDisconnected",
            "sessionDestroyed",
        ]
        async with httpx.AsyncClient() as client:
            await forge(client, program.url, secret)
        assert program.printed() == []
    finally:
        program.end()


async def forge(client: httpx.AsyncClient, url: str, secret: str) -> None:
    """Say what is not genuine, all of which is refused."""
    body = json.dumps({"event": "forged"}).encode()
    now = int(time.time())

    def token(**changes: object) -> str:
        values = {
            "secret": secret,
            "event_id": hashlib.sha256(url.encode()).hexdigest()[:8],
            "api_key": "1",
            "now_s": now,
        }
        return signature(body, **{**values, **changes})  # type: ignore[arg-type]  # each of its type

    header, payload, mac = token().split(".")
    forged = [
        "",
        "Bearer",
        "Bearer x.y.z",
        f"Bearer {header}.{payload}.",
        f"Bearer {header}.{payload}.{mac[:-4]}AAAA",
        f"Basic {token()}",
        f"Bearer {token(secret='0' * 40)}",
        f"Bearer {token(now_s=now - 3600)}",
    ]
    for authorization in forged:
        answer = await client.post(url, content=body, headers={"Authorization": authorization})
        assert answer.status_code == 401, authorization
    answer = await client.post(url, content=body + b" ", headers={"Authorization": f"Bearer {token()}"})
    assert answer.status_code == 401, "another body"
