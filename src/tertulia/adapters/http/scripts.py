"""What applications load: the client script at every address where they expect it, its style sheet, the npm package.

The script tells the era by its own address. What is at the addresses that applications know is asked for again after
a minute; what has its build in its address is kept for ever. `/scripts` says which there are, with the hash of each.
"""

from __future__ import annotations

import json
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.answers import json_answer
from tertulia.adapters.http.files import FileFolder

__all__ = [
    "NO_STYLE_PATH",
    "PACKAGE_PATH",
    "SCRIPT_PATH",
    "SCRIPT_PATHS",
    "STYLE_PATH",
    "script_integrity",
    "script_routes",
]

SCRIPT_PATH = "/v2/js/opentok.min.js"
SCRIPT_PATHS = (
    "/v0.91/js/TB.min.js",
    "/v1.0/js/TB.min.js",
    "/v1.1/js/TB.min.js",
    "/webrtc/v2.0/js/TB.min.js",
    "/webrtc/v2.2/js/TB.min.js",
    "/webrtc/v2.2/js/opentok.min.js",
    "/v2/js/TB.min.js",
    "/v2/js/opentok.js",
    SCRIPT_PATH,
)
# For content policies that allow no inline style: the script without it, and the style sheet with its icons.
NO_STYLE_PATH = "/v2/js/opentok-no-style.min.js"
STYLE_PATH = "/v2/css/opentok.css"
PACKAGE_PATH = "/npm/tertulia.tgz"

_SCRIPT, _NO_STYLE, _STYLE, _PACKAGE = "tertulia.js", "tertulia-no-style.js", "tertulia.css", "tertulia.tgz"
_SHARED = {"Cross-Origin-Resource-Policy": "cross-origin"}
# A minute: long enough for a page's reloads, short enough that an upgrade arrives.
_HEADERS = {"Cache-Control": "public, max-age=60", **_SHARED}
_PINNED_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", **_SHARED}


def script_integrity(web: Path) -> str:
    """The hash by which a page pins the script in the folder of browser files: `sha384-…`."""
    return FileFolder(web).integrity(_SCRIPT)


def script_routes(web: Path) -> list[Route]:
    """Routes for what applications load from the folder of browser files."""
    files = FileFolder(web)

    def route(path: str, name: str) -> Route:
        async def answer(request: Request) -> Response:
            return files.answer(request, name, _HEADERS)

        return Route(path, answer)

    def pinned(path: str, name: str) -> Route:
        async def answer(request: Request) -> Response:
            if request.path_params["build"] != files.build(name):
                raise HTTPException(404)
            return files.answer(request, name, _PINNED_HEADERS)

        return Route(_with_build(path, "{build}"), answer)

    async def icon(request: Request) -> Response:
        return files.answer(request, f"icons/{request.path_params['name']}.svg", _HEADERS)

    async def overview(request: Request) -> Response:
        return json_answer(json.dumps(_overview(files, request.scope.get("root_path", "")), indent=2).encode())

    folders = {path.rpartition("/")[0] for path in SCRIPT_PATHS}
    return [
        *(route(path, _SCRIPT) for path in SCRIPT_PATHS),
        route(NO_STYLE_PATH, _NO_STYLE),
        pinned(NO_STYLE_PATH, _NO_STYLE),
        pinned(SCRIPT_PATH, _SCRIPT),
        route("/v2/js/tertulia-encryption.js", "tertulia-encryption.js"),
        *(route(f"{folder}/tertulia.js.map", "tertulia.js.map") for folder in sorted(folders)),
        route("/v2/js/tertulia-no-style.js.map", "tertulia-no-style.js.map"),
        route(STYLE_PATH, _STYLE),
        Route("/v2/css/icons/{name}.svg", icon),
        route(PACKAGE_PATH, _PACKAGE),
        Route("/scripts", overview),
    ]


def _with_build(path: str, build: str) -> str:
    return path.replace(".min.js", f"-{build}.min.js")


def _overview(files: FileFolder, prefix: str) -> dict[str, object]:
    def script(path: str, name: str) -> dict[str, str]:
        pinned = prefix + _with_build(path, files.build(name))
        return {"path": prefix + path, "pinned": pinned, "integrity": files.integrity(name)}

    return {
        "script": script(SCRIPT_PATH, _SCRIPT),
        "no_style": {
            **script(NO_STYLE_PATH, _NO_STYLE),
            "style": {"path": prefix + STYLE_PATH, "integrity": files.integrity(_STYLE)},
        },
        "package": {"path": prefix + PACKAGE_PATH, "integrity": files.integrity(_PACKAGE)},
        "addresses": [prefix + path for path in SCRIPT_PATHS],
    }
