"""An HTTP server in a thread, for as long as a test wants it."""

from __future__ import annotations

import http.server
import threading
from types import TracebackType
from typing import Self


class HttpServer:
    """Serves by `handler` from entering it to leaving it, on a free port of this machine."""

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler], *, host: str = "127.0.0.1") -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
