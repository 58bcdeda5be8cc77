"""A server's address at which every answer of the REST API is held to its description on its way to whoever asked."""

from __future__ import annotations

import http.client
import http.server
import urllib.parse
from types import TracebackType

from tests import openapi
from tests.http_server import HttpServer

DEADLINE_S = 30
_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Promises(HttpServer):
    """Passes requests on for whoever speaks HTTP, SDKs of every language. Leaving it fails if a promise was broken."""

    def __init__(self, url: str) -> None:
        target = urllib.parse.urlsplit(url)
        assert target.hostname is not None
        host, port = target.hostname, target.port
        broken: list[str] = []
        seen: set[str] = set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = DEADLINE_S

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                connection = http.client.HTTPConnection(host, port, timeout=DEADLINE_S)
                try:
                    connection.putrequest(self.command, self.path, skip_accept_encoding=True, skip_host=True)
                    for name, value in self.headers.items():
                        connection.putheader(name, value)
                    connection.endheaders(body)
                    answer = connection.getresponse()
                    content = answer.read()
                    headers = answer.getheaders()
                finally:
                    connection.close()
                path = urllib.parse.urlsplit("http://x/" + self.path.lstrip("/")).path
                if (operation := openapi.find(self.command, path)) is not None:
                    seen.add(operation.name)
                kind = answer.getheader("Content-Type")
                broken.extend(openapi.faults(self.command, path, answer.status, kind, content))
                self.send_response_only(answer.status)
                for name, value in headers:
                    if name.lower() not in _OF_ONE_CONNECTION:
                        self.send_header(name, value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815 - the library's names

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: what is wrong is said at the end."""

        self._broken = broken
        self.seen = seen
        """The operations that somebody asked for."""
        super().__init__(Handler)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        assert not self._broken, self._broken
