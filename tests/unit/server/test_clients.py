"""`Client` and `AsyncClient`: what they send and what they make of answers."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import opentok
import pytest

import tertulia
from tertulia.clock import SystemClock
from tertulia.domain.project import Project
from tertulia.ids import ApiKey
from tertulia.server import (
    ApiError,
    ArchiveModes,
    AsyncClient,
    Client,
    ConnectFailedError,
    InvalidParameterError,
    InvalidSessionIdError,
    MediaModes,
    RequestTimeoutError,
    Roles,
)
from tertulia.wire.tokens import verify_client_token, verify_rest_token
from tests.unit.server.conftest import API_KEY, API_SECRET, SESSION_ID, Caller

PROJECT = Project(ApiKey(API_KEY), API_SECRET)


def made() -> httpx.Response:
    return httpx.Response(200, json=[{"session_id": SESSION_ID, "project_id": API_KEY}])


def find_project(api_key: str) -> Project | None:
    return PROJECT if api_key == API_KEY else None


async def test_every_request_is_signed_and_says_who_asks(call: Caller) -> None:
    await call("signal", SESSION_ID, {})
    headers = call.sent.headers

    assert verify_rest_token(headers["X-OPENTOK-AUTH"], find_project, SystemClock().wall()).api_key == API_KEY
    assert headers["user-agent"] == f"tertulia/{tertulia.__version__} app/1"


async def test_a_session_is_made_as_asked(call: Caller) -> None:
    call.answers(made())
    session = await call("create_session", "12.34.56.78", MediaModes.routed, ArchiveModes.always, "nightly", "1280x720")

    assert (call.sent.method, str(call.sent.url)) == ("POST", "http://api.test/session/create")
    assert parse_qs(call.sent.content.decode()) == {
        "p2p.preference": ["disabled"],
        "archiveMode": ["always"],
        "e2ee": ["false"],
        "location": ["12.34.56.78"],
        "archiveName": ["nightly"],
        "archiveResolution": ["1280x720"],
    }
    assert (session.session_id, session.media_mode, session.location) == (SESSION_ID, "disabled", "12.34.56.78")


async def test_a_session_is_relayed_by_default_as_with_the_official_sdk(call: Caller) -> None:
    call.answers(made())
    session = await call("create_session")

    assert session.media_mode is MediaModes.relayed
    assert parse_qs(call.sent.content.decode())["p2p.preference"] == ["enabled"]


@pytest.mark.parametrize("to", [None, "b7d0a3c2"])
async def test_a_signal_goes_to_one_or_to_all(call: Caller, to: str | None) -> None:
    await call("signal", SESSION_ID, {"type": "chat", "data": "hello"}, to)

    middle = "" if to is None else "/connection/b7d0a3c2"
    assert call.sent.url.path == f"/v2/project/{API_KEY}/session/{SESSION_ID}{middle}/signal"
    assert call.sent.content == b'{"type":"chat","data":"hello"}'


async def test_an_id_cannot_lead_to_another_address(call: Caller) -> None:
    await call("force_disconnect", SESSION_ID, "a/../../b?c")

    assert call.sent.method == "DELETE"
    assert call.sent.url.raw_path.decode().endswith("/connection/a%2F..%2F..%2Fb%3Fc")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("force_disconnect", (SESSION_ID, "")),
        ("force_disconnect", (SESSION_ID, "..")),
        ("force_disconnect", (SESSION_ID, 5)),
        ("force_disconnect", ("nonsense", "a")),
        ("force_disconnect", (None, "a")),
        ("signal", (SESSION_ID, {"type": 5})),
        ("create_session", (None, "sometimes")),
    ],
)
async def test_what_cannot_be_right_is_not_even_sent(call: Caller, method: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidParameterError):
        await call(method, *arguments)
    assert call.script.requests == []


async def test_a_call_that_does_nothing_twice_is_sent_again(call: Caller) -> None:
    call.answers(httpx.ReadTimeout("late"), httpx.Response(503, json={"message": "away"}), made())

    assert (await call("create_session")).session_id == SESSION_ID
    assert len(call.script.requests) == 3


async def test_a_signal_is_not_sent_again_when_nobody_knows_what_became_of_it(call: Caller) -> None:
    call.answers(httpx.ReadTimeout("late"))
    with pytest.raises(RequestTimeoutError):
        await call("signal", SESSION_ID, {})
    assert len(call.script.requests) == 1


async def test_a_signal_that_never_left_is_sent_again(call: Caller) -> None:
    call.answers(httpx.ConnectError("refused"))
    await call("signal", SESSION_ID, {})
    assert len(call.script.requests) == 2


async def test_a_redirection_is_not_followed(call: Caller) -> None:
    call.answers(httpx.Response(302, headers={"Location": "http://elsewhere.test/"}))
    with pytest.raises(ApiError):
        await call("signal", SESSION_ID, {})
    assert len(call.script.requests) == 1


async def test_a_closed_client_says_so(call: Caller) -> None:
    await call("close")
    with pytest.raises(ConnectFailedError, match="closed"):
        await call("signal", SESSION_ID, {})


@pytest.mark.parametrize("use_jwt", [True, False], ids=["JWT", "T1"])
@pytest.mark.parametrize("role", list(Roles))
def test_tokens_of_both_formats_say_what_was_asked(role: Roles, use_jwt: bool) -> None:
    now_s = SystemClock().wall() // 1000
    with Client(API_KEY, API_SECRET) as client:
        token = client.generate_token(SESSION_ID, role, now_s + 60, "name=Ida & co", ["focus", "wide"], use_jwt)
    claims = verify_client_token(token, find_project, SystemClock().wall())

    assert token.startswith("T1==") is not use_jwt
    assert (claims.session_id, claims.role, claims.connection_data) == (SESSION_ID, role.value, "name=Ida & co")
    assert (claims.layout_classes, claims.expires_at_s) == (("focus", "wide"), now_s + 60)


@pytest.mark.parametrize(
    "arguments",
    [
        {"role": "king"},
        {"expire_time": 1},
        {"expire_time": float("nan")},
        {"expire_time": "soon"},
        {"expire_time": True},
        {"expire_time": datetime.now(UTC).replace(tzinfo=None)},
        {"expire_time": datetime.now(UTC) + timedelta(days=31)},
        {"data": "x" * 1001},
        {"initial_layout_class_list": "focus"},
        {"initial_layout_class_list": ["x" * 600, "y" * 600]},
    ],
    ids=str,
)
def test_a_token_that_no_server_would_take_is_not_made(arguments: dict[str, Any]) -> None:
    with Client(API_KEY, API_SECRET) as client, pytest.raises(InvalidParameterError):
        client.generate_token(SESSION_ID, **arguments)


def test_a_text_that_is_no_session_id_gets_no_token() -> None:
    with Client(API_KEY, API_SECRET) as client, pytest.raises(InvalidSessionIdError):
        client.generate_token("nonsense")


@pytest.mark.parametrize(
    "arguments", [("", API_SECRET), ("key", API_SECRET), (API_KEY, ""), (API_KEY, API_SECRET, "x")]
)
def test_a_client_that_cannot_work_is_not_made(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidParameterError):
        Client(*arguments)


def test_the_secret_is_not_shown() -> None:
    with Client(API_KEY, API_SECRET) as client:
        assert API_SECRET not in repr(vars(client))


def methods(kind: type) -> set[str]:
    return {name for name, value in inspect.getmembers(kind, callable) if not name.startswith("_")}


def test_both_clients_have_the_same_methods() -> None:
    assert methods(Client) == methods(AsyncClient)


def test_methods_and_arguments_are_named_as_in_the_official_sdk() -> None:
    official = inspect.getmembers(opentok.Client, inspect.isfunction)
    shared = {name: function for name, function in official if name in methods(Client)}

    assert {"create_session", "generate_token", "signal", "send_signal", "force_disconnect"} <= set(shared)
    for name, function in shared.items():
        theirs = list(inspect.signature(function).parameters)
        ours = list(inspect.signature(getattr(Client, name)).parameters)
        assert ours[: len(theirs)] == theirs, name
