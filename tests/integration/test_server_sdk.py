"""The official Python server SDK, unmodified, with nothing but its API address changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import opentok
import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.servers import TertuliaServer

DEADLINE_S = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("sdk")) as running:
        yield running


@pytest.fixture
def sdk(server: TertuliaServer) -> Any:
    return opentok.Client(server.api_key, server.api_secret, api_url=server.url)


@contextmanager
def client(server: TertuliaServer, token: str) -> Iterator[tuple[Connection, dict[str, Any]]]:
    """A connection made with `token`, and what it was told on joining."""
    with connect(server.url.replace("http", "ws", 1) + "/signalling", compression=None) as socket:
        socket.send(json.dumps([0, 0, {"type": "join", "token": token}]))
        yield socket, json.loads(socket.recv(DEADLINE_S))[1]


def next_of(socket: Connection, type: str) -> dict[str, Any]:
    while True:
        body: dict[str, Any] = json.loads(socket.recv(DEADLINE_S))[1]
        if body["type"] == type:
            return body


def test_a_session_is_relayed_unless_it_is_asked_to_be_routed(sdk: Any) -> None:
    relayed = sdk.create_session()
    routed = sdk.create_session(media_mode=opentok.MediaModes.routed, location="12.34.56.78")

    assert relayed.session_id.startswith("1_")
    assert routed.session_id.startswith("2_")


def test_an_archived_session_needs_to_be_routed(sdk: Any) -> None:
    sdk.create_session(media_mode=opentok.MediaModes.routed, archive_mode=opentok.ArchiveModes.always)
    with pytest.raises(opentok.OpenTokException):
        sdk.create_session(media_mode=opentok.MediaModes.relayed, archive_mode=opentok.ArchiveModes.always)


@pytest.mark.parametrize("use_jwt", [True, False], ids=["JWT", "T1"])
@pytest.mark.parametrize("role", list(opentok.Roles), ids=lambda role: role.value)
def test_its_tokens_open_the_session(server: TertuliaServer, sdk: Any, role: Any, use_jwt: bool) -> None:
    session_id = sdk.create_session().session_id
    token = sdk.generate_token(
        session_id, role=role, data="name=Ida & co", initial_layout_class_list=["focus", "wide"], use_jwt=use_jwt
    )

    with client(server, token) as (_, joined):
        assert joined["type"] == "joined"
        assert joined["role"] == role.value
        assert joined["connection"]["data"] == "name=Ida & co"


def test_a_signal_reaches_one_or_everybody(server: TertuliaServer, sdk: Any) -> None:
    session_id = sdk.create_session().session_id
    token = sdk.generate_token(session_id)
    with client(server, token) as (ann, joined), client(server, token) as (bob, _):
        sdk.send_signal(session_id, {"type": "chat", "data": "to Ann"}, joined["connection"]["id"])
        sdk.send_signal(session_id, {"type": "chat", "data": "to all"})

        heard: dict[str, list[str]] = {name: [] for name in ("ann", "bob")}
        for name, socket in (("ann", ann), ("bob", bob)):
            while not heard[name] or heard[name][-1] != "to all":
                heard[name].append(next_of(socket, "signal")["data"])
        assert heard == {"ann": ["to Ann", "to all"], "bob": ["to all"]}


def test_a_connection_is_ended_by_force(server: TertuliaServer, sdk: Any) -> None:
    session_id = sdk.create_session().session_id
    with client(server, sdk.generate_token(session_id)) as (socket, joined):
        sdk.force_disconnect(session_id, joined["connection"]["id"])

        assert next_of(socket, "disconnected")["reason"] == "forceDisconnected"
        with pytest.raises(opentok.ForceDisconnectError):
            sdk.force_disconnect(session_id, joined["connection"]["id"])


def test_a_wrong_secret_opens_nothing(server: TertuliaServer) -> None:
    stranger = opentok.Client(server.api_key, "0" * 40, api_url=server.url)

    with pytest.raises(opentok.OpenTokException):
        stranger.create_session()


def test_streams_muting_and_tones_are_where_the_sdk_looks_for_them(sdk: Any) -> None:
    session_id = sdk.create_session().session_id

    assert sdk.list_streams(session_id).count == 0
    with pytest.raises(opentok.exceptions.GetStreamError):
        sdk.get_stream(session_id, "nobody")
    assert sdk.mute_all(session_id, ["nobody"]).status_code == 200
    assert sdk.mute_all(session_id, None).status_code == 200
    assert sdk.disable_force_mute(session_id).status_code == 200
    with pytest.raises(opentok.OpenTokException):
        sdk.mute_stream(session_id, "nobody")


def test_what_the_server_does_not_have_reaches_the_sdk_as_a_refusal(sdk: Any) -> None:
    session_id = sdk.create_session(media_mode=opentok.MediaModes.routed).session_id
    token = sdk.generate_token(session_id, role=opentok.Roles.moderator)
    calls: list[Callable[[], Any]] = [
        lambda: sdk.dial(session_id, token, "sip:ida@example.net"),
        lambda: sdk.start_captions(session_id, token),
        lambda: sdk.stop_captions("c"),
        lambda: sdk.connect_audio_to_websocket(session_id, token, {"uri": "wss://asr.example.net/in"}),
        lambda: sdk.start_render(session_id, token, "https://app.example.org/stage"),
        lambda: sdk.get_render("r"),
        lambda: sdk.stop_render("r"),
        lambda: sdk.list_renders(),
    ]
    for call in calls:
        with pytest.raises(opentok.exceptions.AuthError):
            call()
