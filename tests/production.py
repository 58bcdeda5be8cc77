"""`tertulia serve` as an operator runs it: from a configuration file, with TLS or behind a proxy."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import Api, stop

API_KEY, API_SECRET = "40012345", "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
DEADLINE_S = 30
STOP_DEADLINE_S = 30


class ProductionServer(Api):
    """A production server of the test's own, with a project; `more` is TOML behind its section `[http]`.

    It may be started again after it has ended: the data folder stays.
    """

    def __init__(
        self, folder: Path, more: str = "", *, scheme: str = "http", environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.log_file = folder / "server.log"
        self.port = free_port()
        self._environment = {**os.environ, **(environment or {})}
        self.config = folder / "tertulia.toml"
        self.config.write_text(
            f'data_folder = "{folder / "data"}"\n[[projects]]\napi_key = "{API_KEY}"\napi_secret = "{API_SECRET}"\n'
            '[media]\nport = 0\naddresses = ["127.0.0.1"]\n'
            f'[http]\nport = {self.port}\naddresses = ["127.0.0.1"]\n{more}\n'
        )
        super().__init__(f"{scheme}://127.0.0.1:{self.port}", API_KEY, API_SECRET)

    def start(self) -> None:
        """Start it, and wait until clients are served."""
        self.log = self.log_file.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tertulia", "serve", "--config", str(self.config)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        try:
            until(self.is_ready, lambda: f"the server is not ready: {self.log_file.read_text()}")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it as `systemctl stop` does, if it runs."""
        try:
            if self.process.poll() is None:
                stop(self.process, STOP_DEADLINE_S)
        finally:
            self.log.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def is_ready(self) -> bool:
        """Whether clients are served. Raises AssertionError if the server has ended."""
        assert self.process.poll() is None, self.log_file.read_text()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=5, context=context) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def hang_up(self) -> None:
        """Send what `systemctl reload` sends."""
        self.process.send_signal(signal.SIGHUP)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until `condition` holds; `otherwise` says why that is a failure."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.02)
