"""Every error of the program: four families of exceptions and the one table of codes that cross the wire.

    TertuliaError
    +-- CallerError           the request is invalid, unauthenticated, forbidden, for nothing that exists, too much
    +-- PeerProtocolError     another program sent something malformed or unlawful
    +-- UnavailableError      something we depend on is away or late; `retry_helps` says whether to try again
    +-- BugError              a broken invariant: logged whole, ends the smallest enclosing scope

Each class names its row of `ERRORS`, which mirrors `contract/errors.yaml`.
"""

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "ERRORS",
    "AuthenticationError",
    "BugError",
    "CallerError",
    "ConflictError",
    "ConnectFailedError",
    "ConnectionLimitError",
    "DisconnectedError",
    "EncryptionSecretMissingError",
    "ErrorKind",
    "FeatureMissingError",
    "ForceUnpublishInvalidStreamError",
    "IceFailedError",
    "InternalError",
    "InvalidParameterError",
    "InvalidSessionIdError",
    "MalformedFrameError",
    "NotConnectedError",
    "NotFoundError",
    "OfferRefusedError",
    "PeerConnectionError",
    "PeerProtocolError",
    "PermissionDeniedError",
    "RateLimitError",
    "RefusedByApplicationError",
    "RelayedSessionError",
    "RouterRefusedError",
    "SessionIdFormatError",
    "SignalInvalidError",
    "SignalTooLongError",
    "StreamCreateFailedError",
    "StreamDestroyedError",
    "StreamLimitError",
    "StreamNotFoundError",
    "TertuliaError",
    "TimedOutError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnknownMessageError",
    "UnknownStreamError",
    "error_kind",
]


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the table of errors.

    Attributes:
        name: Unique together with `code`; what clients branch on unless `wire_name` replaces it.
        code: The number that OpenTok gives the error.
        title: A short heading for `exception` events.
        meaning: What happened, for people.
        http: REST status; None for errors that only a client raises.
        rest_code: `code` of the REST body where it is not the status.
        wire_name: The name that crosses the wire where several rows share one OpenTok name.
        requests: The signalling requests that answer with this row; empty where it is not bound to one.
    """

    name: str
    code: int
    title: str
    meaning: str
    http: int | None = None
    rest_code: int | None = None
    wire_name: str | None = None
    requests: tuple[str, ...] = ()

    @property
    def sent_name(self) -> str:
        """The name as a client reads it."""
        return self.wire_name or self.name

    @property
    def client_only(self) -> bool:
        """Whether only a client raises it, so that it never crosses the wire."""
        return self.http is None


ERRORS: tuple[ErrorKind, ...] = (
    ErrorKind(
        "OT_AUTHENTICATION_ERROR",
        1004,
        "Authentication error",
        "token or key forged, expired, malformed, or for another session or project",
        http=403,
        rest_code=-1,
    ),
    ErrorKind("OT_INVALID_SESSION_ID", 1005, "Invalid session id", "no such session", http=404),
    ErrorKind(
        "OT_CONNECT_FAILED",
        1006,
        "Connect failed",
        "the server cannot be reached or cannot take the connection now",
        http=503,
    ),
    ErrorKind("OT_CONNECT_FAILED", 1008, "Connect time-out", "the server does not answer"),
    ErrorKind("OT_NOT_CONNECTED", 1010, "Not connected", "the operation needs a connected session", http=409),
    ErrorKind("OT_INVALID_PARAMETER", 1011, "Invalid parameter", "an argument is missing or out of range", http=400),
    ErrorKind(
        "OT_CREATE_PEER_CONNECTION_FAILED", 1013, "Connection failed", "the peer connection could not be made", http=500
    ),
    ErrorKind("OT_SET_REMOTE_DESCRIPTION_FAILED", 1013, "Connection failed", "offer or answer was refused", http=500),
    ErrorKind("OT_CONNECTION_LIMIT_EXCEEDED", 1027, "Connection limit exceeded", "the session is full", http=409),
    ErrorKind(
        "OT_PERMISSION_DENIED",
        1500,
        "Unable to publish",
        "the role does not allow publishing",
        http=403,
        requests=("publish", "unpublish", "updateStream"),
    ),
    ErrorKind(
        "OT_PERMISSION_DENIED",
        1501,
        "Unable to subscribe",
        "the role does not allow subscribing",
        http=403,
        requests=("subscribe",),
    ),
    ErrorKind(
        "OT_PERMISSION_DENIED",
        1510,
        "Unable to signal",
        "the role does not allow signalling",
        http=403,
        requests=("signal",),
    ),
    ErrorKind(
        "OT_PERMISSION_DENIED",
        1520,
        "Unable to force disconnect",
        "only a moderator may",
        http=403,
        requests=("forceDisconnect",),
    ),
    ErrorKind(
        "OT_PERMISSION_DENIED",
        1530,
        "Unable to force unpublish",
        "only a moderator may",
        http=403,
        requests=("forceUnpublish",),
    ),
    ErrorKind(
        "OT_PERMISSION_DENIED",
        1540,
        "Unable to force mute",
        "only a moderator may",
        http=403,
        requests=("forceMuteStream", "forceMuteAll", "disableForceMute"),
    ),
    ErrorKind(
        "OT_INVALID_PARAMETER",
        1535,
        "Force unpublish on an invalid stream",
        "no such stream in the session",
        http=404,
        requests=("forceUnpublish",),
    ),
    ErrorKind("OT_STREAM_CREATE_FAILED", 1500, "Unable to publish", "the stream could not be registered", http=500),
    ErrorKind("OT_ICE_WORKFLOW_FAILED", 1553, "ICE failed", "no media path could be made", http=500),
    ErrorKind("OT_TIMEOUT", 1500, "Timed out", "no result in reasonable time", http=504),
    ErrorKind("OT_STREAM_NOT_FOUND", 1600, "Stream not found", "no such stream in the session", http=404),
    ErrorKind("OT_STREAM_DESTROYED", 1600, "Stream destroyed", "the stream ended meanwhile", http=409),
    ErrorKind("OT_DISCONNECTED", 1600, "Disconnected", "the client left the session meanwhile", http=409),
    ErrorKind("OT_STREAM_LIMIT_EXCEEDED", 1605, "Stream limit exceeded", "too many streams in the session", http=409),
    ErrorKind(
        "OT_UNEXPECTED_SERVER_RESPONSE",
        2001,
        "Unexpected server response",
        "the other side answered something unlawful",
        http=500,
    ),
    ErrorKind(
        "OT_INTERNAL_ERROR", 2000, "Internal error", "a defect of the server; only this request is affected", http=500
    ),
    ErrorKind(
        "OT_NOT_FOUND",
        404,
        "Not found",
        "the receiver of a signal or the target of a command is not connected to the session",
        http=404,
    ),
    ErrorKind(
        "OT_SIGNAL_INVALID",
        400,
        "Invalid signal",
        "type or data or receiver of a signal is malformed",
        http=400,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind(
        "OT_SIGNAL_TOO_LONG",
        413,
        "Signal too long",
        "more than 128 bytes of type or 8192 bytes of data",
        http=413,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind(
        "OT_PERMISSION_DENIED",
        401,
        "Unable to change the state",
        "the role does not allow setting this key of the shared state",
        http=403,
        requests=("setState",),
    ),
    ErrorKind(
        "OT_STATE_KEY",
        402,
        "Invalid key",
        "a key of the shared state is empty, too long or has a space in it",
        http=400,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind(
        "OT_STATE_VALUE",
        403,
        "Invalid value",
        "a value of the shared state is no text or too long",
        http=400,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind(
        "OT_STATE_SIZE",
        405,
        "Too many keys",
        "more keys than may be set at once, or more than the shared state may hold",
        http=400,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind("OT_RATE_LIMIT_EXCEEDED", 429, "Too many signals", "more than 100 signals in a second", http=429),
    ErrorKind(
        "OT_SESSION_ID_FORMAT",
        1005,
        "Invalid session id format",
        "the text is not shaped like a session id",
        http=400,
        rest_code=10101,
        wire_name="OT_INVALID_SESSION_ID",
    ),
    ErrorKind(
        "OT_UNKNOWN_MESSAGE",
        1011,
        "Unknown message",
        "the message type is not known to this version",
        http=400,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind(
        "OT_UNKNOWN_STREAM",
        408,
        "Stream not found",
        "the REST API was asked for a stream that is not in the session",
        http=408,
        wire_name="OT_STREAM_NOT_FOUND",
    ),
    ErrorKind(
        "OT_CONFLICT",
        409,
        "Invalid parameter",
        "the request does not go with the state that the session or the thing is in",
        http=409,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind(
        "OT_SESSION_NOT_ROUTED",
        409,
        "Invalid parameter",
        "the session is relayed, and what was asked needs a routed one",
        http=409,
        rest_code=15008,
        wire_name="OT_INVALID_PARAMETER",
    ),
    ErrorKind(
        "OT_FEATURE_MISSING",
        403,
        "Feature missing",
        "the server does not have the feature that the request needs",
        http=403,
    ),
    ErrorKind(
        "OT_REFUSED_BY_APPLICATION",
        403,
        "Refused by the application",
        "the application that the server is part of refused the connection, the stream or the signal",
        http=403,
    ),
    ErrorKind("OT_USER_MEDIA_ACCESS_DENIED", 1500, "Unable to publish", "the user refused camera or microphone"),
    ErrorKind("OT_NO_DEVICES_FOUND", 1500, "Unable to publish", "no camera or microphone"),
    ErrorKind("OT_HARDWARE_UNAVAILABLE", 1500, "Unable to publish", "the device is busy or broken"),
    ErrorKind("OT_CONSTRAINTS_NOT_SATISFIED", 1500, "Unable to publish", "no device meets the constraints"),
    ErrorKind("OT_NO_VALID_CONSTRAINTS", 1500, "Unable to publish", "neither audio nor video was asked for"),
    ErrorKind("OT_NOT_SUPPORTED", 1500, "Not supported", "the browser lacks the feature"),
    ErrorKind("OT_UNABLE_TO_CAPTURE_MEDIA", 1500, "Unable to publish", "capture failed otherwise"),
    ErrorKind("OT_INVALID_VIDEO_SOURCE", 1500, "Invalid video source", "no camera has this id"),
    ErrorKind("OT_SET_VIDEO_SOURCE_FAILURE", 1500, "Video source not set", "the publisher does not publish a camera"),
    ErrorKind(
        "OT_SCREEN_SHARING_NOT_SUPPORTED", 1550, "Screen sharing not supported", "the browser cannot share a screen"
    ),
    ErrorKind("OT_UNEXPECTED_ERROR_CODE", 2000, "Unexpected error", "the browser refused without a known reason"),
    ErrorKind("OT_REPORT_ISSUE_FAILED", 2010, "Issue not reported", "the report did not reach the server"),
    ErrorKind(
        "OT_ENCRYPTION_SECRET_MISSING",
        6000,
        "Encryption secret missing",
        "the session is encrypted end to end and the client has no secret",
        http=403,
    ),
    ErrorKind(
        "OT_INVALID_ENCRYPTION_SECRET",
        6004,
        "Invalid encryption secret",
        "the secret is no text of 8 to 256 characters",
    ),
)

_BY_NAME_AND_CODE = {(kind.name, kind.code): kind for kind in ERRORS}


def error_kind(name: str, code: int) -> ErrorKind:
    """Return the row with this name and code.

    Raises:
        KeyError: If there is none.
    """
    return _BY_NAME_AND_CODE[name, code]


class TertuliaError(Exception):
    """Root of all errors that the program raises on purpose.

    Attributes:
        kind: The row of `ERRORS`: its codes.
        message: One sentence for the one who asked; it may quote the request, so it is not for the log.
    """

    default_kind: ClassVar[ErrorKind] = error_kind("OT_INTERNAL_ERROR", 2000)

    def __init__(self, message: str | None = None, *, kind: ErrorKind | None = None) -> None:
        self.kind = kind or self.default_kind
        self.message = message or f"{self.kind.meaning[0].upper()}{self.kind.meaning[1:]}."
        super().__init__(self.message)


class CallerError(TertuliaError):
    """The request cannot be granted as it stands."""

    default_kind = error_kind("OT_INVALID_PARAMETER", 1011)


class PeerProtocolError(TertuliaError):
    """Another program broke the protocol that it speaks with us."""

    default_kind = error_kind("OT_UNEXPECTED_SERVER_RESPONSE", 2001)


class UnavailableError(TertuliaError):
    """A dependency is away or a deadline passed."""

    default_kind = error_kind("OT_CONNECT_FAILED", 1006)
    retry_helps: ClassVar[bool] = True


class BugError(TertuliaError):
    """A defect of this program."""


class AuthenticationError(CallerError):
    """The token is forged, expired, malformed, or for another session or project; the message says which."""

    default_kind = error_kind("OT_AUTHENTICATION_ERROR", 1004)


class InvalidSessionIdError(CallerError):
    """No such session."""

    default_kind = error_kind("OT_INVALID_SESSION_ID", 1005)


class SessionIdFormatError(CallerError):
    """The text is not even shaped like a session id."""

    default_kind = error_kind("OT_SESSION_ID_FORMAT", 1005)


class NotConnectedError(CallerError):
    """The operation needs a connection that is (still) in its session."""

    default_kind = error_kind("OT_NOT_CONNECTED", 1010)


class InvalidParameterError(CallerError):
    """An argument is missing or out of range; the message names it."""

    default_kind = error_kind("OT_INVALID_PARAMETER", 1011)


class UnknownMessageError(CallerError):
    """A message of a type that this version does not know."""

    default_kind = error_kind("OT_UNKNOWN_MESSAGE", 1011)


class ConnectionLimitError(CallerError):
    """The session is full."""

    default_kind = error_kind("OT_CONNECTION_LIMIT_EXCEEDED", 1027)


class PermissionDeniedError(CallerError):
    """The role does not allow it. Always give `kind`: the code says what was tried."""

    default_kind = error_kind("OT_PERMISSION_DENIED", 1500)


class NotFoundError(CallerError):
    """The receiver of a signal or the target of a command is not connected to the session."""

    default_kind = error_kind("OT_NOT_FOUND", 404)


class StreamNotFoundError(CallerError):
    """No such stream in the session."""

    default_kind = error_kind("OT_STREAM_NOT_FOUND", 1600)


class ForceUnpublishInvalidStreamError(CallerError):
    """No such stream in the session, said to a moderator who wanted to end it."""

    default_kind = error_kind("OT_INVALID_PARAMETER", 1535)


class StreamDestroyedError(CallerError):
    """The stream ended while the request was handled."""

    default_kind = error_kind("OT_STREAM_DESTROYED", 1600)


class StreamLimitError(CallerError):
    """Too many streams in the session, or too many subscriptions of one connection."""

    default_kind = error_kind("OT_STREAM_LIMIT_EXCEEDED", 1605)


class DisconnectedError(CallerError):
    """The connection left the session while the request was handled."""

    default_kind = error_kind("OT_DISCONNECTED", 1600)


class SignalInvalidError(CallerError):
    """Type, data or receiver of a signal is malformed."""

    default_kind = error_kind("OT_SIGNAL_INVALID", 400)


class SignalTooLongError(CallerError):
    """More type or data than a signal may have."""

    default_kind = error_kind("OT_SIGNAL_TOO_LONG", 413)


class StateKeyError(CallerError):
    """A key that the shared state of a session cannot have."""

    default_kind = error_kind("OT_STATE_KEY", 402)


class StateValueError(CallerError):
    """A value that the shared state of a session cannot have."""

    default_kind = error_kind("OT_STATE_VALUE", 403)


class StateSizeError(CallerError):
    """Too many keys at once, or more than the shared state of a session holds."""

    default_kind = error_kind("OT_STATE_SIZE", 405)


class RateLimitError(CallerError):
    """Too many signals in a second."""

    default_kind = error_kind("OT_RATE_LIMIT_EXCEEDED", 429)


class UnknownStreamError(CallerError):
    """The REST API was asked for a stream that is not in the session; OpenTok answers that with 408."""

    default_kind = error_kind("OT_UNKNOWN_STREAM", 408)


class ConflictError(CallerError):
    """The request does not go with the state that the session or the thing is in; the message says why."""

    default_kind = error_kind("OT_CONFLICT", 409)


class RelayedSessionError(ConflictError):
    """The session is relayed, and what was asked needs a routed one."""

    default_kind = error_kind("OT_SESSION_NOT_ROUTED", 409)


class EncryptionSecretMissingError(CallerError):
    """A client that does not encrypt end to end came to a session that demands it."""

    default_kind = error_kind("OT_ENCRYPTION_SECRET_MISSING", 6000)


class FeatureMissingError(CallerError):
    """The server does not have the feature; the message names it."""

    default_kind = error_kind("OT_FEATURE_MISSING", 403)


class RefusedByApplicationError(CallerError):
    """A hook of the application around the server said no, failed, or did not answer in time."""

    default_kind = error_kind("OT_REFUSED_BY_APPLICATION", 403)


class MalformedFrameError(PeerProtocolError):
    """A frame that is not even an envelope: there is no request to answer, the socket closes with 4000."""

    default_kind = error_kind("OT_INVALID_PARAMETER", 1011)


class OfferRefusedError(PeerProtocolError):
    """The router cannot accept the client's offer; the message says why."""

    default_kind = error_kind("OT_SET_REMOTE_DESCRIPTION_FAILED", 1013)


class PeerConnectionError(PeerProtocolError):
    """The transport ended while an offer for it was handled."""

    default_kind = error_kind("OT_CREATE_PEER_CONNECTION_FAILED", 1013)


class IceFailedError(PeerProtocolError):
    """No media path could be made."""

    default_kind = error_kind("OT_ICE_WORKFLOW_FAILED", 1553)


class UnexpectedAnswerError(PeerProtocolError):
    """The other side answered something unlawful."""


class RouterRefusedError(PeerProtocolError):
    """The router refused a request with a code of `contract/router-link.yaml`.

    Attributes:
        code: That code, for example `slot_bound`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConnectFailedError(UnavailableError):
    """The server, or what it depends on, cannot take the request now; trying again helps."""


class StreamCreateFailedError(UnavailableError):
    """The stream could not be registered."""

    default_kind = error_kind("OT_STREAM_CREATE_FAILED", 1500)


class TimedOutError(UnavailableError):
    """No result in reasonable time."""

    default_kind = error_kind("OT_TIMEOUT", 1500)


class InternalError(BugError):
    """A defect of the server; only this request is affected."""
