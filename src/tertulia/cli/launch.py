"""From settings to a running server: checks what must be there, then becomes the supervisor."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from tertulia import __version__
from tertulia.config import Settings, dump
from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.handover import SOCKET
from tertulia.supervisor.plan import Plan
from tertulia.supervisor.programs import find_router, find_web

# sun_path of unix(7), less the final zero.
MAX_SOCKET_PATH_BYTES = 107


def become_server(settings: Settings, *, announce: str, log_to_files: bool) -> NoReturn:
    """Replace this process by the supervisor of a server with `settings`.

    Raises CannotStartError if a program or the browser files are missing, or the data folder cannot be used.
    """
    router, _ = find_router(), find_web()
    _prepare(settings, log_to_files=log_to_files)
    settings_file = settings.run_folder / "settings.json"
    _write_privately(settings_file, dump(settings))
    router_command = _router_command(router, settings)
    plan = Plan(
        run_folder=str(settings.run_folder),
        log_folder=str(settings.log_folder) if log_to_files else None,
        http_addresses=settings.http.addresses,
        http_port=settings.http.port,
        router=router_command,
        # -P: the user's current folder is no place to import from.
        control=(sys.executable, "-P", "-m", "tertulia.app", str(settings_file)),
        announce=announce,
        fingerprint=_fingerprint(settings, router_command, router),
        router_link=str(settings.router_link),
    )
    plan_file = settings.run_folder / "plan.json"
    plan.write(plan_file)
    sys.stdout.flush()
    # A process of its own, which has loaded nothing but the standard library; it keeps this one's number.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "tertulia.supervisor", str(plan_file)])  # noqa: S606 - our own


def _fingerprint(settings: Settings, command: tuple[str, ...], router: Path) -> str:
    """Tells whether processes that are there already are what these settings and programs would give."""
    program = router.stat()
    facts = [dump(settings).decode(), command, __version__, program.st_mtime_ns, program.st_size, sys.executable]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _router_command(router: Path, settings: Settings) -> tuple[str, ...]:
    media = settings.media
    level = "warn" if settings.log_level == "warning" else settings.log_level
    command = [str(router), "--link", str(settings.router_link), "--bind", ",".join(media.addresses)]
    command += ["--port", str(media.port), "--log", level]
    if media.local_only:
        command.append("--local-only")
    if media.public_addresses:
        command += ["--public-address", ",".join(media.public_addresses)]
    return tuple(command)


def _prepare(settings: Settings, *, log_to_files: bool) -> None:
    folder = settings.data_folder
    longest = max(settings.router_link, settings.run_folder / SOCKET, key=lambda path: len(os.fsencode(path)))
    if len(os.fsencode(longest)) > MAX_SOCKET_PATH_BYTES:
        raise CannotStartError(
            f"The path of the data folder {folder} is too long for a socket in it; use a shorter one."
        )
    try:
        for each in (folder, settings.run_folder, *([settings.log_folder] if log_to_files else [])):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=each):
                pass
    except OSError as error:
        raise CannotStartError(
            f"The data folder {folder} cannot be written ({error.strerror}); "
            "make it writable for this user or choose another with --data."
        ) from error


def _write_privately(file: Path, content: bytes) -> None:
    """Only this user may read it: it can hold secrets."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(draft, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        output.write(content)
    draft.replace(file)
