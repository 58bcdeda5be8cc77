"""Client tokens in both OpenTok formats (T1 and JWT) and the token of REST requests.

A token is made offline by the application's server, so whatever is in it may be forged: nothing is believed before the
signature is checked, and every refusal is an AuthenticationError whose message says what is wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

import msgspec
from joserfc import jws, jwt
from joserfc.jwk import OctKey

from tertulia.clock import WallTime
from tertulia.domain.project import Account, Project, ProjectStatus
from tertulia.domain.roles import Role
from tertulia.errors import AuthenticationError
from tertulia.ids import ApiKey, SessionId

__all__ = [
    "ClientClaims",
    "RestClaims",
    "encode_jwt",
    "encode_t1",
    "open_unchecked_jws",
    "open_unchecked_t1",
    "verify_client_token",
    "verify_partner_auth",
    "verify_rest_token",
]

T1_PREFIX = "T1=="
CLIENT_SCOPE = "session.connect"
ALGORITHM = "HS256"

DAY_S = 86_400
DEFAULT_LIFETIME_S = DAY_S
MAX_LIFETIME_S = 30 * DAY_S
MAX_CLOCK_SKEW_S = 300
REST_LIFETIME_S = 180
REST_LEEWAY_S = 60
REST_MAX_LIFETIME_S = 300
MAX_DATA_CHARACTERS = 1000
# Both texts at their limits, percent-encoded three to one and that in base64, are about 11 KB.
MAX_TOKEN_CHARACTERS = 16_384
_MAX_FIELDS = 64
_MAX_KEYS = 1_024
# The algorithm by itself: reading the token a second time, as joserfc does, takes longer than all the rest.
_HS256 = jws.JWSRegistry(algorithms=[ALGORITHM]).get_alg(ALGORITHM)

Projects = Callable[[str], Project | None]
"""Finds the project with an API key."""
Accounts = Callable[[str], Account | None]
"""Finds the account with a key."""


@dataclass(frozen=True, slots=True)
class ClientClaims:
    """What a verified client token says.

    Whether the session exists and belongs to the project is for the caller to check. Times are seconds since the epoch.
    `digest` is the SHA-256 of what was signed: two spellings of one token have the same.
    """

    api_key: ApiKey
    session_id: SessionId
    role: Role
    connection_data: str = field(repr=False)
    layout_classes: tuple[str, ...]
    created_at_s: int
    expires_at_s: int
    digest: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RestClaims:
    """What a verified REST token says: whose it is, and whether the key is a project's or an account's."""

    api_key: ApiKey
    is_account: bool


def verify_client_token(
    token: str, projects: Projects, now: WallTime, *, max_age_s: float | None = None
) -> ClientClaims:
    """Check the signature, times, role and limits of a client token of either format.

    Args:
        token: As the client gave it.
        projects: Finds the project that it names.
        now: The present.
        max_age_s: Seconds after which any token is too old, however long its maker meant it to last.

    Raises:
        AuthenticationError: If the token is empty, malformed, forged, expired, for an unknown or suspended project, or
            if one of its fields is missing or out of range.
    """
    if not token:
        raise AuthenticationError("The token is empty.")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise _malformed(f"it is longer than {MAX_TOKEN_CHARACTERS} characters")
    if token.startswith(T1_PREFIX):
        api_key, fields, signed = _open_t1(token, projects)
    else:
        api_key, fields, signed = _open_client_jwt(token, projects)
    digest = hashlib.sha256(api_key.encode() + b":" + signed).hexdigest()
    return _client_claims(api_key, fields, now / 1000, max_age_s, digest)


def verify_rest_token(
    token: str | None,
    projects: Projects,
    now: WallTime,
    *,
    accounts: Accounts | None = None,
    max_lifetime_s: float = REST_MAX_LIFETIME_S,
) -> RestClaims:
    """Check the value of the header `X-OPENTOK-AUTH`.

    Args:
        token: The header's value; None if there is none.
        projects: Finds the project that it names.
        now: The present.
        accounts: Finds the account that it names, if it says that it is an account's.
        max_lifetime_s: Seconds from its making to its expiry, at most, beside a minute of leeway.

    Raises:
        AuthenticationError: If it is missing, malformed, forged, expired, of the future, lives too long, names an
            unknown or suspended project, or is a client token (signed with the same secret, and held by participants).
    """
    if not token:
        raise AuthenticationError("No suitable authentication found")
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise _malformed(f"it is longer than {MAX_TOKEN_CHARACTERS} characters")
    api_key, header, claims = _open_jws(token, projects, accounts)
    # Before the times: those of a client token are lawful, and would hide what is wrong.
    if claims.get("session_id") is not None or claims.get("scope") == CLIENT_SCOPE:
        raise AuthenticationError("This is a client token; it opens no REST endpoint.")
    now_s = now / 1000
    created_at_s, expires_at_s = _time(claims, "iat"), _time(claims, "exp")
    if created_at_s is None or expires_at_s is None:
        raise _malformed("it lacks iat or exp")
    if expires_at_s < now_s - REST_LEEWAY_S:
        raise AuthenticationError("The token has expired.")
    if created_at_s > now_s + REST_LEEWAY_S:
        raise AuthenticationError("The token was made in the future; check the clock of its maker.")
    if expires_at_s - created_at_s > max_lifetime_s + REST_LEEWAY_S:
        raise AuthenticationError(f"The token lives longer than {max_lifetime_s:g} seconds.")
    kind = _kind(header, claims)
    if kind not in ("project", "account"):
        raise _malformed("ist is neither project nor account")
    return RestClaims(api_key, kind == "account")


def verify_partner_auth(value: str, projects: Projects, now: WallTime) -> RestClaims:
    """Check the value of the retired header `X-TB-PARTNER-AUTH`: key and secret of a project, as they are.

    Raises:
        AuthenticationError: If it is malformed, or names an unknown or suspended project or another secret.
    """
    api_key, colon, secret = value.strip().partition(":")
    if not colon:
        raise AuthenticationError("X-TB-PARTNER-AUTH is not an API key and a secret with a colon between them.")
    project = _project(api_key, projects)
    if not hmac.compare_digest(project.api_secret.encode(), secret.encode()):
        raise AuthenticationError("The secret in X-TB-PARTNER-AUTH is not that of its API key.")
    return RestClaims(project.api_key, is_account=False)


def encode_t1(
    *,
    api_key: str,
    api_secret: str,
    session_id: str,
    created_at_s: int,
    expires_at_s: int | None = None,
    role: str = Role.PUBLISHER,
    connection_data: str = "",
    layout_classes: tuple[str, ...] = (),
    nonce: int = 0,
) -> str:
    """Make a client token of the older format; without an expiry it is good for 24 hours."""
    fields: dict[str, str | int] = {"session_id": session_id, "create_time": created_at_s}
    if expires_at_s is not None:
        fields["expire_time"] = expires_at_s
    fields |= {"role": role, "nonce": nonce, "initial_layout_class_list": " ".join(layout_classes)}
    if connection_data:
        fields["connection_data"] = connection_data
    data = urlencode(fields)
    signed = f"partner_id={quote(api_key)}&sig={_t1_signature(api_secret, data.encode())}:{data}"
    return T1_PREFIX + base64.b64encode(signed.encode()).decode()


def encode_jwt(
    *,
    api_key: str,
    api_secret: str,
    session_id: str,
    created_at_s: int,
    expires_at_s: int | None = None,
    role: str = Role.PUBLISHER,
    connection_data: str = "",
    layout_classes: tuple[str, ...] = (),
    nonce: int = 0,
) -> str:
    """Make a client token of the newer format; without an expiry it is good for 24 hours."""
    claims: dict[str, Any] = {
        "iss": api_key,
        "ist": "project",
        "iat": created_at_s,
        "nonce": nonce,
        "session_id": session_id,
        "role": str(role),
        "scope": CLIENT_SCOPE,
        "initial_layout_class_list": " ".join(layout_classes),
    }
    if expires_at_s is not None:
        claims["exp"] = expires_at_s
    if connection_data:
        claims["connection_data"] = connection_data
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT"}, claims, OctKey.import_key(api_secret))


def encode_rest_token(*, api_key: str, api_secret: str, now_s: int, kind: str = "project") -> str:
    """Make a value of the header `X-OPENTOK-AUTH`, good for three minutes, as the official SDKs do."""
    claims: dict[str, Any] = {"iss": api_key, "ist": kind, "iat": now_s, "exp": now_s + REST_LIFETIME_S}
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT"}, claims, OctKey.import_key(api_secret))


def open_unchecked_t1(token: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The outer and the signed fields of a T1 token, whoever made it. Raises AuthenticationError."""
    outer, data = _split_t1(token)
    return outer, _parse_form(data)


