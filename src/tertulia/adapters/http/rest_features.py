"""Routes of features that this server lacks: requests are checked as usual, then refused with the feature's name."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tertulia.adapters.http.rest_access import PROJECT, Access, body_of, content_type
from tertulia.errors import ConflictError, FeatureMissingError
from tertulia.wire.rest_features import parse_captions, parse_connect, parse_dial, parse_render
from tertulia.wire.rest_media import parse_page

__all__ = ["feature_routes", "missing"]

Parse = Callable[[str, bytes], str]

SIP = "SIP"
CAPTIONS = "live captions"
CONNECTOR = "the audio connector"
RENDER = "the experience composer (render)"


def feature_routes(access: Access) -> list[Route]:
    """Routes below a project's address."""

    def start(path: str, feature: str, parse: Parse) -> Route:
        async def refuse(request: Request) -> Response:
            api_key = await access.project(request)
            session = await access.session_of(api_key, parse(content_type(request), await body_of(request)))
            if session.media_mode == "relayed":
                raise ConflictError(f"{feature[0].upper()}{feature[1:]} needs a routed session.")
            raise missing(feature)

        return Route(PROJECT + path, refuse, methods=["POST"])

    def other(path: str, feature: str, *methods: str) -> Route:
        async def refuse(request: Request) -> Response:
            await access.project(request)
            parse_page(request.query_params)
            raise missing(feature)

        return Route(PROJECT + path, refuse, methods=list(methods))

    return [
        start("/dial", SIP, parse_dial),
        start("/call", SIP, parse_dial),
        start("/captions", CAPTIONS, parse_captions),
        other("/captions/{id}", CAPTIONS, "GET"),
        other("/captions/{id}/stop", CAPTIONS, "POST"),
        start("/connect", CONNECTOR, parse_connect),
        other("/connect/{id}/stop", CONNECTOR, "POST"),
        start("/render", RENDER, parse_render),
        other("/render", RENDER, "GET"),
        # The PHP SDK asks with POST.
        other("/render/{id}", RENDER, "GET", "POST", "DELETE"),
    ]


def missing(feature: str) -> FeatureMissingError:
    """The refusal of a request that only a server with this feature could grant."""
    return FeatureMissingError(
        f"This server does not have {feature}; it comes with a later version and cannot be enabled in this one."
    )
