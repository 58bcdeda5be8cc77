"""What must be there before a server's processes can start: its folders, and the router's command line."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tertulia.config import Settings
from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.handover import SOCKET
from tertulia.supervisor.leftovers import LOCK
from tertulia.supervisor.orphan import GRACE_S

__all__ = ["prepare", "router_command"]

# sun_path of unix(7), less the final zero.
MAX_SOCKET_PATH_BYTES = 107


def router_command(router: Path, settings: Settings) -> tuple[str, ...]:
    """The command line of the program `router` for these settings."""
    media = settings.media
    level = "warn" if settings.log_level == "warning" else settings.log_level
    command = [str(router), "--link", str(settings.router_link), "--bind", ",".join(media.addresses)]
    command += ["--port", str(media.port), "--log", level, "--supervisor-lock", str(settings.run_folder / LOCK)]
    command += ["--group-share", str(media.group_share)]
    if media.shards is not None:
        command += ["--shards", str(media.shards)]
    if settings.sessions.orphan_grace_s != GRACE_S:
        command += ["--orphan-grace", str(settings.sessions.orphan_grace_s)]
    if media.local_only:
        command.append("--local-only")
    if media.public_addresses:
        command += ["--public-address", ",".join(media.public_addresses)]
    if settings.impair is not None:
        command += ["--impair", settings.impair]
    return tuple(command)


def prepare(settings: Settings, *, log_to_files: bool) -> None:
    """Make the folders and see that they can be used. Raises CannotStartError."""
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
