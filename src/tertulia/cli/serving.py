"""`tertulia dev` and `tertulia serve`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from tertulia.cli.launch import become_server
from tertulia.clock import SystemClock
from tertulia.config import LOOPBACK, load


def dev(
    *,
    port: int | None = None,
    lan: bool = False,
    json: bool = False,
    data: Path | None = None,
    impair: str | None = None,
) -> NoReturn:
    """Start everything on this machine for development: a project, a session and a page to try them.

    Args:
        port: TCP port of pages and API; media takes the next UDP port. 0: the system chooses both. [default: 8080]
        lan: Let other machines on this network in, over TLS with a certificate that their browsers will ask about.
        json: Print everything as one JSON object on one line.
        data: Folder for everything that is kept. [default: var]
        impair: Make the network of all media bad, for example `loss=20,delay=150,jitter=30,down.rate=500kbps`.
    """
    flags: dict[str, Any] = {"http.port": port, "data_folder": data, "development": True, "impair": impair}
    if port is not None:
        flags["media.port"] = min(port + 1, 65535) if port else 0
    # Firefox sends no media to a loopback address, so the router takes this machine's own packets at its other
    # addresses as well.
    flags |= {"media.addresses": ["127.0.0.1", "0.0.0.0"], "media.local_only": True}  # noqa: S104 - local only
    if lan:
        flags |= _lan_flags(load(flags=flags).data_folder)
    become_server(load(flags=flags), announce="json" if json else "text", log_to_files=True)


def serve(*, config: Path | None = None) -> NoReturn:
    """Start a production server.

    Args:
        config: TOML file with the settings; TERTULIA_… variables override it.
    """
    become_server(load(config), announce="none", log_to_files=False)


def _lan_flags(data_folder: Path) -> dict[str, Any]:
    # Imported here: making certificates takes a tenth of a second that only this flag needs.
    from tertulia.cli.lan import lan_address, self_signed_certificate

    address = lan_address()
    now = datetime.fromtimestamp(SystemClock().wall() / 1000, UTC)
    certificate, private_key = self_signed_certificate(data_folder / "tls", address, now)
    return {
        "http.addresses": [*LOOPBACK, address],
        "http.certificate": str(certificate),
        "http.private_key": str(private_key),
        "media.addresses": ["127.0.0.1", address],
        "media.local_only": False,
    }
