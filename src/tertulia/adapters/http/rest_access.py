"""Who asks the REST API, and about what: the checks that come before every route."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from tertulia.adapters.http.answers import MAX_BODY_BYTES, read_body
from tertulia.clock import Clock
from tertulia.domain.project import Account
from tertulia.errors import (
    AuthenticationError,
    InvalidParameterError,
    SessionIdFormatError,
)
from tertulia.ids import ApiKey, is_session_id_shaped
from tertulia.services.ports import SessionRecord
from tertulia.services.projects import Projects
from tertulia.services.sessions import Sessions
from tertulia.wire.tokens import REST_MAX_LIFETIME_S, RestClaims, verify_partner_auth, verify_rest_token

__all__ = ["PROJECT", "SESSION", "Access", "AccessRules", "body_of", "content_type"]

AUTHENTICATION_HEADER = "X-OPENTOK-AUTH"
PARTNER_HEADER = "X-TB-PARTNER-AUTH"


class _OwnerConvertor(Convertor[str]):
    """SDKs from before 2017 say partner where today's say project."""

    regex = "project|partner"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("owner", _OwnerConvertor())
PROJECT = "/v2/{owner:owner}/{api_key}"
SESSION = PROJECT + "/session/{session_id}"


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What an operator may choose about tokens.

    Attributes:
        account: Whose tokens manage projects; None if nobody's.
        max_lifetime_s: How long a token may be good from its making, in seconds.
        partner_auth: Whether a key and a secret in the retired header are taken.
    """

    account: Account | None = None
    max_lifetime_s: float = REST_MAX_LIFETIME_S
    partner_auth: bool = False

    def find_account(self, api_key: str) -> Account | None:
        """Return the account with this key."""
        return self.account if self.account is not None and self.account.api_key == api_key else None


class Access:
    """Checks token, project and session of requests."""

    def __init__(self, sessions: Sessions, projects: Projects, clock: Clock, rules: AccessRules) -> None:
        self._sessions = sessions
        self._projects = projects
        self._clock = clock
        self._rules = rules
        self._verify = partial(verify_rest_token, accounts=rules.find_account, max_lifetime_s=rules.max_lifetime_s)

    async def authenticate(self, request: Request) -> RestClaims:
        """Whose project asks. Raises AuthenticationError; an account's token is for other endpoints."""
        claims = await self._claims(request)
        if claims.is_account:
            raise AuthenticationError("The token is an account's; this endpoint takes a project's.")
        return claims

    async def account(self, request: Request) -> ApiKey:
        """Whose account asks. Raises AuthenticationError; a project's token is for other endpoints."""
        claims = await self._claims(request)
        if not claims.is_account:
            raise AuthenticationError("The token is a project's; this endpoint takes an account's.")
        return claims.api_key

    async def _claims(self, request: Request) -> RestClaims:
        token, now = request.headers.get(AUTHENTICATION_HEADER), self._clock.wall()
        partner = request.headers.get(PARTNER_HEADER)
        if token is None and partner is not None:
            if not self._rules.partner_auth:
                raise AuthenticationError(f"No suitable authentication found: {PARTNER_HEADER} is not taken here.")
            return await self._projects.verify(partner, verify_partner_auth, now)
        return await self._projects.verify(token, self._verify, now)

    async def project(self, request: Request) -> ApiKey:
        """The project in the path, which is the caller's. Raises AuthenticationError."""
        claims = await self.authenticate(request)
        if request.path_params["api_key"] != claims.api_key:
            raise AuthenticationError("The path names another project than the token.")
        return claims.api_key

    async def session(self, request: Request) -> SessionRecord:
        """The session in the path. Raises an error unless it exists and belongs to the caller."""
        return await self.session_of(await self.project(request), request.path_params["session_id"])

    async def session_of(self, api_key: ApiKey, session_id: str) -> SessionRecord:
        """A session of this project. Raises an error unless it exists and belongs to it."""
        if not is_session_id_shaped(session_id):
            raise SessionIdFormatError("Invalid session id format")
        return await self._sessions.records.of_project(api_key, session_id)


async def body_of(request: Request) -> bytes:
    """The request's body. Raises InvalidParameterError if it is too long."""
    return await read_body(request, lambda: InvalidParameterError(f"The body has more than {MAX_BODY_BYTES} bytes."))


def content_type(request: Request) -> str:
    """What the request says that its body is."""
    return request.headers.get("content-type", "")
