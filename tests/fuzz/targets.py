"""What is fuzzed, and what must hold whatever comes."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tertulia.clock import WallTime
from tertulia.domain.project import Project
from tertulia.domain.roles import Role
from tertulia.errors import AuthenticationError, TertuliaError, UnexpectedAnswerError
from tertulia.ids import ApiKey
from tertulia.wire import router, signalling
from tertulia.wire.tokens import verify_client_token, verify_rest_token
from tests.fuzz.fuzzing import Target

__all__ = ["TARGETS"]

EXAMPLES = Path(__file__).resolve().parents[2] / "contract" / "examples"
KEY, SECRET, SESSION = "40012345", "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68", "1_MX40MDAxMjM0NX5-a"
NOW = WallTime(1_767_225_660_000)
PROJECTS = {KEY: Project(ApiKey(KEY), SECRET)}.get


def examples(folder: str, field: str) -> list[object]:
    paths = sorted((EXAMPLES / folder).glob("*.json"))
    read = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    return [example[field] for example in read if field in example]


# ---- signalling


def signalling_seeds() -> Sequence[bytes]:
    return [json.dumps(frame, ensure_ascii=False).encode() for frame in examples("signalling", "frame")]


def check_signalling(data: bytes) -> None:
    """A client's frame is read, or refused as a whole or in its body; what was read can be written and read again."""
    text = data.decode("utf-8", errors="surrogateescape")
    try:
        frame = signalling.decode_client_frame(text)
    except TertuliaError:
        return
    assert frame.id >= 0
    assert frame.ack >= 0
    if not isinstance(frame.body, TertuliaError):
        assert len(data) <= 262_144
        again = msgspec.json.encode((frame.id, frame.ack, frame.body)).decode()
        assert signalling.decode_client_frame(again) == frame


# ---- tokens


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def signed_t1(data: bytes) -> bytes:
    signature = hmac.new(SECRET.encode(), data, hashlib.sha1).hexdigest()
    return b"T1==" + base64.b64encode(f"partner_id={KEY}&sig={signature}:".encode() + data)


def signed_jwt(claims: bytes) -> bytes:
    head = base64url(b'{"alg":"HS256","typ":"JWT"}') + b"." + base64url(claims)
    return head + b"." + base64url(hmac.new(SECRET.encode(), head, hashlib.sha256).digest())


def t1_data() -> bytes:
    return (
        f"session_id={SESSION}&create_time=1767225600&expire_time=1767312000&role=moderator&nonce=48"
        "&initial_layout_class_list=focus+wide&connection_data=user%3D17"
    ).encode()


def claims() -> bytes:
    return json.dumps(
        {
            "iss": KEY, "ist": "project", "iat": 1_767_225_600, "exp": 1_767_312_000, "nonce": 4, "session_id": SESSION,
            "role": "publisher", "scope": "session.connect", "connection_data": "x", "initial_layout_class_list": "a b",
        }
    ).encode()  # fmt: skip


def token_seeds() -> Sequence[bytes]:
    rest = json.dumps({"iss": KEY, "ist": "project", "iat": 1_767_225_600, "exp": 1_767_225_780}).encode()
    return [t1_data(), claims(), rest, signed_t1(t1_data()), signed_jwt(claims()), signed_jwt(rest)]


def check_tokens(data: bytes) -> None:
    """Whatever is signed or not is either refused or has claims in range; without the secret it is refused."""
    for token in (data, signed_t1(data), signed_jwt(data)):
        text = token.decode("utf-8", errors="replace")
        with contextlib.suppress(AuthenticationError):
            verified = verify_client_token(text, PROJECTS, NOW)
            assert verified.api_key == KEY
            assert isinstance(verified.role, Role)
            assert verified.expires_at_s * 1000 >= NOW
            assert len(verified.connection_data) <= 1000
        with contextlib.suppress(AuthenticationError):
            assert verify_rest_token(text, PROJECTS, NOW).api_key == KEY


# ---- router link


def link_seeds() -> Sequence[bytes]:
    return [msgspec.msgpack.encode(message) for message in examples("router-link", "message")]


def check_link(data: bytes) -> None:
    """What a router says is read or refused, and what was read can be written and read again."""
    with contextlib.suppress(UnexpectedAnswerError):
        router.decode_request(data)
    with contextlib.suppress(UnexpectedAnswerError):
        router.frame_length(data[:4])
    try:
        message = router.decode_from_router(data)
    except UnexpectedAnswerError:
        return
    if isinstance(message, router.Batch):
        assert router.decode_from_router(router.encode_frame(message)[4:]) == message
        return
    for request in requests():
        with contextlib.suppress(UnexpectedAnswerError):
            router.decode_reply(request, message)


@functools.cache
def requests() -> tuple[router.Request, ...]:
    """One of every kind."""
    found: dict[type, router.Request] = {}
    for seed in link_seeds():
        with contextlib.suppress(UnexpectedAnswerError):
            request = router.decode_request(seed)
            found[type(request)] = request
    assert found.keys() == router.REPLIES.keys()
    return tuple(found.values())


TARGETS = (
    Target("signalling", signalling_seeds, check_signalling),
    Target("tokens", token_seeds, check_tokens),
    Target("control-link", link_seeds, check_link),
)
