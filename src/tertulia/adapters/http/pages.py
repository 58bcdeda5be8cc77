"""The pages that a browser opens, and the headers that fence them in."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.files import FileFolder

__all__ = ["OPERATOR_HEADERS", "PAGE_HEADERS", "SIGN", "page_routes"]

# Camera, microphone and screen are what the pages are for; everything else stays shut.
PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; "
        "media-src 'self' blob: mediastream:; style-src 'self' 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
# The operator's page shows secrets and needs nothing but its own script, its own style and its own answers.
OPERATOR_HEADERS = {
    **PAGE_HEADERS,
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), microphone=(), display-capture=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Three people at a round table.
SIGN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" color="#0b7a5b" aria-hidden="true">'
    '<circle cx="16" cy="17" r="5.4" fill="none" stroke="currentColor" stroke-width="2.6"/>'
    '<circle cx="16" cy="5.6" r="3" fill="currentColor"/><circle cx="6.1" cy="22.7" r="3" fill="currentColor"/>'
    '<circle cx="25.9" cy="22.7" r="3" fill="currentColor"/></svg>'
)
# Asset names carry a hash of their content.
_ASSET_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable"}


def page_routes(web: Path) -> list[Route]:
    """Routes for the pages in the folder of browser files, and for their assets."""
    files, assets = FileFolder(web / "pages"), FileFolder(web / "pages" / "assets")

    async def playground(request: Request) -> Response:
        return files.answer(request, "playground.html", PAGE_HEADERS)

    async def projects(request: Request) -> Response:
        return files.answer(request, "projects.html", OPERATOR_HEADERS)

    def trial(name: str) -> Route:
        """A ready page: a call with the key, session and token behind the # of its address."""

        async def page(request: Request) -> Response:
            return files.answer(request, f"{name}.html", PAGE_HEADERS)

        return Route(f"/{name}", page)

    async def asset(request: Request) -> Response:
        return assets.answer(request, request.path_params["name"], _ASSET_HEADERS)

    async def icon(_request: Request) -> Response:
        return Response(SIGN, media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})

    return [
        Route("/", playground),
        Route("/playground", playground),
        Route("/projects", projects),
        trial("try-v1"),
        trial("try-v2"),
        Route("/assets/{name:path}", asset),
        Route("/favicon.ico", icon),
    ]
