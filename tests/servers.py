"""The processes that integration and browser tests talk to: `tertulia dev`, and the application's own page server."""

from __future__ import annotations

import http.server
import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from joserfc import jwt
from joserfc.jwk import OctKey

from tertulia.wire.tokens import encode_jwt, encode_t1
from tests.http_server import HttpServer

if TYPE_CHECKING:
    from tests.e2e.person import Era

# Before a test's own deadline, so that it says what the server's log says, and nothing runs on beside the next.
START_DEADLINE_S = 40
STOP_DEADLINE_S = 10


class Api:
    """A server's REST API and tokens, as an application's own server uses them."""

    def __init__(self, url: str, api_key: str, api_secret: str) -> None:
        self.url = url
        self.api_key = api_key
        self.api_secret = api_secret

    def create_session(self, *, e2ee: bool = False) -> str:
        """Makes a routed session over the REST API and returns its id."""
        fields = {"p2p.preference": "disabled", "e2ee": "true" if e2ee else "false"}
        body = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(
            f"{self.url}/session/create",
            data=body,
            headers={"X-OPENTOK-AUTH": rest_token(self.api_key, self.api_secret), "Accept": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            session_id: str = json.load(answer)[0]["session_id"]
            return session_id

    def token(
        self,
        session_id: str,
        role: str = "publisher",
        data: str = "",
        *,
        old_format: bool = False,
        expires_at_s: int | None = None,
    ) -> str:
        """A client token, good for an hour unless told otherwise; `old_format` makes the T1 kind."""
        now = int(time.time())
        encode = encode_t1 if old_format else encode_jwt
        return encode(
            api_key=self.api_key,
            api_secret=self.api_secret,
            session_id=session_id,
            role=role,
            connection_data=data,
            created_at_s=now if expires_at_s is None else min(now, expires_at_s - 1),
            expires_at_s=now + 3600 if expires_at_s is None else expires_at_s,
        )


class TertuliaServer(Api):
    """A `tertulia dev` of the test's own, on a free port, with its data in `folder`.

    `settings` are environment variables such as `TERTULIA_HTTP_REQUEST_S`.
    """

    def __init__(self, folder: Path, *options: str, settings: Mapping[str, str] | None = None, port: int = 0) -> None:
        self.folder = folder
        self._options = options
        self._port = port
        self._environment = {**os.environ, **(settings or {})}

    def __enter__(self) -> Self:
        command = [
            sys.executable,
            "-m",
            "tertulia",
            "dev",
            "--json",
            "--port",
            str(self._port),
            "--data",
            str(self.folder),
        ]
        self._log = (self.folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [*command, *self._options], env=self._environment, stdout=subprocess.PIPE, stderr=self._log
        )
        assert self._process.stdout is not None
        speaking = select.poll()
        speaking.register(self._process.stdout)
        line = self._process.stdout.readline() if speaking.poll(1_000 * START_DEADLINE_S) else b""
        if not line:
            self._process.stdout.close()
            stop(self._process, STOP_DEADLINE_S)
            self._log.close()
            raise AssertionError(f"the server did not start: {(self.folder / 'server.log').read_text()}")
        self.facts = json.loads(line)
        parts = urllib.parse.urlsplit(self.facts["url"])
        super().__init__(f"{parts.scheme}://{parts.netloc}", self.facts["api_key"], self.facts["api_secret"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            stop(self._process, STOP_DEADLINE_S)
        finally:
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._log.close()

    def pids(self) -> dict[str, int]:
        """The processes that run now, by name; those of the announcement may have been replaced."""
        file: Path = self.folder / "run" / "processes.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        return {name: one["pid"] for name, one in known.items()}


def stop(process: subprocess.Popen[bytes], deadline_s: float) -> None:
    """Asks a process to end; one that does not is killed, and that is an error."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def rest_token(api_key: str, api_secret: str) -> str:
    """What the official SDKs send as `X-OPENTOK-AUTH`."""
    now = int(time.time())
    claims = {"iss": api_key, "ist": "project", "iat": now, "exp": now + 180}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(api_secret))


class PageServer(HttpServer):
    """Serves `folder` and pages made on the spot, from an origin of its own."""

    def __init__(self, folder: Path) -> None:
        made: dict[str, tuple[bytes, str]] = {}
        answers: dict[str, Callable[[dict[str, str]], object]] = {}
        self._made = made
        self._answers = answers

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args: object, **kwargs: object) -> None:
                super().__init__(*args, directory=str(folder), **kwargs)  # type: ignore[arg-type]  # stdlib signature

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                body, kind = made.get(path, (None, ""))
                if path in answers:
                    answer = answers[path](dict(urllib.parse.parse_qsl(query)))
                    body, kind = json.dumps(answer).encode(), "application/json"
                if body is None:
                    super().do_GET()
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: the browser's own log tells enough."""

        super().__init__(Handler, host="localhost")

    def serve(self, path: str, text: str, *, kind: str = "text/html") -> str:
        """Serves `text` at `path` and returns its address."""
        self._made[path] = text.encode(), f"{kind}; charset=utf-8"
        return self.url + path

    def answer(self, path: str, make: Callable[[dict[str, str]], object]) -> None:
        """Answers requests for `path` with the JSON that `make` makes of the query."""
        self._answers[path] = make

    def person_page(self, server_url: str, era: Era) -> str:
        """The address of the page that the harness drives, with the script address of `era`."""
        return self.serve(
            f"/{era.name}.html",
            f'<!doctype html><html data-era="{era.semantics}"><meta charset="utf-8"><title>{era.name}</title>'
            f'<script src="{server_url}{era.script}"></script>'
            '<body><div id="stage"></div><script src="/harness.js"></script></body></html>',
        )
