"""What can go wrong with a call of the REST API: one tree of exceptions, each with code, cause and cure.

ApiError
  CallerError                   the call is wrong; trying again unchanged does not help
    AuthenticationError         key, secret or clock
    PermissionDeniedError       not allowed, or a feature that the server does not have
    InvalidParameterError       an argument is missing, malformed or out of range
      InvalidSessionIdError     not even shaped like a session id
    NotFoundError               no such session, stream or connection
    ConflictError               not possible in the present state
    LimitExceededError          too much or too many
  UnavailableError              trying again later can help
    ConnectFailedError          the server cannot be reached; nothing was done
    RequestTimeoutError         no answer in time; whether the call had an effect is not known
  ServerError                   a defect of the server
    UnexpectedAnswerError       what answered is no Tertulia server, or is broken
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tertulia.errors import ErrorKind, TertuliaError

__all__ = [
    "ApiError",
    "AuthenticationError",
    "CallerError",
    "ConflictError",
    "ConnectFailedError",
    "InvalidParameterError",
    "InvalidSessionIdError",
    "LimitExceededError",
    "NotFoundError",
    "PermissionDeniedError",
    "RequestTimeoutError",
    "ServerError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "error_of",
]


class ApiError(TertuliaError):
    """The root of everything that `Client` and `AsyncClient` raise.

    Attributes:
        cause: What is wrong, one sentence; the server's own words if it gave any. Wording may change.
        cure: What to do about it, one sentence.
        code: The number in the server's answer, for example -1 or 10101; 0 if there was no answer.
        status: The HTTP status; None if there was no answer.
    """

    usual_cure: ClassVar[str] = "Look at the cause."

    def __init__(self, cause: str, *, cure: str | None = None, code: int = 0, status: int | None = None) -> None:
        self.cause = cause
        self.cure = cure or self.usual_cure
        self.code = code
        self.status = status
        message = f"{cause} {self.cure}"
        super().__init__(message, kind=ErrorKind(type(self).__name__, code, type(self).__name__, message, http=status))

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.cause, self.cure, self.code, self.status)


class CallerError(ApiError):
    """The call itself is wrong; trying again unchanged does not help."""

    usual_cure = "Correct the call."


class AuthenticationError(CallerError):
    """The server knows no such key, the secret is another, or the clocks differ by minutes."""

    usual_cure = "Check API key, API secret and the clock of this machine."


class PermissionDeniedError(CallerError):
    """The call is not allowed, or asks for a feature that this server does not have."""

    usual_cure = "Enable the feature on the server, or do without it."


class InvalidParameterError(CallerError):
    """An argument is missing, malformed or out of range."""

    usual_cure = "Correct the argument."


class InvalidSessionIdError(InvalidParameterError):
    """The text is not shaped like a session id."""

    usual_cure = "Pass the `session_id` of a session that `create_session` made."


class NotFoundError(CallerError):
    """There is no such session, stream, connection or recording, or it is another project's."""

    usual_cure = "It may have ended; look at what is there now."


class ConflictError(CallerError):
    """Not possible in the state that session, archive or broadcast is in."""

    usual_cure = "Look at the state it is in."


class LimitExceededError(CallerError):
    """Too much, or too often."""

    usual_cure = "Send less; docs/limits.md has the numbers."


class UnavailableError(ApiError):
    """The server, or something that it needs, is away for the moment."""

    usual_cure = "Try again later."


class ConnectFailedError(UnavailableError):
    """The server cannot be reached. The call had no effect."""

    usual_cure = "Check api_url and whether the server runs."


class RequestTimeoutError(UnavailableError):
    """No answer came in time; whether the call had an effect is not known."""

    usual_cure = "Look whether the call had an effect before you repeat it."


class ServerError(ApiError):
    """The server has a defect."""

    usual_cure = "The server's log says more."


class UnexpectedAnswerError(ServerError):
    """The answer is none that the API can give."""

    usual_cure = "Check that api_url is the address of a Tertulia server, and what stands between."


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidParameterError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: ConflictError,
    408: NotFoundError,  # what `get_stream` answers for an unknown stream
    409: ConflictError,
    413: LimitExceededError,
    429: LimitExceededError,
    500: ServerError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}
_BY_CODE: dict[tuple[int, int], type[ApiError]] = {
    (403, -1): AuthenticationError,
    (400, 10101): InvalidSessionIdError,
}
# Also the words of a proxy, which answers for a server that is away, and in a form of its own.
_WITHOUT_WORDS = frozenset({502, 503, 504})


class _Body(msgspec.Struct):
    message: str
    code: int = 0


def error_of(status: int, body: bytes) -> ApiError:
    """The error that an answer with a status other than 2xx stands for."""
    try:
        said = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if status in _WITHOUT_WORDS:
            return UnavailableError(f"The server is not available (HTTP status {status}).", status=status)
        return UnexpectedAnswerError(f"The answer has the HTTP status {status} and no reason.", status=status)
    kind = _BY_CODE.get((status, said.code)) or _BY_STATUS.get(status, UnexpectedAnswerError)
    return kind(said.message, code=said.code, status=status)


def _restore(kind: type[ApiError], cause: str, cure: str, code: int, status: int | None) -> ApiError:
    return kind(cause, cure=cure, code=code, status=status)
