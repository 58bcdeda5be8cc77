"""From settings to a running server: checks what must be there, then becomes the supervisor."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import NoReturn

from tertulia import __version__
from tertulia.config import HttpSettings, Settings, dump
from tertulia.preparation import prepare, router_command
from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.leftovers import take_lock
from tertulia.supervisor.plan import Plan
from tertulia.supervisor.programs import find_router, find_web


def become_server(settings: Settings, *, announce: str, log_to_files: bool) -> NoReturn:
    """Replace this process by the supervisor of a server with `settings`.

    Raises CannotStartError if a program or the browser files are missing, or the data folder is used or cannot be.
    """
    router, _ = find_router(settings.programs_folder), find_web()
    _check_certificate(settings.http)
    prepare(settings, log_to_files=log_to_files)
    # Before anything is written: a server that runs reads these files again whenever control is restarted.
    lock = take_lock(settings.run_folder)
    settings_file = settings.run_folder / "settings.json"
    _write_privately(settings_file, dump(settings))
    command = router_command(router, settings)
    plan = Plan(
        run_folder=str(settings.run_folder),
        log_folder=str(settings.log_folder) if log_to_files else None,
        http_addresses=settings.http.addresses,
        http_port=settings.http.port,
        router=command,
        # -P: the user's current folder is no place to import from.
        control=(sys.executable, "-P", "-m", "tertulia.app", str(settings_file)),
        announce=announce,
        fingerprint=_fingerprint(settings, command, router),
        router_link=str(settings.router_link),
        drain_s=settings.http.drain_s,
        # A terminal that is closed should stop what was started in it.
        reloads=announce == "none" and not sys.stdin.isatty(),
    )
    plan_file = settings.run_folder / "plan.json"
    plan.write(plan_file)
    sys.stdout.flush()
    os.set_inheritable(lock.fileno(), True)
    # A process of its own, which has loaded nothing but the standard library; it keeps this one's number.
    supervisor = [sys.executable, "-P", "-m", "tertulia.supervisor", str(plan_file), str(lock.fileno())]
    os.execv(sys.executable, supervisor)  # noqa: S606 - our own


def _check_certificate(http: HttpSettings) -> None:
    if http.certificate is None or http.private_key is None:
        return
    # Imported here: only a server that ends TLS by itself needs it.
    import ssl

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(http.certificate, http.private_key)
    except (OSError, ssl.SSLError) as error:
        raise CannotStartError(
            f"The certificate {http.certificate} and the key {http.private_key} cannot be used together "
            f"({error.strerror or error}); set http.certificate and http.private_key to a PEM file each."
        ) from error


def _fingerprint(settings: Settings, command: tuple[str, ...], router: Path) -> str:
    """Tells whether processes that are there already are what these settings and programs would give."""
    program = router.stat()
    facts = [dump(settings).decode(), command, __version__, program.st_mtime_ns, program.st_size, sys.executable]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _write_privately(file: Path, content: bytes) -> None:
    """Only this user may read it: it can hold secrets."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(draft, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        output.write(content)
    draft.replace(file)
