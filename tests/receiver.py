"""A receiver of callbacks, as an application runs one: it checks signatures, and can be slow, failing or down."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from joserfc import jwt
from joserfc.jwk import OctKey

DEADLINE_S = 60


@dataclass(frozen=True)
class Received:
    """One callback that was accepted."""

    event_id: str
    session_id: str
    event: str
    body: dict[str, Any]


class Receiver:
    """An HTTP server on a port that stays the same while it is down. Give it the `secret` of its callbacks."""

    def __init__(self) -> None:
        self.secret = ""
        self.answers: deque[int] = deque()
        """Statuses for the next requests; 204 when it is empty."""
        self.attempts = 0
        self.wrong: list[str] = []
        self._received: list[Received] = []
        self._news = threading.Condition()
        self._held: threading.Event | None = None
        self._server: http.server.ThreadingHTTPServer | None = None
        self._port = 0
        self.go_up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/callbacks"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self.go_down()

    def go_up(self) -> None:
        """Take connections."""
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = DEADLINE_S

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver._take(body, self.headers["Authorization"], self.headers["Tertulia-Event-Id"])
                try:
                    self.send_response(status)
                    self.end_headers()
                except OSError:
                    pass  # whoever asked is dead; that is what some tests are about

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def go_down(self) -> None:
        """Refuse connections."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold(self) -> None:
        """Answer nothing until `let_go`."""
        self._held = threading.Event()

    def let_go(self) -> None:
        """Answer again, also what was held."""
        if self._held is not None:
            self._held.set()
            self._held = None

    def _take(self, body: bytes, authorization: str, event_id: str) -> int:
        with self._news:
            self.attempts += 1
            self._news.notify_all()
            held = self._held
        if held is not None:
            held.wait(DEADLINE_S)
        with self._news:
            status = self.answers.popleft() if self.answers else 204
            claims = jwt.decode(authorization.removeprefix("Bearer "), OctKey.import_key(self.secret)).claims
            if claims["payload_hash"] != hashlib.sha256(body).hexdigest() or claims["jti"] != event_id:
                self.wrong.append(event_id)
            if status < 300:
                content = json.loads(body)
                self._received.append(Received(event_id, content["sessionId"], content["event"], content))
            self._news.notify_all()
        return status

    def received(self, session_id: str) -> list[Received]:
        """What was accepted of one session, in order, repetitions left out."""
        with self._news:
            return list({each.event_id: each for each in self._received if each.session_id == session_id}.values())

    def events(self, session_id: str) -> list[tuple[str, str | None]]:
        """The same, as names with their reasons."""
        return [(each.event, each.body.get("reason")) for each in self.received(session_id)]

    def until(self, holds: Callable[[], bool]) -> None:
        """Return when this holds, which is asked whenever something came."""
        with self._news:
            assert self._news.wait_for(holds, DEADLINE_S), [each.event for each in self._received]
