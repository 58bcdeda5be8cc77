"""Drives Firefox over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks by itself.

Playwright drives only a Firefox of its own making; the users' Firefox is Debian's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

START_DEADLINE_S = 60
COMMAND_DEADLINE_S = 60
PREFERENCES = {
    "media.navigator.streams.fake": "true",
    "media.navigator.permission.disabled": "true",
    "media.autoplay.default": "0",
    "media.peerconnection.ice.loopback": "true",
    "media.peerconnection.ice.obfuscate_host_addresses": "false",
    "media.gmp-manager.updateEnabled": "false",
    "app.update.enabled": "false",
    "browser.shell.checkDefaultBrowser": "false",
    "datareporting.policy.dataSubmissionEnabled": "false",
    "remote.active-protocols": "1",
}


class Firefox:
    """A headless Firefox with fake camera and microphone and an empty profile in `folder`."""

    def __init__(self, folder: Path) -> None:
        executable = shutil.which("firefox-esr")
        assert executable, "Firefox is missing; install it with `apt-get install firefox-esr`"
        self._executable = executable
        self._profile = folder / "profile"
        self._log_path = folder / "firefox.log"
        self._next_id = 0

    def __enter__(self) -> Self:
        self._profile.mkdir()
        lines = (f'user_pref("{name}", {_literal(value)});' for name, value in PREFERENCES.items())
        (self._profile / "user.js").write_text("\n".join(lines))
        self._log = self._log_path.open("wb")
        self._process = subprocess.Popen(
            [
                self._executable,
                "--headless",
                "--no-remote",
                "--profile",
                str(self._profile),
                "--remote-debugging-port",
                "0",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(self._profile.parent), "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
        )
        self._socket: ClientConnection = connect(f"{self._address()}/session", max_size=None, compression=None)
        self.command("session.new", capabilities={})
        contexts = self.command("browsingContext.getTree")["contexts"]
        self._context: str = contexts[0]["context"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._socket.close()
        finally:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._log.close()

    def _address(self) -> str:
        deadline = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline:
            found = re.search(rb"WebDriver BiDi listening on (ws://\S+)", self._log_path.read_bytes())
            if found:
                return found.group(1).decode()
            assert self._process.poll() is None, self._log_path.read_text()
            try:
                self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        raise AssertionError(f"Firefox did not start: {self._log_path.read_text()}")

    def command(self, method: str, **params: object) -> dict[str, Any]:
        """Sends one command and returns its result; raises AssertionError with Firefox's words."""
        self._next_id += 1
        self._socket.send(json.dumps({"id": self._next_id, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=COMMAND_DEADLINE_S))
            if message.get("id") == self._next_id:
                assert message["type"] == "success", message
                result: dict[str, Any] = message["result"]
                return result

    def goto(self, url: str) -> None:
        self.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, function: str, argument: object = None) -> Any:
        """Calls `function` (JavaScript text) with `argument` in the page; awaits a promise; JSON both ways."""
        result = self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({function})({json.dumps(argument)})) ?? 'null')()",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert result["type"] == "success", result["exceptionDetails"]["text"]
        return json.loads(result["result"]["value"])


def _literal(value: str) -> str:
    return value if value in {"true", "false"} or value.isdigit() else json.dumps(value)
