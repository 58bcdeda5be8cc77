"""Bad input from clients: the documented error, nothing created, and nobody else affected."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tertulia.wire.tokens import encode_jwt, encode_t1
from tests.servers import TertuliaServer, rest_token

DEADLINE_S = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("refusals")) as running:
        yield running


@pytest.fixture
def session_id(server: TertuliaServer) -> str:
    return server.create_session()


class Client:
    """A bare signalling socket."""

    opened: ClassVar[list[ClientConnection]] = []
    joined: dict[str, Any]

    def __init__(self, server: TertuliaServer) -> None:
        address = server.url.replace("http", "ws", 1) + "/signalling"
        self.socket: ClientConnection = connect(address, compression=None, max_size=None)
        self.opened.append(self.socket)
        self._id = 0

    def send(self, *frame: object) -> None:
        self.socket.send(json.dumps(frame))

    def receive(self) -> tuple[int, dict[str, Any]]:
        number, body = json.loads(self.socket.recv(timeout=DEADLINE_S))
        return number, body

    def join(self, token: str, **fields: object) -> dict[str, Any]:
        self.send(0, 0, {"type": "join", "token": token, **fields})
        self.joined = self.receive()[1]
        return self.joined

    def resume(self, other: Client, *, key: str | None = None) -> dict[str, Any]:
        """Asks for the connection that `other` joined with; after everything since then."""
        message = {
            "type": "resume",
            "connectionId": other.joined["connection"]["id"],
            "resumeKey": other.joined["resumeKey"] if key is None else key,
            "after": other.joined["number"],
        }
        self.send(0, 0, message)
        return self.receive()[1]

    def ask(self, type: str, **fields: object) -> dict[str, Any]:
        """Sends a request and returns its reply; events that come first are passed over."""
        self._id += 1
        self.send(self._id, 0, {"type": type, **fields})
        return self.reply_to(self._id)

    def reply_to(self, id: int) -> dict[str, Any]:
        while True:
            _, body = self.receive()
            if body["type"] == "reply" and body["id"] == id:
                return body

    def next_event(self) -> dict[str, Any]:
        while True:
            number, body = self.receive()
            if number:
                return body

    def closed_with(self) -> int:
        """The close code; fails if the server keeps the socket for longer than the deadline."""
        deadline = time.monotonic() + 2 * DEADLINE_S
        while True:
            try:
                self.socket.recv(timeout=max(0.0, deadline - time.monotonic()))
            except ConnectionClosed as ended:
                return ended.rcvd.code if ended.rcvd else 1006


@pytest.fixture(autouse=True)
def _sockets_are_closed() -> Iterator[None]:
    yield
    while Client.opened:
        Client.opened.pop().close()


@pytest.fixture
def witness(server: TertuliaServer, session_id: str) -> Iterator[Client]:
    """Somebody who is in the session already and must notice nothing but a later signal."""
    client = Client(server)
    assert client.join(server.token(session_id, "publisher"))["type"] == "joined"
    yield client
    assert "result" in client.ask("signal", signalType="still", data="here")


def refused(server: TertuliaServer, token: str, **fields: object) -> dict[str, Any]:
    client = Client(server)
    answer = client.join(token, **fields)
    assert answer["type"] == "refused"
    assert client.closed_with() == 4001
    error: dict[str, Any] = answer["error"]
    return error


def make(server: TertuliaServer, session_id: str, *, old: bool, **changes: Any) -> str:
    now = int(time.time())
    fields: dict[str, Any] = {
        "api_key": server.api_key,
        "api_secret": server.api_secret,
        "session_id": session_id,
        "role": "publisher",
        "connection_data": "",
        "created_at_s": now,
        "expires_at_s": now + 60,
    }
    return (encode_t1 if old else encode_jwt)(**{**fields, **changes})


FORMATS = pytest.mark.parametrize("old", [True, False], ids=["T1", "JWT"])


@FORMATS
@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"api_secret": "0" * 40}, "sign"),
        ({"created_at_s": 1_700_000_000, "expires_at_s": 1_700_000_060}, "expired"),
        ({"api_key": "99999999"}, "key"),
    ],
    ids=["forged", "expired", "unknown project"],
)
def test_a_bad_token_is_refused_in_words(
    server: TertuliaServer, session_id: str, witness: Client, old: bool, changes: dict[str, Any], word: str
) -> None:
    error = refused(server, make(server, session_id, old=old, **changes))
    assert (error["name"], error["code"]) == ("OT_AUTHENTICATION_ERROR", 1004)
    assert word in error["message"].lower()


@pytest.mark.parametrize(
    "token",
    ["", "nonsense", "T1==" + base64.b64encode(b"partner_id=1").decode(), "a.b.c", "T1==%%%", "ü" * 400],
    ids=["empty", "words", "half T1", "half JWT", "not base64", "not ASCII"],
)
def test_a_malformed_token_is_refused(server: TertuliaServer, session_id: str, witness: Client, token: str) -> None:
    assert refused(server, token)["name"] == "OT_AUTHENTICATION_ERROR"


@FORMATS
def test_a_token_for_another_session_is_refused(
    server: TertuliaServer, session_id: str, witness: Client, old: bool
) -> None:
    error = refused(server, make(server, server.create_session(), old=old), sessionId=session_id)
    assert error["name"] == "OT_AUTHENTICATION_ERROR"
    assert "session" in error["message"]


@FORMATS
def test_a_token_for_a_session_that_does_not_exist_is_refused(
    server: TertuliaServer, session_id: str, witness: Client, old: bool
) -> None:
    unknown = session_id[:-6] + ("AAAAAA" if not session_id.endswith("AAAAAA") else "BBBBBB")
    assert refused(server, make(server, unknown, old=old))["name"] == "OT_INVALID_SESSION_ID"


def test_a_rest_token_opens_no_session(server: TertuliaServer, session_id: str, witness: Client) -> None:
    assert refused(server, rest_token(server.api_key, server.api_secret))["name"] == "OT_AUTHENTICATION_ERROR"


def test_the_refused_were_never_there(server: TertuliaServer, session_id: str) -> None:
    witness = Client(server)
    before = witness.join(server.token(session_id))
    refused(server, make(server, session_id, old=True, api_secret="1" * 40))
    late = Client(server)
    joined = late.join(server.token(session_id))
    assert len(joined["connections"]) == len(before["connections"]) + 1
    assert witness.next_event()["connection"]["id"] == joined["connection"]["id"]


@pytest.mark.parametrize(
    "frame",
    ["not json", "{}", "[]", "[1]", "[1,0,5]", '["1",0,{"type":"leave"}]', "[1,0,{}]", "[" * 5000],
    ids=["words", "object", "empty", "short", "no body", "id as text", "no type", "deep"],
)
def test_a_broken_envelope_closes_that_socket_alone(
    server: TertuliaServer, session_id: str, witness: Client, frame: str
) -> None:
    client = Client(server)
    client.join(server.token(session_id))
    client.socket.send(frame)
    assert client.closed_with() == 4000


def test_an_unknown_message_gets_a_typed_error(server: TertuliaServer, session_id: str, witness: Client) -> None:
    client = Client(server)
    client.join(server.token(session_id))
    assert client.ask("teleport")["error"]["code"] == 1011
    assert "result" in client.ask("signal", data="the connection lives on")


def test_a_malformed_request_gets_a_typed_error(server: TertuliaServer, session_id: str, witness: Client) -> None:
    client = Client(server)
    client.join(server.token(session_id))
    assert client.ask("subscribe", streamId=7, audio="yes", video=True)["error"]["code"] == 1011
    assert client.ask("subscribe", streamId="absent", audio=True, video=True)["error"]["name"] == "OT_STREAM_NOT_FOUND"


def test_a_message_that_is_too_large_is_refused_or_closes_the_socket(
    server: TertuliaServer, session_id: str, witness: Client
) -> None:
    client = Client(server)
    client.join(server.token(session_id))
    assert client.ask("signal", data="x" * 70_000)["error"]["name"] == "OT_INVALID_PARAMETER"
    assert "result" in client.ask("signal", data="the connection lives on")
    client.send(3, 0, {"type": "publish", "offer": "x" * 300_000})
    assert client.closed_with() == 1009


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"data": "x" * 8193}, 413),
        ({"signalType": "x" * 129}, 413),
        ({"signalType": "no spaces"}, 400),
        ({"to": "nobody"}, 404),
    ],
    ids=["data", "type too long", "type characters", "receiver"],
)
def test_a_bad_signal_is_refused(
    server: TertuliaServer, session_id: str, witness: Client, fields: dict[str, str], code: int
) -> None:
    client = Client(server)
    client.join(server.token(session_id))
    assert client.ask("signal", **fields)["error"]["code"] == code


@pytest.mark.parametrize(
    ("role", "request_type", "fields", "code"),
    [
        ("publisheronly", "signal", {"data": "x"}, 1510),
        ("publisheronly", "subscribe", {"streamId": "any", "audio": True, "video": True}, 1501),
        ("publisher", "forceDisconnect", {"connectionId": "any"}, 1520),
        ("publisher", "forceUnpublish", {"streamId": "any"}, 1530),
        (
            "subscriber",
            "publish",
            {"epoch": 1, "offer": "v=0", "slots": [], "name": "", "hasAudio": True, "hasVideo": False,
             "videoDimensions": {"width": 0, "height": 0}},
            1500,
        ),
    ],
    ids=["signal", "subscribe", "forceDisconnect", "forceUnpublish", "publish"],
)  # fmt: skip
def test_a_request_out_of_role_is_refused(
    server: TertuliaServer,
    session_id: str,
    witness: Client,
    role: str,
    request_type: str,
    fields: dict[str, Any],
    code: int,
) -> None:
    client = Client(server)
    client.join(server.token(session_id, role))
    error = client.ask(request_type, **fields)["error"]
    assert (error["name"], error["code"]) == ("OT_PERMISSION_DENIED", code)


def test_a_moderator_cannot_reach_into_another_session(
    server: TertuliaServer, session_id: str, witness: Client
) -> None:
    elsewhere = server.create_session()
    stranger = Client(server)
    theirs = stranger.join(server.token(elsewhere))["connection"]["id"]
    moderator = Client(server)
    moderator.join(server.token(session_id, "moderator"))
    assert moderator.ask("forceDisconnect", connectionId=theirs)["error"]["code"] == 404
    assert moderator.ask("signal", to=theirs, data="boo")["error"]["code"] == 404
    assert "result" in stranger.ask("signal", data="still here")


def test_an_offer_that_is_no_sdp_is_refused(server: TertuliaServer, session_id: str, witness: Client) -> None:
    client = Client(server)
    client.join(server.token(session_id))
    for offer in ("", "hello", "v=0\r\n" * 10, "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 129):
        error = client.ask("negotiate", epoch=1, offer=offer, slots=[])["error"]
        assert error["name"] in {"OT_INVALID_PARAMETER", "OT_SET_REMOTE_DESCRIPTION_FAILED"}, (offer[:40], error)
    assert "result" in client.ask("signal", data="alive")


def test_a_client_that_never_authenticates_is_closed_after_five_seconds(server: TertuliaServer) -> None:
    started = time.monotonic()
    assert Client(server).closed_with() == 4003
    assert 4 < time.monotonic() - started < 7


def test_a_kicked_client_cannot_resume_and_is_told_why(server: TertuliaServer, session_id: str) -> None:
    moderator, victim = Client(server), Client(server)
    moderator.join(server.token(session_id, "moderator"))
    joined = victim.join(server.token(session_id))
    moderator.ask("forceDisconnect", connectionId=joined["connection"]["id"])
    assert victim.closed_with() == 4005
    again = Client(server)
    assert again.resume(victim) == {"type": "disconnected", "reason": "forceDisconnected"}
    assert again.closed_with() == 4005


def test_a_forged_resume_key_opens_nothing(server: TertuliaServer, session_id: str, witness: Client) -> None:
    client = Client(server)
    joined = client.join(server.token(session_id))
    key = joined["resumeKey"]
    for forged in ("", "x", key[:-2] + ("AA" if not key.endswith("AA") else "BB"), key * 3):
        thief = Client(server)
        assert thief.resume(client, key=forged)["type"] == "refused"
    assert "result" in client.ask("signal", data="still mine")


def test_a_cut_socket_resumes_with_what_was_missed_exactly_once(server: TertuliaServer, session_id: str) -> None:
    sender, client = Client(server), Client(server)
    sender.join(server.token(session_id))
    client.join(server.token(session_id))
    client.socket.socket.close()
    for n in range(20):
        sender.ask("signal", signalType="count", data=str(n))
    again = Client(server)
    assert again.resume(client)["type"] == "resumed"
    seen: list[str] = []
    while len(seen) < 20:
        event = again.next_event()
        if event["type"] == "signal":
            seen.append(event["data"])
    assert seen == [str(n) for n in range(20)]


def test_a_repeated_request_id_has_one_effect(server: TertuliaServer, session_id: str) -> None:
    client, witness = Client(server), Client(server)
    client.join(server.token(session_id))
    witness.join(server.token(session_id))
    client.send(1, 0, {"type": "signal", "data": "once"})
    client.reply_to(1)
    client.socket.socket.close()
    again = Client(server)
    assert again.resume(client)["type"] == "resumed"
    again.send(1, 0, {"type": "signal", "data": "once"})
    again.send(2, 0, {"type": "signal", "data": "twice"})
    assert "result" in again.reply_to(1)
    heard: list[str] = []
    while "twice" not in heard:
        event = witness.next_event()
        if event["type"] == "signal":
            heard.append(event["data"])
    assert heard == ["once", "twice"]
