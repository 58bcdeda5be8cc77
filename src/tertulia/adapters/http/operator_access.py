"""Who may use the projects page: signing in with a password, and telling the page's own requests from forged ones.

Signed in is who sends a cookie that carries its own end and is signed by this server; no table of sessions is kept.
The cookie is bound to the host, hidden from scripts, and sent by the browser from our own pages alone
(SameSite=Strict). What changes something must besides name our origin, and carry a text that only a page of ours could
read (OWASP's cheat sheet on cross-site request forgery: signed double submit).
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response

from tertulia.adapters.gate import source_of
from tertulia.adapters.websocket.flood import TokenBucket
from tertulia.clock import Clock
from tertulia.errors import AuthenticationError, RateLimitError
from tertulia.passwords import is_password

__all__ = ["CSRF_HEADER", "GUESSES_AT_ONCE", "NotSignedInError", "OperatorAccess", "OperatorRules", "SignedIn"]

CSRF_HEADER = "X-Tertulia-CSRF"
GUESSES_AT_ONCE = 5
GUESSES_PER_S = 0.1
"""Passwords that one address may try: so many at once, then one in ten seconds. Our own choice."""
GUESSED_ADDRESSES = 10_000
"""Addresses whose guesses are remembered; the one that was quiet longest is forgotten."""
HASHES_WAITING = 8
"""Passwords that wait to be hashed, each of which takes 32 MiB for a moment, one after the other."""

_log = structlog.get_logger(__name__)
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-real-ip")


class NotSignedInError(AuthenticationError):
    """Nobody is signed in: the page asks for the password."""


@dataclass(frozen=True, slots=True)
class OperatorRules:
    """Who may sign in, and for how long.

    Attributes:
        key: What cookies are signed with; kept over restarts.
        password_hash: Of the password; None lets nobody sign in.
        signed_in_s: How long a cookie is good, in seconds.
        is_open: In development: whoever sits at this machine is signed in without a password.
        public_url: What users type, if it differs from the host that requests name.
    """

    key: bytes
    password_hash: str | None = None
    signed_in_s: float = 43_200.0
    is_open: bool = False
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A cookie that is good: what its requests must carry to change something."""

    csrf: str
    nonce: str


class OperatorAccess:
    """Checks the requests of the projects page."""

    def __init__(self, rules: OperatorRules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        # Whoever changes the password signs everybody out.
        self._key = hmac.digest(rules.key, (rules.password_hash or "").encode(), "sha256")
        self._guesses: OrderedDict[str, TokenBucket] = OrderedDict()
        self._hashing = asyncio.Semaphore(1)
        self._waiting = 0
        # Cookies that signed out before their end, with that end.
        self._signed_out: OrderedDict[str, float] = OrderedDict()

    @property
    def has_password(self) -> bool:
        """Whether anybody can sign in with a password."""
        return self._rules.password_hash is not None

    def find(self, request: Request) -> SignedIn | None:
        """Who is signed in by the request's cookie."""
        nonce, _, rest = request.cookies.get(_cookie_name(request), "").partition(".")
        expires, _, signature = rest.partition(".")
        if not (nonce and expires.isascii() and expires.isdigit() and len(expires) < 12):
            return None
        if not hmac.compare_digest(self._sign("cookie", nonce, expires).encode(), signature.encode()):
            return None
        if int(expires) <= self._now_s() or nonce in self._signed_out:
            return None
        return SignedIn(self._sign("csrf", nonce), nonce)

    def is_at_home(self, request: Request) -> bool:
        """Whether this is development and the browser is on this machine, under a name that nobody else can give."""
        peer, name = request.client.host if request.client else "", request.url.hostname or ""
        is_proxied = any(header in request.headers for header in _PROXY_HEADERS)
        return (
            self._rules.is_open
            and not is_proxied
            and _is_loopback(peer)
            and (name == "localhost" or _is_loopback(name))
        )

    def require(self, request: Request) -> SignedIn:
        """Who is signed in. Raises NotSignedInError, or AuthenticationError if the request may be forged."""
        signed_in = self.find(request)
        if signed_in is None:
            raise NotSignedInError("Sign in first.")
        if request.method not in ("GET", "HEAD"):
            self.require_own_origin(request)
            if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), signed_in.csrf.encode()):
                raise AuthenticationError("The request does not come from the projects page; load the page again.")
        return signed_in

    def require_own_origin(self, request: Request) -> None:
        """Raises AuthenticationError unless a page of this server made the request."""
        origin = request.headers.get("origin")
        own = {f"{request.url.scheme}://{request.headers.get('host', '')}"}
        if self._rules.public_url is not None:
            public = urlsplit(self._rules.public_url)
            own.add(f"{public.scheme}://{public.netloc}")
        if origin not in own:
            raise AuthenticationError(
                "The request comes from another origin than this server's. Behind a proxy, set http.trusted_proxies "
                "and http.public_url."
            )

    async def check_password(self, request: Request, password: str) -> None:
        """Raises AuthenticationError for a wrong password, RateLimitError for too many guesses."""
        hashed = self._rules.password_hash
        if hashed is None:
            raise AuthenticationError("No password is set: make one with `tertulia password`.")
        self._count_guess(request.client.host if request.client else "")
        if self._waiting >= HASHES_WAITING:
            raise RateLimitError("Too many people try to sign in; try again.")
        self._waiting += 1
        try:
            async with self._hashing:
                is_right = await asyncio.to_thread(is_password, password, hashed)
        finally:
            self._waiting -= 1
        if not is_right:
            _log.warning("a wrong operator password was given")
            raise AuthenticationError("The password is wrong.")
        _log.info("operator signed in")

    def let_in(self, request: Request, answer: Response) -> SignedIn:
        """Put a fresh cookie on an answer."""
        nonce, expires = secrets.token_urlsafe(18), str(int(self._now_s() + self._rules.signed_in_s))
        answer.set_cookie(
            _cookie_name(request),
            f"{nonce}.{expires}.{self._sign('cookie', nonce, expires)}",
            max_age=int(self._rules.signed_in_s),
            path="/",
            secure=_is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return SignedIn(self._sign("csrf", nonce), nonce)

    def let_out(self, request: Request, signed_in: SignedIn, answer: Response) -> None:
        """Take the cookie back; a copy of it is good no more."""
        now = self._now_s()
        while self._signed_out and next(iter(self._signed_out.values())) <= now:
            self._signed_out.popitem(last=False)
        self._signed_out[signed_in.nonce] = now + self._rules.signed_in_s
        answer.delete_cookie(
            _cookie_name(request), path="/", secure=_is_secure(request), httponly=True, samesite="strict"
        )

    def _count_guess(self, address: str) -> None:
        now, source = self._clock.monotonic(), source_of(address)
        bucket = self._guesses.pop(source, None) or TokenBucket(GUESSES_PER_S, GUESSES_AT_ONCE, now)
        self._guesses[source] = bucket
        while len(self._guesses) > GUESSED_ADDRESSES:
            self._guesses.popitem(last=False)
        if not bucket.take(now):
            raise RateLimitError("Too many passwords were tried from your address; wait ten seconds.")

    def _sign(self, *parts: str) -> str:
        digest = hmac.digest(self._key, "\0".join(parts).encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _now_s(self) -> float:
        return self._clock.wall() / 1000


def _cookie_name(request: Request) -> str:
    # RFC 6265bis, 4.1.3.2: a browser takes this name over TLS alone, for this host alone.
    return "__Host-tertulia" if _is_secure(request) else "tertulia-operator"


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
