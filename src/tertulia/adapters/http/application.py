"""The whole HTTP side as one ASGI program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from tertulia.adapters.http.answers import on_error, on_http_exception, on_tertulia_error
from tertulia.adapters.http.docs import docs_routes
from tertulia.adapters.http.health import Check, health_routes
from tertulia.adapters.http.issues import issue_routes
from tertulia.adapters.http.operations import OPERATION_PATHS, Operations, operation_routes
from tertulia.adapters.http.operator_access import OperatorAccess
from tertulia.adapters.http.operator_api import OPERATOR_API, operator_routes
from tertulia.adapters.http.pages import page_routes
from tertulia.adapters.http.paths import OpenToOrigins, TidyPaths
from tertulia.adapters.http.playground import CONFIG_PATH, Playground, playground_routes
from tertulia.adapters.http.probe import probe_routes
from tertulia.adapters.http.rest import rest_routes
from tertulia.adapters.http.rest_access import AccessRules
from tertulia.adapters.http.scripts import script_routes
from tertulia.clock import Clock
from tertulia.errors import TertuliaError
from tertulia.services.callbacks import Callbacks
from tertulia.services.ports import IssueBook
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions

__all__ = ["make_application"]


def make_application(
    *,
    sessions: Sessions,
    projects: Projects,
    callbacks: Callbacks,
    clock: Clock,
    issues: IssueBook,
    rules: AccessRules,
    web: Path,
    docs: Path,
    checks: dict[str, Check],
    operations: Operations,
    playground: Playground | None,
    operator: OperatorAccess | None = None,
    more: Sequence[BaseRoute] = (),
) -> ASGIApp:
    """Join every route.

    `playground` is None in production, `operator` without a projects page; `more` are the routes of other adapters.
    """
    routes: list[BaseRoute] = [
        *more,
        *rest_routes(sessions, projects, callbacks, clock, rules),
        *script_routes(web),
        *page_routes(web),
        *docs_routes(docs),
        *health_routes(checks, clock),
        *issue_routes(clock, issues),
        *probe_routes(clock),
        *operation_routes(operations),
        *(playground_routes(playground) if playground is not None else ()),
        *(operator_routes(operator, projects, sessions, callbacks, clock) if operator is not None else ()),
    ]
    application = Starlette(
        routes=routes,
        middleware=[
            Middleware(TidyPaths),
            Middleware(OpenToOrigins, closed=(CONFIG_PATH, OPERATOR_API, *OPERATION_PATHS)),
        ],
        exception_handlers={
            TertuliaError: on_tertulia_error,
            HTTPException: on_http_exception,
            Exception: on_error,
        },
    )
    # TidyPaths has seen to slashes; a redirect would turn a POST into a GET.
    application.router.redirect_slashes = False
    return application
