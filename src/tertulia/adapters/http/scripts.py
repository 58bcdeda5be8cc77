"""The client script at every address under which applications load it; the script tells the era by its own address.

Beside it the worker that encrypts end to end, for pages that must serve it from their own origin.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.files import FileFolder

__all__ = ["SCRIPT_PATHS", "script_routes"]

SCRIPT_PATHS = (
    "/v0.91/js/TB.min.js",
    "/v1.0/js/TB.min.js",
    "/v1.1/js/TB.min.js",
    "/webrtc/v2.0/js/TB.min.js",
    "/webrtc/v2.2/js/TB.min.js",
    "/webrtc/v2.2/js/opentok.min.js",
    "/v2/js/TB.min.js",
    "/v2/js/opentok.js",
    "/v2/js/opentok.min.js",
)
# A minute: long enough for a page's reloads, short enough that an upgrade arrives.
_HEADERS = {"Cache-Control": "public, max-age=60", "Cross-Origin-Resource-Policy": "cross-origin"}


def script_routes(web: Path) -> list[Route]:
    """Routes for the client script in the folder of browser files."""
    files = FileFolder(web)

    async def script(request: Request) -> Response:
        return files.answer(request, "tertulia.js", _HEADERS)

    async def encryption(request: Request) -> Response:
        return files.answer(request, "tertulia-encryption.js", _HEADERS)

    async def source_map(request: Request) -> Response:
        return files.answer(request, "tertulia.js.map", _HEADERS)

    folders = {path.rpartition("/")[0] for path in SCRIPT_PATHS}
    return [
        *(Route(path, script) for path in SCRIPT_PATHS),
        Route("/v2/js/tertulia-encryption.js", encryption),
        *(Route(f"{folder}/tertulia.js.map", source_map) for folder in sorted(folders)),
    ]
