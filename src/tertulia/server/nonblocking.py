"""`AsyncClient`: the same calls, awaited."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from tertulia.server.calls import Call
from tertulia.server.course import Answer, Collected, Course, Policy, Wait
from tertulia.server.errors import ConnectFailedError
from tertulia.server.face import Face
from tertulia.server.operations import Operations

__all__ = ["AsyncClient"]

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    operation: Callable[Concatenate[Operations, P], Call[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """The method that makes the operation's call, sends it and awaits the result."""

    async def perform(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._perform(operation(self._operations, *args, **kwargs))

    functools.update_wrapper(perform, operation)
    return perform


class AsyncClient(Face):
    """A project's access to a server, for asyncio. Make one for each event loop and keep it.

    Cancelling a call does not take it back: the server may have done it.

    Args:
        api_key: The project's key.
        api_secret: Its secret, 40 hexadecimal digits.
        api_url: Address of the server; it has a path if the server is mounted in another application.
        timeout: How long a call may take, in seconds, including everything that is tried again.
        app_version: Added to the name under which the client is seen by the server.
        retries: How often a call that failed is sent again: one that was not sent at all, or one that does nothing
            twice.
        transport: Takes the place of the network, for tests.

    Raises:
        InvalidParameterError: If `api_url` is not an address, or key or secret are empty.
    """

    def __init__(
        self,
        api_key: str | int,
        api_secret: str,
        api_url: str = "http://127.0.0.1:8080",
        timeout: float = 10.0,
        app_version: str | None = None,
        *,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(api_key, api_secret, api_url, Policy(timeout_s=timeout, retries=retries), app_version)
        self._http = httpx.AsyncClient(transport=transport)

    create_session = _awaited(Operations.create_session)
    signal = _awaited(Operations.signal)
    send_signal = _awaited(Operations.signal)
    force_disconnect = _awaited(Operations.force_disconnect)
    list_streams = _awaited(Operations.list_streams)
    get_stream = _awaited(Operations.get_stream)
    set_stream_class_lists = _awaited(Operations.set_stream_class_lists)
    list_connections = _awaited(Operations.list_connections)
    mute_stream = _awaited(Operations.mute_stream)
    mute_all = _awaited(Operations.mute_all)
    disable_force_mute = _awaited(Operations.disable_force_mute)
    play_dtmf = _awaited(Operations.play_dtmf)
    dial = _awaited(Operations.dial)
    start_captions = _awaited(Operations.start_captions)
    stop_captions = _awaited(Operations.stop_captions)
    connect_audio_to_websocket = _awaited(Operations.connect_audio_to_websocket)
    start_render = _awaited(Operations.start_render)
    get_render = _awaited(Operations.get_render)
    stop_render = _awaited(Operations.stop_render)
    list_renders = _awaited(Operations.list_renders)
    start_archive = _awaited(Operations.start_archive)
    stop_archive = _awaited(Operations.stop_archive)
    get_archive = _awaited(Operations.get_archive)
    list_archives = _awaited(Operations.list_archives)
    get_archives = _awaited(Operations.list_archives)
    set_archive_layout = _awaited(Operations.set_archive_layout)
    add_archive_stream = _awaited(Operations.add_archive_stream)
    remove_archive_stream = _awaited(Operations.remove_archive_stream)
    delete_archive = _awaited(Operations.delete_archive)
    start_broadcast = _awaited(Operations.start_broadcast)
    stop_broadcast = _awaited(Operations.stop_broadcast)
    get_broadcast = _awaited(Operations.get_broadcast)
    list_broadcasts = _awaited(Operations.list_broadcasts)
    set_broadcast_layout = _awaited(Operations.set_broadcast_layout)
    add_broadcast_stream = _awaited(Operations.add_broadcast_stream)
    remove_broadcast_stream = _awaited(Operations.remove_broadcast_stream)
    register_callback = _awaited(Operations.register_callback)
    list_callbacks = _awaited(Operations.list_callbacks)
    remove_callback = _awaited(Operations.remove_callback)

    async def close(self) -> None:
        """Close all connections. A call that waits to be sent again fails."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _perform(self, call: Call[T]) -> T:
        course = self._course(call)
        while True:
            if self._http.is_closed:
                raise ConnectFailedError("The client is closed.", cure="Make another.")
            try:
                async with asyncio.timeout(course.left_s(self._clock.monotonic())):
                    answer = await self._send(call, course)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as failure:
                outcome: T | Wait = course.failed(failure, self._clock.monotonic())
            else:
                outcome = course.answered(answer, self._clock.monotonic())
            if not isinstance(outcome, Wait):
                return outcome
            await asyncio.sleep(outcome.seconds)

    async def _send(self, call: Call[T], course: Course[T]) -> Answer:
        async with self._http.stream(**self._request(call, course.left_s(self._clock.monotonic()))) as response:
            collected = Collected()
            async for chunk in response.aiter_bytes():
                collected.add(chunk)
            return Answer(response.status_code, bytes(collected.body))
