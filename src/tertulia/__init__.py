"""Tertulia: a self-hosted live video platform that speaks the OpenTok API.

`from tertulia import Session` gives the Python client. Its modules are loaded when one of its names is first used, so
that importing the package stays cheap for the server's own processes.
"""

TYPE_CHECKING = False  # type checkers know it under this name; importing `typing` would cost more than all the rest
if TYPE_CHECKING:
    from tertulia.client import (
        AuthenticationError,
        CallerError,
        Capabilities,
        CaptureError,
        ConnectFailedError,
        Connection,
        ConnectionEvent,
        DestroyedEvent,
        DisconnectedError,
        DisconnectReason,
        Event,
        InvalidParameterError,
        InvalidSessionIdError,
        LimitExceededError,
        MediaFailedError,
        MediaStoppedEvent,
        MuteForcedEvent,
        NotConnectedError,
        NotFoundError,
        NotSupportedError,
        PermissionDeniedError,
        Publisher,
        RequestTimeoutError,
        ServerError,
        Session,
        SessionConnectEvent,
        SessionDisconnectEvent,
        SessionError,
        SignalEvent,
        StateChangedEvent,
        Stream,
        StreamEvent,
        StreamPropertyChangedEvent,
        StreamReason,
        Subscriber,
        UnavailableError,
        VideoDimensions,
        VideoEnabledChangedEvent,
    )

__version__ = "0.1.0"

__all__ = [
    "AuthenticationError",
    "CallerError",
    "Capabilities",
    "CaptureError",
    "ConnectFailedError",
    "Connection",
    "ConnectionEvent",
    "DestroyedEvent",
    "DisconnectReason",
    "DisconnectedError",
    "Event",
    "InvalidParameterError",
    "InvalidSessionIdError",
    "LimitExceededError",
    "MediaFailedError",
    "MediaStoppedEvent",
    "MuteForcedEvent",
    "NotConnectedError",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "Publisher",
    "RequestTimeoutError",
    "ServerError",
    "Session",
    "SessionConnectEvent",
    "SessionDisconnectEvent",
    "SessionError",
    "SignalEvent",
    "StateChangedEvent",
    "Stream",
    "StreamEvent",
    "StreamPropertyChangedEvent",
    "StreamReason",
    "Subscriber",
    "UnavailableError",
    "VideoDimensions",
    "VideoEnabledChangedEvent",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tertulia import client

    return getattr(client, name)


def __dir__() -> list[str]:
    return __all__
