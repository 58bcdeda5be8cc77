"""An official SDK in a process of its own, which runs the calls that tests ask for."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.integration.sdks.packages import ENVIRONMENT

DEADLINE_S = 30
"""For the start of a program and for each call; a Java program is compiled first."""


class SdkError(Exception):
    """The SDK raised: `kind` is the name of its class there, the message is its message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


class Sdk:
    """A driver: it reads a call as a line of JSON, makes it with the SDK, and writes one line for its end.

    Use it as a context manager. `language` says which it is, `offers` are the names of the calls that it has.
    """

    def __init__(
        self, language: str, command: list[str], *, url: str, api_key: str, api_secret: str, log: Path
    ) -> None:
        self.language = language
        self._command = [*command, url, api_key, api_secret]
        self._log_file = log
        self.offers: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        self._log = self._log_file.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=ENVIRONMENT
        )
        self.offers = frozenset(self._ask("offers", {}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._log.close()

    async def __call__(self, call: str, /, **arguments: Any) -> Any:
        """Makes a call of the SDK and returns what it returns. Raises SdkError."""
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.to_thread(self._ask, call, arguments)

    def _ask(self, name: str, arguments: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the driver ended: {self._log_file.read_text(encoding='utf-8')}"
        answer = json.loads(line)
        if "error" in answer:
            raise SdkError(answer["error"], answer["message"])
        return answer["value"]
