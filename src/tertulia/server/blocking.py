"""`Client`: each call waits for its answer."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx

from tertulia.server.calls import Call
from tertulia.server.course import Answer, Collected, Course, Policy, Wait
from tertulia.server.errors import ConnectFailedError
from tertulia.server.face import Face
from tertulia.server.operations import Operations

__all__ = ["Client"]

P = ParamSpec("P")
T = TypeVar("T")


def _waiting(operation: Callable[Concatenate[Operations, P], Call[T]]) -> Callable[Concatenate[Client, P], T]:
    """The method that makes the operation's call, sends it and waits for the result."""

    def perform(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._perform(operation(self._operations, *args, **kwargs))

    functools.update_wrapper(perform, operation)
    return perform


class Client(Face):
    """A project's access to a server. Make one and keep it: connections are used again. Threads may share it.

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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(api_key, api_secret, api_url, Policy(timeout_s=timeout, retries=retries), app_version)
        self._http = httpx.Client(transport=transport)
        self._closed = threading.Event()

    create_session = _waiting(Operations.create_session)
    signal = _waiting(Operations.signal)
    send_signal = _waiting(Operations.signal)
    force_disconnect = _waiting(Operations.force_disconnect)
    list_streams = _waiting(Operations.list_streams)
    get_stream = _waiting(Operations.get_stream)
    set_stream_class_lists = _waiting(Operations.set_stream_class_lists)
    list_connections = _waiting(Operations.list_connections)
    mute_stream = _waiting(Operations.mute_stream)
    mute_all = _waiting(Operations.mute_all)
    disable_force_mute = _waiting(Operations.disable_force_mute)
    play_dtmf = _waiting(Operations.play_dtmf)
    dial = _waiting(Operations.dial)
    start_captions = _waiting(Operations.start_captions)
    stop_captions = _waiting(Operations.stop_captions)
    connect_audio_to_websocket = _waiting(Operations.connect_audio_to_websocket)
    start_render = _waiting(Operations.start_render)
    get_render = _waiting(Operations.get_render)
    stop_render = _waiting(Operations.stop_render)
    list_renders = _waiting(Operations.list_renders)
    start_archive = _waiting(Operations.start_archive)
    stop_archive = _waiting(Operations.stop_archive)
    get_archive = _waiting(Operations.get_archive)
    list_archives = _waiting(Operations.list_archives)
    get_archives = _waiting(Operations.list_archives)
    set_archive_layout = _waiting(Operations.set_archive_layout)
    add_archive_stream = _waiting(Operations.add_archive_stream)
    remove_archive_stream = _waiting(Operations.remove_archive_stream)
    delete_archive = _waiting(Operations.delete_archive)
    start_broadcast = _waiting(Operations.start_broadcast)
    stop_broadcast = _waiting(Operations.stop_broadcast)
    get_broadcast = _waiting(Operations.get_broadcast)
    list_broadcasts = _waiting(Operations.list_broadcasts)
    set_broadcast_layout = _waiting(Operations.set_broadcast_layout)
    add_broadcast_stream = _waiting(Operations.add_broadcast_stream)
    remove_broadcast_stream = _waiting(Operations.remove_broadcast_stream)
    register_callback = _waiting(Operations.register_callback)
    list_callbacks = _waiting(Operations.list_callbacks)
    remove_callback = _waiting(Operations.remove_callback)

    def close(self) -> None:
        """Close all connections. A call that waits to be sent again fails."""
        self._closed.set()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _perform(self, call: Call[T]) -> T:
        course = self._course(call)
        while True:
            if self._closed.is_set():
                raise ConnectFailedError("The client is closed.", cure="Make another.")
            try:
                answer = self._send(call, course)
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as failure:
                outcome: T | Wait = course.failed(failure, self._clock.monotonic())
            else:
                outcome = course.answered(answer, self._clock.monotonic())
            if not isinstance(outcome, Wait):
                return outcome
            self._closed.wait(outcome.seconds)

    def _send(self, call: Call[T], course: Course[T]) -> Answer:
        with self._http.stream(**self._request(call, course.left_s(self._clock.monotonic()))) as response:
            collected = Collected()
            for chunk in response.iter_bytes():
                collected.add(chunk)
                if course.is_late(self._clock.monotonic()):
                    raise TimeoutError
            return Answer(response.status_code, bytes(collected.body))
