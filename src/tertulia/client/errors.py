"""What the client raises: one root, and a class for each thing that a program would handle in its own way.

    SessionError                    every error of this client; has name, code and message
      CallerError                   the call itself is wrong; trying again unchanged does not help
        AuthenticationError         key or token forged, expired, malformed, or for another session or project
        InvalidSessionIdError       no such session
        InvalidParameterError       an argument is empty, malformed or out of range
        NotConnectedError           the operation needs a connected session
        PermissionDeniedError       the role does not allow it
        NotFoundError               the connection or stream that was named is not in the session
        LimitExceededError          too many or too much: connections, signals per second, unanswered requests
        NotSupportedError           this installation cannot do it; the message says what is missing
        CaptureError                a file, a device or the program's own frames cannot be published
      UnavailableError              a dependency or a deadline; trying again later can help
        ConnectFailedError          the server cannot be reached or cannot take the connection now
        RequestTimeoutError         no answer in time; whether the request had an effect is not known
        DisconnectedError           the connection ended before the answer came
        MediaFailedError            no media path to the server could be made
      ServerError                   a defect of the server, or an unlawful answer

Names and codes are those of `contract/errors.yaml`, which are OpenTok's own where it has one.
"""

from __future__ import annotations

from tertulia.errors import ErrorKind, TertuliaError


class SessionError(TertuliaError):
    """The root of everything that the client raises.

    Attributes:
        name: stable identifier that programs branch on, for example `OT_PERMISSION_DENIED`.
        code: OpenTok's number for it, for example 1520.
        message: a sentence for people; its wording may change.
    """

    def __init__(self, name: str, code: int, message: str) -> None:
        message = message or name
        super().__init__(message, kind=ErrorKind(name, code, title=type(self).__name__, meaning=message))
        self.name = name
        self.code = code

    def __str__(self) -> str:
        return f"{self.message} ({self.name}, {self.code})"

    def __reduce__(self) -> tuple[type[SessionError], tuple[str, int, str]]:
        return type(self), (self.name, self.code, self.message)


class CallerError(SessionError):
    """The call itself is wrong; trying again unchanged does not help."""


class AuthenticationError(CallerError):
    """The key or token is forged, expired, malformed, or for another session or project."""


class InvalidSessionIdError(CallerError):
    """There is no such session."""


class InvalidParameterError(CallerError):
    """An argument is empty, malformed or out of range."""


class NotConnectedError(CallerError):
    """The operation needs a connected session."""


class PermissionDeniedError(CallerError):
    """The role does not allow the operation."""


class NotFoundError(CallerError):
    """The connection or stream that was named is not in the session."""


class LimitExceededError(CallerError):
    """Too many or too much: connections, signals in a second, unanswered requests."""


class NotSupportedError(CallerError):
    """This installation cannot do it; the message says what is missing."""


class CaptureError(CallerError):
    """A file, a device or the program's own frames cannot be published."""


class UnavailableError(SessionError):
    """A dependency failed or a deadline passed; trying again later can help."""


class ConnectFailedError(UnavailableError):
    """The server cannot be reached or cannot take the connection now."""


class RequestTimeoutError(UnavailableError):
    """No answer came in time; whether the request had an effect is not known."""


class DisconnectedError(UnavailableError):
    """The connection ended before the answer came."""


class MediaFailedError(UnavailableError):
    """No media path to the server could be made, or it ended before the stream was accepted."""


class ServerError(SessionError):
    """A defect of the server, or an unlawful answer."""


_CLASSES: dict[str, type[SessionError]] = {
    "OT_AUTHENTICATION_ERROR": AuthenticationError,
    "OT_INVALID_SESSION_ID": InvalidSessionIdError,
    "OT_INVALID_PARAMETER": InvalidParameterError,
    "OT_NOT_CONNECTED": NotConnectedError,
    "OT_PERMISSION_DENIED": PermissionDeniedError,
    "OT_REFUSED_BY_APPLICATION": PermissionDeniedError,
    "OT_FEATURE_MISSING": NotSupportedError,
    "OT_ENCRYPTION_SECRET_MISSING": NotSupportedError,  # this client does not encrypt end to end
    "OT_NOT_FOUND": NotFoundError,
    "OT_STREAM_NOT_FOUND": NotFoundError,
    "OT_STREAM_DESTROYED": NotFoundError,
    "OT_RATE_LIMIT_EXCEEDED": LimitExceededError,
    "OT_CONNECTION_LIMIT_EXCEEDED": LimitExceededError,
    "OT_STREAM_LIMIT_EXCEEDED": LimitExceededError,
    "OT_CONNECT_FAILED": ConnectFailedError,
    "OT_TIMEOUT": RequestTimeoutError,
    "OT_DISCONNECTED": DisconnectedError,
    "OT_NOT_SUPPORTED": NotSupportedError,
    "OT_NO_DEVICES_FOUND": CaptureError,
    "OT_HARDWARE_UNAVAILABLE": CaptureError,
    "OT_UNABLE_TO_CAPTURE_MEDIA": CaptureError,
    "OT_CREATE_PEER_CONNECTION_FAILED": MediaFailedError,
    "OT_SET_REMOTE_DESCRIPTION_FAILED": MediaFailedError,
    "OT_ICE_WORKFLOW_FAILED": MediaFailedError,
}


