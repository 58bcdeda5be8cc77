"""Control as a process of its own, which the supervisor starts. No rule is decided here.

It is run as `python -m tertulia.app SETTINGS --ready FILE --http-socket NUMBER …`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop

from tertulia.adapters.http.announcement import facts_of, text_of
from tertulia.adapters.http.scripts import script_integrity
from tertulia.adapters.http.server import serve
from tertulia.clock import SystemClock
from tertulia.config import LOOPBACK, Settings, restore
from tertulia.errors import TertuliaError
from tertulia.observability.logging import configure
from tertulia.supervisor.handover import SOCKET, offer
from tertulia.supervisor.leftovers import LOCK
from tertulia.supervisor.orphan import end_when_orphaned, is_held
from tertulia.supervisor.programs import find_web
from tertulia.wiring import open_control

READY_POLL_S = 0.01
COLLECTION_THRESHOLDS = (10_000, 20, 20)
"""For `gc.set_threshold`: with Python's own, seats and their messages make it look through the youngest objects
hundreds of times a second, and find no garbage."""


async def run(settings: Settings, listeners: list[socket.socket], ready_file: Path) -> None:
    """Serve on `listeners` until a stop signal; `ready_file` appears when clients can be served."""
    async with AsyncExitStack() as open_parts:
        open_parts.enter_context(offer(asyncio.get_running_loop(), settings.run_folder, listeners))
        open_parts.callback((settings.run_folder / SOCKET).unlink, missing_ok=True)
        control = await open_parts.enter_async_context(open_control(settings))
        announcement: dict[str, Any] = {"facts": {}, "text": ""}
        if control.playground is not None:
            facts = facts_of(control.playground, _address(settings, listeners))
            integrity = script_integrity(find_web())
            text = text_of(facts, integrity=integrity, with_picture=settings.http.certificate is not None)
            announcement = {"facts": facts, "text": text}

        async def say_ready() -> None:
            while control.router.hello is None:  # noqa: ASYNC110 - once, at the start; the link has no event for it
                await asyncio.sleep(READY_POLL_S)
            draft = ready_file.with_suffix(".new")
            draft.write_text(json.dumps(announcement), encoding="utf-8")
            draft.replace(ready_file)
            _spare_the_collector()

        await serve(
            control.application,
            settings.http,
            listeners,
            gate=control.gate,
            clock=SystemClock(),
            started=say_ready,
            stopping=control.sessions.close,
        )


def _spare_the_collector() -> None:
    """Never look again for garbage among what stands by now: modules and statements, more objects than any session."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)


def _address(settings: Settings, listeners: list[socket.socket]) -> str:
    """What a user of this machine types to reach the server."""
    if settings.http.public_url is not None:
        return settings.http.public_url.rstrip("/")
    scheme = "http" if settings.http.certificate is None else "https"
    elsewhere = [address for address in settings.http.addresses if address not in LOOPBACK]
    return f"{scheme}://{elsewhere[0] if elsewhere else 'localhost'}:{listeners[0].getsockname()[1]}"


def main() -> int:
    """Run control; what keeps it from starting is one sentence on standard error, for the supervisor to repeat."""
    parser = argparse.ArgumentParser(prog="tertulia.app")
    parser.add_argument("settings", type=Path)
    parser.add_argument("--ready", type=Path, required=True)
    parser.add_argument("--http-socket", type=int, action="append", required=True)
    given = parser.parse_args()
    settings = restore(given.settings)
    configure(settings.log_level)
    grace_s = settings.sessions.orphan_grace_s
    end_when_orphaned(supervised=lambda: is_held(settings.run_folder / LOCK), grace_s=grace_s)
    listeners = [socket.socket(fileno=number) for number in given.http_socket]
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings, listeners, given.ready))
    except TertuliaError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
