"""Tokens that nobody with the secret has made, or that say what they may not: every kind is refused, as a refusal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from tertulia.clock import WallTime
from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import AuthenticationError
from tertulia.ids import ApiKey
from tertulia.wire.tokens import verify_client_token, verify_rest_token

KEY, SECRET = "40012345", "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
OTHER_KEY, OTHER_SECRET = "40099999", "1b7d3f5a7c9e0b2d4f689f2c4e6a8b0d1f3a5c7e"
SLEEPING_KEY = "40088888"
SESSION = "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"
NOW_S = 1_767_225_600
NOW = WallTime(NOW_S * 1000)
HEADER = {"alg": "HS256", "typ": "JWT"}
CLIENT = {"iss": KEY, "ist": "project", "iat": NOW_S, "exp": NOW_S + 3600, "session_id": SESSION, "role": "publisher"}
REST = {"iss": KEY, "ist": "project", "iat": NOW_S, "exp": NOW_S + 180}
PROJECTS = {
    KEY: Project(ApiKey(KEY), SECRET),
    OTHER_KEY: Project(ApiKey(OTHER_KEY), OTHER_SECRET),
    SLEEPING_KEY: Project(ApiKey(SLEEPING_KEY), SECRET, status=ProjectStatus.SUSPENDED),
}


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Any, claims: Any, secret: str = SECRET, hash_name: str = "sha256") -> str:
    body = f"{part(header)}.{part(claims)}"
    return f"{body}.{part(hmac.new(secret.encode(), body.encode(), hash_name).digest())}"


def client(header: dict[str, Any] | None = None, **changes: Any) -> str:
    return signed({**HEADER, **(header or {})}, {**CLIENT, **changes})


def rest(header: dict[str, Any] | None = None, **changes: Any) -> str:
    return signed({**HEADER, **(header or {})}, {**REST, **changes})


def t1(data: str, *, key: str = KEY, secret: str = SECRET, tail: str = "", sig: str | None = None) -> str:
    signature = sig or hmac.new(secret.encode(), data.encode(), hashlib.sha1).hexdigest()
    return "T1==" + base64.b64encode(f"partner_id={key}&sig={signature}:{data}{tail}".encode()).decode()


DATA = f"session_id={SESSION}&create_time={NOW_S}&expire_time={NOW_S + 3600}&role=publisher&nonce=1"
GOOD = client()
GOOD_HEADER, GOOD_CLAIMS, GOOD_SIGNATURE = GOOD.split(".")
ELEVATED = part({**CLIENT, "role": "moderator"})

# What is wrong with a JWT whoever it is for, by what it is made of.
JWTS: dict[str, Callable[[Callable[..., str], dict[str, Any]], str]] = {
    "no signature asked for": lambda make, claims: signed({"alg": "none"}, claims),
    "no signature given": lambda make, claims: f"{part({'alg': 'none'})}.{part(claims)}.",
    "None with a capital": lambda make, claims: f"{part({'alg': 'None'})}.{part(claims)}.",
    "a signature of nothing": lambda make, claims: f"{part(HEADER)}.{part(claims)}.",
    "HS384": lambda make, claims: signed({"alg": "HS384"}, claims, hash_name="sha384"),
    "HS512": lambda make, claims: signed({"alg": "HS512"}, claims, hash_name="sha512"),
    "RS256 signed by the secret as a public key": lambda make, claims: signed({"alg": "RS256"}, claims),
    "hs256 in small letters": lambda make, claims: signed({"alg": "hs256"}, claims),
    "no algorithm": lambda make, claims: signed({"typ": "JWT"}, claims),
    "an algorithm that is a list": lambda make, claims: signed({"alg": ["HS256"]}, claims),
    "a header that is a list": lambda make, claims: signed(["HS256"], claims),
    "claims that are a list": lambda make, claims: signed(HEADER, [claims]),
    "claims that are a text": lambda make, claims: signed(HEADER, "claims"),
    "claims that are no JSON": lambda make, claims: signed(HEADER, b"{"),
    "claims that are no UTF-8": lambda make, claims: signed(HEADER, b'{"iss":"\xff"}'),
    "claims without end": lambda make, claims: signed(HEADER, b"[" * 5000),
    "crit with a name that nobody knows": lambda make, claims: make({"crit": ["exp2"], "exp2": 1}),
    "crit with nothing": lambda make, claims: make({"crit": []}),
    "b64 false": lambda make, claims: make({"b64": False, "crit": ["b64"]}),
    "jku with a key of the forger's": lambda make, claims: signed(
        {**HEADER, "jku": "https://evil.test/keys"}, claims, OTHER_SECRET
    ),
    "jwk with a key of the forger's": lambda make, claims: signed(
        {**HEADER, "jwk": {"kty": "oct", "k": part(OTHER_SECRET.encode())}}, claims, OTHER_SECRET
    ),
    "kid that leads to an empty file": lambda make, claims: signed({**HEADER, "kid": "../../dev/null"}, claims, "\0"),
    "another project's secret": lambda make, claims: signed(HEADER, claims, OTHER_SECRET),
    "the secret in capitals": lambda make, claims: signed(HEADER, claims, SECRET.upper()),
    "the key as the secret": lambda make, claims: signed(HEADER, claims, KEY),
    "another project's name": lambda make, claims: make(iss=OTHER_KEY),
    "a suspended project": lambda make, claims: make(iss=SLEEPING_KEY),
    "nobody's name": lambda make, claims: make(iss="49999999"),
    "no name": lambda make, claims: make(iss=None),
    "an empty name": lambda make, claims: make(iss=""),
    "a name that is a list": lambda make, claims: make(iss=[KEY]),
    "a name that is a number without end": lambda make, claims: signed(
        HEADER, json.dumps({**claims, "iss": 0}).replace('"iss": 0', '"iss": ' + "9" * 6000).encode()
    ),
    "a time that is a number without end": lambda make, claims: signed(
        HEADER, json.dumps({**claims, "exp": 0}).replace('"exp": 0', '"exp": ' + "9" * 6000).encode()
    ),
    "a name that is true": lambda make, claims: make(iss=True),
    "a name with a fraction": lambda make, claims: make(iss=40012345.0),
    "an account's": lambda make, claims: make(ist="accounts"),
    "expired": lambda make, claims: make(iat=NOW_S - 200, exp=NOW_S - 61),
    "from the future": lambda make, claims: make(iat=NOW_S + 400, exp=NOW_S + 500),
    "without a beginning": lambda make, claims: make(iat=None),
    "a time that is infinite": lambda make, claims: signed(
        HEADER, json.dumps({**claims, "exp": float("inf")}).encode()
    ),
    "a time that is no number": lambda make, claims: make(exp="tomorrow"),
    "a time that is true": lambda make, claims: make(iat=True),
    "a time below zero": lambda make, claims: make(iat=-5),
    "a life without end": lambda make, claims: make(exp=NOW_S + 40 * 86_400),
    "two parts": lambda make, claims: make().rpartition(".")[0],
    "four parts": lambda make, claims: make() + ".e30",
    "trailing bytes": lambda make, claims: make() + "AAAA",
    "a trailing zero": lambda make, claims: make() + "\0",
    "a part that is no base64": lambda make, claims: f"!{make()}",
    "huge": lambda make, claims: make(padding="x" * 20_000),
    "sections of another order": lambda make, claims: ".".join(reversed(make().split("."))),
}


def find(api_key: str) -> Project | None:
    return PROJECTS.get(api_key)


@pytest.mark.parametrize("kind", JWTS)
def test_no_forged_jwt_opens_a_session(kind: str) -> None:
    with pytest.raises(AuthenticationError):
        verify_client_token(JWTS[kind](client, CLIENT), find, NOW)


@pytest.mark.parametrize("kind", JWTS)
def test_no_forged_jwt_opens_the_rest_api(kind: str) -> None:
    with pytest.raises(AuthenticationError):
        verify_rest_token(JWTS[kind](rest, REST), find, NOW)


CLIENTS = {
    "claims of one and signature of another": f"{GOOD_HEADER}.{ELEVATED}.{GOOD_SIGNATURE}",
    "header of one and signature of another": f"{part({'alg': 'HS256'})}.{GOOD_CLAIMS}.{GOOD_SIGNATURE}",
    "a signature cut short": GOOD[:-4],
    "a token of the REST API": rest(),
    "no session": client(session_id=None),
    "an empty session": client(session_id=""),
    "a session that is a number": client(session_id=5),
    "a role that nobody has": client(role="king"),
    "a role that is a list": client(role=["moderator"]),
    "another purpose": client(scope="session.connect2"),
    "an account's token": client(ist="account"),
    "too much data": client(connection_data="x" * 1001),
    "too many classes": client(initial_layout_class_list="x" * 1001),
    "classes that are a number": client(initial_layout_class_list=5),
    "expired this second": client(exp=NOW_S),
    "nothing": "",
    "white space": " ",
    "T1 of another secret": t1(DATA, secret=OTHER_SECRET),
    "T1 of another project": t1(DATA, key=OTHER_KEY),
    "T1 of nobody": t1(DATA, key="49999999"),
    "T1 of a suspended project": t1(DATA, key=SLEEPING_KEY),
    "T1 with trailing bytes": t1(DATA, tail="&role=moderator"),
    "T1 with a role twice": t1(DATA + "&role=moderator"),
    "T1 with a session twice": t1(DATA + f"&session_id={SESSION}"),
    "T1 without a signature": t1(DATA, sig="0"),
    "T1 signed with SHA-256": t1(DATA, sig=hmac.new(SECRET.encode(), DATA.encode(), "sha256").hexdigest()),
    "T1 with a signature beyond ASCII": t1(DATA, sig="é" * 40),
    "T1 with a key twice": t1(DATA, key=f"{OTHER_KEY}&partner_id={KEY}"),
    "T1 without a colon": "T1==" + base64.b64encode(b"partner_id=40012345&sig=00").decode(),
    "T1 that is no base64": "T1==???",
    "T1 of nothing": "T1==",
    "T1 that has expired": t1(f"session_id={SESSION}&create_time={NOW_S - 90_000}&role=publisher&nonce=1"),
    "T1 from the future": t1(f"session_id={SESSION}&create_time={NOW_S + 400}&role=publisher&nonce=1"),
    "T1 for too long": t1(f"session_id={SESSION}&create_time={NOW_S}&expire_time={NOW_S + 31 * 86_400}"),
    "T1 without a beginning": t1(f"session_id={SESSION}&role=publisher"),
    "T1 without a session": t1(f"create_time={NOW_S}&role=publisher"),
    "T1 with a role that nobody has": t1(DATA.replace("publisher", "king")),
    "T1 with very many fields": t1(DATA + "&a=1" * 100),
    "T1 that is huge": t1(DATA + "&x=" + "y" * 20_000),
}


@pytest.mark.parametrize("kind", CLIENTS)
def test_no_forged_token_opens_a_session(kind: str) -> None:
    with pytest.raises(AuthenticationError):
        verify_client_token(CLIENTS[kind], find, NOW)


RESTS = {
    "nothing": None,
    "a client's token": client(),
    "a client's token with a short life": rest(session_id=SESSION),
    "a client's purpose": rest(scope="session.connect"),
    "a T1 token": t1(DATA),
    "a life of an hour": rest(exp=NOW_S + 3600),
    "no end": rest(exp=None),
    "a kind in the header that nobody knows": signed({**HEADER, "ist": "king"}, {**REST, "ist": None}),
}


@pytest.mark.parametrize("kind", RESTS)
def test_no_forged_token_opens_the_rest_api(kind: str) -> None:
    with pytest.raises(AuthenticationError):
        verify_rest_token(RESTS[kind], find, NOW)


def test_what_they_are_forged_from_is_good() -> None:
    """Else every forgery would be refused for the wrong reason."""
    assert verify_client_token(GOOD, find, NOW).session_id == SESSION
    assert verify_client_token(t1(DATA), find, NOW).session_id == SESSION
    assert verify_rest_token(rest(), find, NOW).api_key == KEY
    assert verify_rest_token(rest({"jku": "https://evil.test/keys"}), find, NOW).api_key == KEY
