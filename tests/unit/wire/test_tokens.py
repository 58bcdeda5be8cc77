"""Client tokens and REST tokens: the published vectors, the SDKs' differences, and everything that must be refused."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tertulia.clock import WallTime
from tertulia.domain.project import Project, ProjectStatus
from tertulia.domain.roles import Role
from tertulia.errors import AuthenticationError
from tertulia.ids import ApiKey
from tertulia.wire.tokens import encode_jwt, encode_t1, verify_client_token, verify_rest_token

KEY = "40012345"
SECRET = "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
SESSION = "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"
CREATED_S = 1_767_225_600
EXPIRES_S = 1_767_312_000
NOW = WallTime((CREATED_S + 60) * 1000)

T1_DATA = (
    f"session_id={SESSION}&create_time=1767225600&expire_time=1767312000&role=moderator&nonce=482913"
    "&initial_layout_class_list=focus+wide&connection_data=user%3D17%26name%3DIda"
)
T1_SIGNATURE = "76f252819a6c1346d386669ff57efcae9ec1049d"
REST_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJpc3MiOiI0MDAxMjM0NSIsImlzdCI6InByb2plY3QiLCJpYXQiOjE3NjcyMjU2MDAsImV4cCI6MTc2NzIyNTc4MCwianRpIjoiYTEifQ."
    "OFZmB-2hJqkOa0VIDN9X4vC4hLZI9iDYhBtxgNQVIew"
)
JWT_CLAIMS: dict[str, Any] = {
    "iss": KEY,
    "ist": "project",
    "iat": CREATED_S,
    "exp": EXPIRES_S,
    "nonce": 482913,
    "session_id": SESSION,
    "role": "moderator",
    "scope": "session.connect",
    "connection_data": "user=17&name=Ida",
    "initial_layout_class_list": "focus wide",
}
REST_CLAIMS: dict[str, Any] = {"iss": KEY, "ist": "project", "iat": CREATED_S, "exp": CREATED_S + 180}

PROJECTS = {
    KEY: Project(ApiKey(KEY), SECRET),
    "50000000": Project(ApiKey("50000000"), "1" + SECRET[1:]),
    "60000000": Project(ApiKey("60000000"), SECRET, status=ProjectStatus.SUSPENDED),
}


def t1(data: str | bytes = T1_DATA, *, key: str = KEY, signature: str | None = None, prefix: str = "T1==") -> str:
    raw = data.encode() if isinstance(data, str) else data
    signature = signature or hmac.new(SECRET.encode(), raw, hashlib.sha1).hexdigest()
    return prefix + base64.b64encode(f"partner_id={key}&sig={signature}:".encode() + raw).decode()


def t1_of(**fields: object) -> str:
    return t1(urlencode({"session_id": SESSION, "create_time": CREATED_S, **fields}))


def jws(claims: object, *, header: dict[str, Any] | None = None, secret: str = SECRET) -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{part(json.dumps(header or {'alg': 'HS256', 'typ': 'JWT'}).encode())}.{part(payload)}"
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def client_jwt(**changes: object) -> str:
    """The usual JWT with claims changed; a claim set to `...` is left out."""
    claims = {**JWT_CLAIMS, **changes}
    return jws({name: value for name, value in claims.items() if value is not ...})


def rest_jwt(**changes: object) -> str:
    claims = {**REST_CLAIMS, **changes}
    return jws({name: value for name, value in claims.items() if value is not ...})


def refused(token: str, now: WallTime = NOW) -> str:
    with pytest.raises(AuthenticationError) as error:
        verify_client_token(token, PROJECTS.get, now)
    return error.value.message


def test_the_published_t1_vector_is_read_whole() -> None:
    claims = verify_client_token(t1(signature=T1_SIGNATURE), PROJECTS.get, NOW)

    assert (claims.api_key, claims.session_id, claims.role) == (KEY, SESSION, Role.MODERATOR)
    assert claims.connection_data == "user=17&name=Ida"
    assert claims.layout_classes == ("focus", "wide")
    assert (claims.created_at_s, claims.expires_at_s) == (CREATED_S, EXPIRES_S)


def test_a_jwt_gives_the_same_claims_as_the_t1_token_with_the_same_content() -> None:
    old, new = (verify_client_token(token, PROJECTS.get, NOW) for token in (t1(), jws(JWT_CLAIMS)))

    assert old == new


def test_both_formats_survive_making_and_reading() -> None:
    for encode in (encode_t1, encode_jwt):
        token = encode(
            api_key=KEY,
            api_secret=SECRET,
            session_id=SESSION,
            role="subscriber",
            connection_data="name=Åsa & co",
            layout_classes=("focus", "wide"),
            created_at_s=CREATED_S,
            expires_at_s=EXPIRES_S,
        )
        claims = verify_client_token(token, PROJECTS.get, NOW)

        assert claims.role is Role.SUBSCRIBER
        assert claims.connection_data == "name=Åsa & co"
        assert claims.layout_classes == ("focus", "wide")
        assert (claims.created_at_s, claims.expires_at_s) == (CREATED_S, EXPIRES_S)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: "\n".join(text[at : at + 60] for at in range(0, len(text), 60)),
    ],
    ids=["no padding", "URL-safe alphabet", "wrapped lines"],
)
def test_a_t1_token_is_read_in_every_base64_that_sdks_write(rewrite: Any) -> None:
    # Three characters that need 62 and 63 in the alphabet.
    token = t1(f"session_id={SESSION}&create_time={CREATED_S}&role=publisher&connection_data=>>>???~~~".encode())

    claims = verify_client_token("T1==" + rewrite(token.removeprefix("T1==")), PROJECTS.get, NOW)

    assert claims.connection_data == ">>>???~~~"


def test_the_order_of_fields_and_unescaped_spaces_do_not_matter() -> None:
    data = (
        f"create_time={CREATED_S}&expire_time={EXPIRES_S}&nonce=-7&role=moderator&scope=session.connect"
        f"&initial_layout_class_list=focus wide&connection_data=a%20b&session_id={SESSION}"
    )
    claims = verify_client_token(t1(data), PROJECTS.get, NOW)

    assert (claims.connection_data, claims.layout_classes) == ("a b", ("focus", "wide"))


@pytest.mark.parametrize(
    "token",
    [t1_of(), t1_of(expire_time=""), client_jwt(exp=...), client_jwt(exp=None)],
    ids=["T1", "T1, empty", "JWT", "JWT, null"],
)
def test_a_missing_expiry_is_24_hours_after_creation(token: str) -> None:
    assert verify_client_token(token, PROJECTS.get, NOW).expires_at_s == CREATED_S + 86_400
    assert "expired" in refused(token, WallTime((CREATED_S + 86_400) * 1000))


def test_a_missing_role_is_publisher() -> None:
    for token in (t1_of(), t1_of(role=""), client_jwt(role=...), client_jwt(role=None)):
        assert verify_client_token(token, PROJECTS.get, NOW).role is Role.PUBLISHER


def test_a_numeric_issuer_is_an_api_key() -> None:
    assert verify_client_token(client_jwt(iss=int(KEY)), PROJECTS.get, NOW).api_key == KEY


def test_the_spellings_of_several_sdks_are_understood() -> None:
    php = client_jwt(data=None, expireTime=None, initial_layout_class_list="focus+wide%20tall")
    node = client_jwt(iat=..., create_time=CREATED_S, exp=..., expire_time=EXPIRES_S)
    dotnet = client_jwt(initial_layout_class_list=..., initial_layout_list="focus")

    assert verify_client_token(php, PROJECTS.get, NOW).layout_classes == ("focus", "wide", "tall")
    assert verify_client_token(node, PROJECTS.get, NOW).expires_at_s == EXPIRES_S
    assert verify_client_token(dotnet, PROJECTS.get, NOW).layout_classes == ("focus",)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "empty"),
        ("hello", "malformed"),
        ("T1==", "malformed"),
        ("T1==!!!!", "not base64"),
        (t1(T1_DATA.replace("moderator", "admin")), "role"),
        (t1(signature="0" * 40), "forged"),
        (t1(signature=T1_SIGNATURE.upper()), "forged"),
        (t1(signature="ü" * 40), "forged"),
        (t1(key="50000000"), "forged"),
        (t1(key="70000000"), "unknown"),
        (t1(key="60000000"), "suspended"),
        (t1(key=""), "API key is empty"),
        (t1_of(session_id=""), "session_id is empty"),
        (t1_of(create_time=""), "when it was made"),
        (t1_of(create_time="inf"), "create_time"),
        (t1_of(create_time="1_767_225_600"), "create_time"),
        (t1_of(create_time=CREATED_S + 361), "future"),
        (t1_of(expire_time=CREATED_S + 59), "expired"),
        (t1_of(expire_time=CREATED_S + 30 * 86_400 + 1), "30 days"),
        (t1_of(scope="project.admin"), "scope"),
        (t1_of(connection_data="x" * 1001), "connection_data"),
        (t1_of(initial_layout_class_list="x " * 501), "initial_layout_class_list"),
        (t1(T1_DATA + "&role=publisher"), "twice"),
        (t1(b"session_id=\xff"), "fields"),
        (t1("&".join(f"f{n}=" for n in range(65))), "fields"),
        ("T1==" + "A" * 20_000, "longer"),
        (jws(JWT_CLAIMS, secret="1" + SECRET[1:]), "forged"),
        (jws(JWT_CLAIMS, header={"alg": "none"}), "HS256"),
        (jws(JWT_CLAIMS, header={"alg": "HS512"}), "HS256"),
        (jws(JWT_CLAIMS, header={"alg": "HS256", "crit": ["x"], "x": 1}), "extension"),
        (jws([1]), "object"),
        (jws(b"[" * 5000), "JSON"),
        (jws(b'{"iss":NaN}'), "JSON"),
        (jws(JWT_CLAIMS).rpartition(".")[0] + ".", "forged"),
        (client_jwt(iss="70000000"), "unknown"),
        (client_jwt(iss=True), "iss"),
        (client_jwt(iss=1.5), "iss"),
        (client_jwt(iss=...), "API key is empty"),
        (client_jwt(ist="account"), "ist"),
        (client_jwt(session_id=...), "session_id is empty"),
        (client_jwt(session_id=["a"]), "session_id"),
        (client_jwt(iat=...), "when it was made"),
        (client_jwt(iat=True), "create_time"),
        (client_jwt(exp=CREATED_S), "expired"),
        (client_jwt(exp=10**18), "expire_time"),
        (client_jwt(role="admin"), "role"),
        (client_jwt(scope="video"), "scope"),
        (client_jwt(initial_layout_class_list=["focus"]), "initial_layout_class_list"),
        (REST_TOKEN, "session_id is empty"),
    ],
)
def test_a_bad_token_is_refused_and_the_reason_said(token: str, words: str) -> None:
    assert words in refused(token)


def test_times_are_judged_to_the_second() -> None:
    last = WallTime(EXPIRES_S * 1000 - 1)
    assert verify_client_token(t1(), PROJECTS.get, last).expires_at_s == EXPIRES_S
    assert "expired" in refused(t1(), WallTime(EXPIRES_S * 1000))
    assert verify_client_token(t1_of(create_time=CREATED_S + 360), PROJECTS.get, NOW).created_at_s == CREATED_S + 360


def test_a_refusal_never_repeats_the_token() -> None:
    for token in (t1(signature="0" * 40), client_jwt(role="admin"), "hello-there"):
        assert token not in refused(token)
        assert SESSION not in refused(token)


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: "T1==" + base64.b64encode(raw).decode()))
def test_no_text_passes_by_chance_and_none_fails_in_another_way(token: str) -> None:
    refused(token)


@given(st.integers(min_value=0, max_value=len(jws(JWT_CLAIMS)) - 1), st.sampled_from("AQgw_-.=\n\x00é"))
def test_a_jwt_with_one_character_changed_is_refused(at: int, character: str) -> None:
    token = jws(JWT_CLAIMS)
    changed = token[:at] + character + token[at + 1 :]
    assume(changed != token)
    # The last character of each part holds unused bits: another spelling of the same bytes is refused as well.
    refused(changed)


@pytest.mark.parametrize("rewrite", [lambda part: part + "=", lambda part: part.replace("_", "/").replace("-", "+")])
def test_a_jwt_is_read_in_the_one_base64_that_is_lawful(rewrite: Any) -> None:
    header, claims, signature = REST_TOKEN.split(".")
    verify_rest_token(REST_TOKEN, PROJECTS.get, NOW)
    with pytest.raises(AuthenticationError, match="base64"):
        verify_rest_token(f"{header}.{claims}.{rewrite(signature)}", PROJECTS.get, NOW)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_a_signed_claim_of_any_type_never_raises_anything_else(value: Any) -> None:
    for name in JWT_CLAIMS:
        with contextlib.suppress(AuthenticationError):
            verify_client_token(client_jwt(**{name: value}), PROJECTS.get, NOW)


def test_the_published_rest_vector_is_accepted() -> None:
    claims = verify_rest_token(REST_TOKEN, PROJECTS.get, NOW)

    assert claims.api_key == KEY
    assert not claims.is_account


def test_ruby_puts_the_kind_into_the_header() -> None:
    ruby = jws({**REST_CLAIMS, "ist": None}, header={"ist": "account", "alg": "HS256"})
    silent = jws({**REST_CLAIMS, "ist": None}, header={"alg": "HS256"})

    assert verify_rest_token(ruby, PROJECTS.get, NOW).is_account
    assert not verify_rest_token(silent, PROJECTS.get, NOW).is_account


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (None, "No suitable authentication found"),
        ("", "No suitable authentication found"),
        ("abc", "malformed"),
        (t1(), "malformed"),
        (rest_jwt(iss="70000000"), "Issuer not found"),
        (rest_jwt(iss="60000000"), "suspended"),
        (jws(REST_CLAIMS, secret="1" + SECRET[1:]), "forged"),
        (jws(REST_CLAIMS, header={"alg": "RS256"}), "HS256"),
        (rest_jwt(exp=...), "exp"),
        (rest_jwt(iat=CREATED_S + 121), "future"),
        (rest_jwt(iat=CREATED_S - 300, exp=CREATED_S - 1), "expired"),
        (rest_jwt(exp=CREATED_S + 361), "lives longer"),
        (rest_jwt(ist="application"), "ist"),
        (rest_jwt(session_id=SESSION), "client token"),
        (rest_jwt(scope="session.connect"), "client token"),
    ],
)
def test_a_bad_rest_token_is_refused_and_the_reason_said(token: str | None, words: str) -> None:
    with pytest.raises(AuthenticationError, match=words):
        verify_rest_token(token, PROJECTS.get, NOW)


def test_a_minute_of_clock_difference_is_forgiven_to_rest_tokens() -> None:
    early = rest_jwt(iat=CREATED_S + 120, exp=CREATED_S + 300)
    late = rest_jwt(iat=CREATED_S - 180, exp=CREATED_S)
    long = rest_jwt(exp=CREATED_S + 360)

    for token in (early, late, long):
        assert verify_rest_token(token, PROJECTS.get, NOW).api_key == KEY


def test_both_spellings_of_one_token_have_the_same_digest_and_no_two_tokens_do() -> None:
    """Who counts how often a token was used must not be fooled by padding, alphabet or a line break."""
    token = t1()
    urlsafe = token[4:].rstrip("=").replace("+", "-").replace("/", "_")
    respelt = f"T1=={urlsafe[:40]}\n{urlsafe[40:]}"
    first = verify_client_token(token, PROJECTS.get, NOW).digest
    assert verify_client_token(respelt, PROJECTS.get, NOW).digest == first
    assert verify_client_token(t1_of(nonce=5), PROJECTS.get, NOW).digest != first
    assert verify_client_token(client_jwt(), PROJECTS.get, NOW).digest != first


def test_a_server_may_find_tokens_too_old_whatever_their_maker_said() -> None:
    for token in (t1(), client_jwt()):
        assert verify_client_token(token, PROJECTS.get, NOW, max_age_s=3600).expires_at_s == CREATED_S + 3600
        later = WallTime(NOW + 3_600_000)
        assert verify_client_token(token, PROJECTS.get, later).expires_at_s > CREATED_S + 3600
        with pytest.raises(AuthenticationError, match="older than this server allows"):
            verify_client_token(token, PROJECTS.get, later, max_age_s=3600)