def error_from(name: str, code: int, message: str) -> SessionError:
    """Makes the error that `name` stands for; a name without a class of its own gives a `ServerError`."""
    return _CLASSES.get(name, ServerError)(name, code, message)


def authentication_error(message: str) -> SessionError:
    """An empty or refused key."""
    return AuthenticationError("OT_AUTHENTICATION_ERROR", 1004, message)


def invalid_session_id(message: str) -> SessionError:
    """An empty session id."""
    return InvalidSessionIdError("OT_INVALID_SESSION_ID", 1005, message)


def invalid_parameter(message: str) -> SessionError:
    """An argument that cannot be right whatever the server says."""
    return InvalidParameterError("OT_INVALID_PARAMETER", 1011, message)


def signal_too_long(message: str) -> SessionError:
    """A signal whose type or data exceeds the limits of `contract/signalling.yaml`."""
    return InvalidParameterError("OT_INVALID_PARAMETER", 413, message)


def not_connected() -> SessionError:
    """A request while there is no connection."""
    return NotConnectedError("OT_NOT_CONNECTED", 1010, "The session is not connected.")


def connect_timed_out(message: str) -> SessionError:
    """The server did not answer in time."""
    return ConnectFailedError("OT_CONNECT_FAILED", 1008, message)


def connect_failed(message: str) -> SessionError:
    """The server could not be reached, or could not take the connection."""
    return ConnectFailedError("OT_CONNECT_FAILED", 1006, message)


def disconnected() -> SessionError:
    """The connection ended while something waited for it."""
    return DisconnectedError("OT_DISCONNECTED", 1600, "The connection ended before the answer came.")


def timed_out(message: str) -> SessionError:
    """A live server did not answer a request."""
    return RequestTimeoutError("OT_TIMEOUT", 1500, message)


def too_many_requests(limit: int) -> SessionError:
    """More requests wait for answers than the server accepts from one connection."""
    return LimitExceededError("OT_RATE_LIMIT_EXCEEDED", 429, f"{limit} requests of this session are unanswered.")


def unexpected_answer(message: str) -> SessionError:
    """The server answered something unlawful."""
    return ServerError("OT_UNEXPECTED_SERVER_RESPONSE", 2001, message)


def media_failed(message: str) -> SessionError:
    """No media path to the server."""
    return MediaFailedError("OT_ICE_WORKFLOW_FAILED", 1553, message)


def media_not_installed(cause: ImportError) -> SessionError:
    """The package was installed without its media part."""
    error = NotSupportedError(
        "OT_NOT_SUPPORTED", 1500, f"Media needs more packages ({cause}): pip install 'tertulia[media]'"
    )
    error.__cause__ = cause
    return error


def not_supported(message: str) -> SessionError:
    """Something that this client cannot do."""
    return NotSupportedError("OT_NOT_SUPPORTED", 1500, message)


def capture_failed(message: str) -> SessionError:
    """A file or the program's own frames cannot be published."""
    return CaptureError("OT_UNABLE_TO_CAPTURE_MEDIA", 1500, message)


def device_failed(message: str, *, missing: bool) -> SessionError:
    """A camera or microphone is not there, or is busy or broken."""
    return CaptureError("OT_NO_DEVICES_FOUND" if missing else "OT_HARDWARE_UNAVAILABLE", 1500, message)


def stream_destroyed(message: str) -> SessionError:
    """The stream ended meanwhile."""
    return NotFoundError("OT_STREAM_DESTROYED", 1600, message)


def stream_not_found() -> SessionError:
    """There is no such stream in the session."""
    return NotFoundError("OT_STREAM_NOT_FOUND", 1600, "There is no such stream in the session.")
