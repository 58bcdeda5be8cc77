"""What a development server says of itself once it is ready: for programs, and for people."""

from __future__ import annotations

import io
from typing import Any

from tertulia.adapters.http.playground import Playground
from tertulia.adapters.http.scripts import PACKAGE_PATH, SCRIPT_PATH

__all__ = ["facts_of", "text_of"]


def facts_of(playground: Playground, url: str) -> dict[str, Any]:
    """Everything that a program needs to use the server."""
    return {
        "url": url,
        "api_key": playground.project.api_key,
        "api_secret": playground.project.api_secret,
        "session_id": playground.session_id,
        "tokens": playground.tokens(),
        **({} if playground.impair is None else {"impair": playground.impair}),
    }


def text_of(facts: dict[str, Any], *, integrity: str, with_picture: bool) -> str:
    """The same for people, and how pages load the client, with the hash that pins the script.

    `with_picture` adds a QR code of the address for the camera of a phone.
    """
    lines = [
        "",
        "  Tertulia is ready. Open the playground in two tabs:",
        "",
        f"      {facts['url']}",
        "",
    ]
    if with_picture:
        lines += [*_picture(facts["url"]), "      The certificate is the server's own: let your browser accept it.", ""]
    lines += [
        f"  API address  {facts['url']}",
        f"  API key      {facts['api_key']}",
        f"  API secret   {facts['api_secret']}",
        f"  session id   {facts['session_id']}",
        *([f"  bad network  {facts['impair']}, on purpose (--impair)"] if "impair" in facts else []),
        "",
        "  tokens",
        *(f"    {role:<14} {token}" for role, token in facts["tokens"].items()),
        "",
        f"  script       {facts['url']}{SCRIPT_PATH}",
        f"  integrity    {integrity}",
        f"  npm          npm install @opentok/client@{facts['url']}{PACKAGE_PATH}",
        "",
        f"  Projects: {facts['url']}/projects    Documents: {facts['url']}/docs    Stop: Ctrl-C",
        "",
    ]
    return "\n".join(lines)


def _picture(address: str) -> list[str]:
    # Imported here: only --lan draws one.
    import qrcode

    code = qrcode.QRCode(border=2)
    code.add_data(address)
    drawn = io.StringIO()
    code.print_ascii(out=drawn, invert=True)
    return [f"      {line}" for line in drawn.getvalue().splitlines()]