def open_unchecked_jws(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims of a JWT, whoever made it. Raises AuthenticationError."""
    parts = token.split(".")
    if len(parts) != 3:
        raise _malformed("it is neither a T1 token nor a JWT")
    return _parse_json(_decode_base64(parts[0])), _parse_json(_decode_base64(parts[1]))


def _split_t1(token: str) -> tuple[Mapping[str, str], bytes]:
    head, colon, data = _decode_base64(token[len(T1_PREFIX) :]).partition(b":")
    if not colon:
        raise _malformed("it has no signed part")
    return _parse_form(head), data


def _open_t1(token: str, projects: Projects) -> tuple[ApiKey, Mapping[str, Any], bytes]:
    """Verify a T1 token: base64 of `partner_id={key}&sig={hex HMAC-SHA1 of data}:{data}`."""
    outer, data = _split_t1(token)
    api_key, signature = outer.get("partner_id", ""), outer.get("sig", "")
    project = _project(api_key, projects)
    # The bytes as they came: the order and the escaping of the fields differ between the SDKs.
    if not hmac.compare_digest(_t1_signature(project.api_secret, data).encode(), signature.encode()):
        raise _forged()
    return project.api_key, _parse_form(data), data


def _open_client_jwt(token: str, projects: Projects) -> tuple[ApiKey, Mapping[str, Any], bytes]:
    api_key, header, claims = _open_jws(token, projects)
    if _kind(header, claims) != "project":
        raise AuthenticationError("The token is not a project's (ist); it opens no session.")
    for alias, name in (("create_time", "iat"), ("expire_time", "exp")):
        claims[alias] = claims[name] if claims.get(name) is not None else claims.get(alias)
    classes = claims.get("initial_layout_class_list") or claims.get("initial_layout_list") or ""
    # The PHP SDK sends the list form-encoded.
    claims["initial_layout_class_list"] = unquote_plus(classes) if isinstance(classes, str) else classes
    return api_key, claims, token.rpartition(".")[0].encode()


def _kind(header: Mapping[str, Any], claims: Mapping[str, Any]) -> object:
    """Whose key the token names; the Ruby SDK puts that into the header."""
    return claims.get("ist") or header.get("ist") or "project"


def _open_jws(
    token: str, projects: Projects, accounts: Accounts | None = None
) -> tuple[ApiKey, dict[str, Any], dict[str, Any]]:
    """Verify a compact JWS with the secret of the project or account that it names; returns key, header and claims."""
    parts = token.split(".")
    if len(parts) != 3:
        raise _malformed("it is neither a T1 token nor a JWT")
    header = _parse_json(_decode_base64url(parts[0]))
    if header.get("alg") != ALGORITHM:
        raise _malformed(f"its algorithm is not {ALGORITHM}")
    # We know no extension, and an empty `crit` is unlawful by itself (RFC 7515, 4.1.11; RFC 7797 for b64).
    if "crit" in header or "b64" in header:
        raise _malformed("its header asks for an extension")
    claims = _parse_json(_decode_base64url(parts[1]))
    issuer = claims.get("iss")
    if isinstance(issuer, int) and not isinstance(issuer, bool):
        issuer = str(issuer)
    if issuer is not None and not isinstance(issuer, str):
        raise _malformed("iss is not an API key")
    owner: Project | Account | None
    if accounts is not None and _kind(header, claims) == "account":
        # Their keys are a space of their own: an account's key opens nothing as a project's, nor the other way round.
        owner = accounts(issuer or "")
        if owner is None:
            raise AuthenticationError("Issuer not found: the token's account key is unknown.")
    else:
        owner = _project(issuer or "", projects)
    signed = token[: -len(parts[2]) - 1]
    if not _HS256.verify(signed.encode(), _decode_base64url(parts[2]), _key(owner.api_secret)):
        raise _forged()
    return owner.api_key, header, claims


@lru_cache(maxsize=_MAX_KEYS)
def _key(api_secret: str) -> OctKey:
    """The secret as joserfc wants it. To look into it takes a quarter of a check, and there are few secrets."""
    return OctKey.import_key(api_secret)


def _client_claims(
    api_key: ApiKey, fields: Mapping[str, Any], now_s: float, max_age_s: float | None, digest: str
) -> ClientClaims:
    """Apply the rules that both formats share to the fields of an authentic token, under their T1 names."""
    session_id = _text(fields, "session_id")
    if not session_id:
        raise AuthenticationError("The token names no session: session_id is empty.")
    created_at_s = _time(fields, "create_time")
    if created_at_s is None:
        raise _malformed("it does not say when it was made")
    expires_at_s = _time(fields, "expire_time")
    if expires_at_s is None:
        expires_at_s = created_at_s + DEFAULT_LIFETIME_S
    if created_at_s > now_s + MAX_CLOCK_SKEW_S:
        raise AuthenticationError("The token was made in the future; check the clock of its maker.")
    if expires_at_s <= now_s:
        raise AuthenticationError("The token has expired.")
    if expires_at_s > created_at_s + MAX_LIFETIME_S:
        raise AuthenticationError("The token lives longer than 30 days.")
    if max_age_s is not None:
        expires_at_s = min(expires_at_s, created_at_s + max_age_s)
        if expires_at_s <= now_s:
            raise AuthenticationError(f"The token is older than this server allows ({max_age_s:g} seconds).")
    if _text(fields, "scope") not in ("", CLIENT_SCOPE):
        raise AuthenticationError(f"The token is not for a session: its scope is not {CLIENT_SCOPE}.")
    try:
        role = Role(_text(fields, "role") or Role.PUBLISHER)
    except ValueError as error:
        raise _malformed("its role is not subscriber, publisher, publisheronly or moderator") from error
    return ClientClaims(
        api_key=api_key,
        session_id=SessionId(session_id),
        role=role,
        connection_data=_limited_text(fields, "connection_data"),
        layout_classes=tuple(_limited_text(fields, "initial_layout_class_list").split()),
        created_at_s=int(created_at_s),
        expires_at_s=int(expires_at_s),
        digest=digest,
    )


def _project(api_key: str, projects: Projects) -> Project:
    if not api_key:
        raise AuthenticationError("The token names no project: the API key is empty.")
    project = projects(api_key)
    if project is None:
        raise AuthenticationError("Issuer not found: the token's API key is unknown.")
    if project.status is not ProjectStatus.ACTIVE:
        raise AuthenticationError("The project of the token's API key is suspended.")
    return project


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _malformed(f"{name} is not a text")
    return value


def _limited_text(fields: Mapping[str, Any], name: str) -> str:
    text = _text(fields, name)
    if len(text) > MAX_DATA_CHARACTERS:
        raise _malformed(f"{name} has more than {MAX_DATA_CHARACTERS} characters")
    return text


def _time(fields: Mapping[str, Any], name: str) -> float | None:
    """The seconds since the epoch in a field; None if it is absent, null or empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    # Twelve digits reach beyond the year 30000; the pattern keeps `inf`, `nan` and underscores out.
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", str(value), re.ASCII):
        raise _malformed(f"{name} is not a time in seconds")
    return float(value)


def _t1_signature(api_secret: str, data: bytes) -> str:
    return hmac.new(api_secret.encode(), data, hashlib.sha1).hexdigest()


def _decode_base64(text: str) -> bytes:
    """Both alphabets, padded or not, with line breaks or without: the SDKs differ."""
    compact = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("it is not base64") from error


def _decode_base64url(text: str) -> bytes:
    """The one spelling of RFC 7515: no padding, no other alphabet, no bits left over. Each is signed as it stands."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("it is not base64") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text.encode():
        raise _malformed("it is not base64 as it is written there")
    return data


def _parse_form(data: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(data.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise _malformed("its fields cannot be read") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Whoever builds a token without escaping the connection data must not let it smuggle in a role.
        raise _malformed("it has a field twice")
    return fields


def _parse_json(data: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError) as error:
        raise _malformed("it is not JSON inside") from error
    if not isinstance(value, dict):
        raise _malformed("it is not a JSON object inside")
    return value


def _malformed(what: str) -> AuthenticationError:
    return AuthenticationError(f"The token is malformed: {what}.")


def _forged() -> AuthenticationError:
    return AuthenticationError("The token's signature does not fit its API key: it is forged.")
