"""The composition root of control: makes the parts and joins them, for a process of its own and for an application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network

from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp

from tertulia.adapters.gate import Gate
from tertulia.adapters.http.application import make_application
from tertulia.adapters.http.operations import Operations
from tertulia.adapters.http.operator_access import OperatorAccess, OperatorRules
from tertulia.adapters.http.playground import Playground, open_playground
from tertulia.adapters.http.rest_access import AccessRules
from tertulia.adapters.readings import readings_of, transports_of
from tertulia.adapters.router import RouterLink
from tertulia.adapters.storage import SqlStore
from tertulia.adapters.webhooks import HttpSender
from tertulia.adapters.websocket import SignallingCodec, SignallingEndpoint, SignallingLimits
from tertulia.clock import SystemClock
from tertulia.config import Settings
from tertulia.domain.addresses import AddressRules
from tertulia.domain.limits import SessionLimits
from tertulia.domain.project import Account, Project
from tertulia.ids import ApiKey, IdSource, SystemIds
from tertulia.observability.metrics import Metrics
from tertulia.services.callbacks import Callbacks
from tertulia.services.dispatcher import Dispatcher, DispatchSettings
from tertulia.services.hooks import HookRunner, Hooks
from tertulia.services.ports import Store
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions, SessionSettings
from tertulia.supervisor.programs import find_docs, find_web
from tertulia.wire.codes import SIGNALLING_PATH
from tertulia.wire.tokens import verify_client_token
from tertulia.wire.webhooks import outbox_entry

__all__ = ["Control", "open_control"]


@dataclass(frozen=True, slots=True)
class Control:
    """The running parts that others need.

    Attributes:
        application: Everything over HTTP and WebSocket.
        sessions: To be closed before sockets are cut, so that clients resume.
        projects: The projects.
        callbacks: Their callbacks.
        router: The link to the media router.
        gate: Bounds the connections that have proven nothing yet; for the web server.
        playground: In development only.
    """

    application: ASGIApp
    sessions: Sessions
    projects: Projects
    callbacks: Callbacks
    router: RouterLink
    gate: Gate
    playground: Playground | None


@asynccontextmanager
async def open_control(settings: Settings, hooks: Hooks | None = None) -> AsyncIterator[Control]:
    """Control on these settings, from loading the seats to leaving them in the store.

    Raises CannotStartError or TertuliaError if a part is missing or the store cannot be opened.
    """
    async with AsyncExitStack() as open_parts:
        clock, ids = SystemClock(), SystemIds()
        metrics = Metrics()
        store = await SqlStore.open(settings.database_url, metrics, clock)
        open_parts.push_async_callback(store.close)
        router = RouterLink(settings.router_link, clock, metrics)
        projects = Projects(store, ids, clock, [given.api_key for given in settings.projects])
        for given in settings.projects:
            await projects.provide(
                Project(
                    ApiKey(given.api_key),
                    given.api_secret,
                    given.name,
                    accept_known_keys=given.accept_known_keys,
                )
            )
        asked = None
        if hooks is not None:
            asked = HookRunner(hooks, clock)
            asked.start()
            open_parts.push_async_callback(asked.close)
        rules = AddressRules(tuple(ip_network(text) for text in settings.callback_networks))
        sender = HttpSender(rules, settings.callbacks.attempt_s)
        open_parts.push_async_callback(sender.close)
        dispatcher = Dispatcher(
            store.callbacks,
            sender,
            clock,
            ids.callback_id(),
            DispatchSettings(settings.callbacks.attempt_s),
            lambda outcome: metrics.callback_attempts.labels(outcome).inc(),
        )
        open_parts.push_async_callback(dispatcher.close)
        times = settings.sessions
        sessions = Sessions(
            store=store,
            router=router,
            codec=SignallingCodec(metrics),
            clock=clock,
            ids=ids,
            projects=projects,
            verify_token=partial(verify_client_token, max_age_s=settings.tokens.max_age_s),
            settings=SessionSettings(
                limits=SessionLimits(
                    connections=times.connections,
                    streams=times.streams,
                    streams_per_connection=times.streams_per_connection,
                    reconnect_window_s=times.reconnect_window_s,
                    reconnect_grace_s=times.reconnect_grace_s,
                    media_idle_s=times.media_idle_s,
                    loudest_above=times.loudest_above,
                    loudest_streams=times.loudest_streams,
                ),
                heartbeat_s=times.heartbeat_s,
                single_use_tokens=settings.tokens.single_use,
            ),
            hooks=asked,
            report=outbox_entry,
            reported=dispatcher.wake,
        )
        await sessions.start()
        dispatcher.start()
        await router.start(sessions.router_reports)
        open_parts.push_async_callback(router.close)
        open_parts.push_async_callback(sessions.close)
        callbacks = Callbacks(store.callbacks, ids, clock, rules, dispatcher.wake)
        playground = None
        if settings.development:
            playground = await open_playground(projects, sessions, clock, settings.playground_file, settings.impair)
        limits = SignallingLimits(authentication_s=times.authentication_s, heartbeat_s=times.heartbeat_s)
        gate = Gate(settings.http.pending, settings.http.pending_per_address)
        metrics.read_from(readings_of(sessions, router, gate, settings.run_folder))
        endpoint = SignallingEndpoint(sessions, clock, ids, limits, gate=gate, metrics=metrics)

        async def router_is_up() -> bool:
            return router.hello is not None

        async def takes_clients() -> bool:
            return not sessions.is_closing

        application = make_application(
            sessions=sessions,
            projects=projects,
            callbacks=callbacks,
            clock=clock,
            issues=store,
            rules=_rules_of(settings),
            web=find_web(),
            docs=find_docs(),
            checks={"router": router_is_up, "store": store.is_available, "open": takes_clients},
            operations=Operations(metrics, partial(transports_of, sessions, router), settings.metrics.token),
            playground=playground,
            operator=OperatorAccess(await _operator_rules(settings, store, ids), clock),
            more=[WebSocketRoute(SIGNALLING_PATH, endpoint)],
        )
        yield Control(application, sessions, projects, callbacks, router, gate, playground)


async def _operator_rules(settings: Settings, store: Store, ids: IdSource) -> OperatorRules:
    return OperatorRules(
        key=await store.secret("operator-cookies", ids.secret_bytes()),
        password_hash=settings.operator.password_hash,
        signed_in_s=settings.operator.signed_in_s,
        is_open=settings.development and settings.operator.password_hash is None,
        public_url=settings.http.public_url,
    )


def _rules_of(settings: Settings) -> AccessRules:
    given = settings.account
    account = None
    if given.api_key is not None and given.api_secret is not None:
        account = Account(ApiKey(given.api_key), given.api_secret)
    return AccessRules(account, settings.tokens.rest_max_lifetime_s, partner_auth=settings.tokens.partner_auth)
