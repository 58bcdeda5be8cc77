"""The signalling messages against the contract and its golden messages."""

import json
from typing import Any

import msgspec
import pytest

from tertulia.domain import limits
from tertulia.domain.limits import SIGNAL_DATA_BYTES, SIGNAL_TYPE_BYTES, SessionLimits
from tertulia.domain.roles import Capability, Reason, Role
from tertulia.domain.stream import StreamProperty, VideoType
from tertulia.services import kept_replies
from tertulia.wire import codes, signalling
from tests.contract.conftest import examples, load
from tests.contract.shapes import of_notation, of_struct

CONTRACT = load("signalling.yaml")
TYPES = CONTRACT["types"]
EXAMPLES = list(examples("signalling"))

REQUESTS = {name: request["fields"] for name, request in CONTRACT["requests"].items()}
CLIENT = {**CONTRACT["opening"], **REQUESTS, **CONTRACT["unnumbered_client_messages"]}
SERVER = {**CONTRACT["answers"], **CONTRACT["notices"], **CONTRACT["events"]}


def shape(notation: Any) -> Any:
    return of_notation(notation, TYPES, {})


def test_there_are_exactly_the_messages_of_the_contract() -> None:
    assert set(signalling.CLIENT_MESSAGES) == set(CLIENT)
    assert set(signalling.SERVER_MESSAGES) == set(SERVER)


@pytest.mark.parametrize("name", CLIENT)
def test_client_messages_have_the_fields_of_the_contract(name: str) -> None:
    assert of_struct(signalling.CLIENT_MESSAGES[name]) == shape(CLIENT[name])


@pytest.mark.parametrize("name", SERVER)
def test_server_messages_have_the_fields_of_the_contract(name: str) -> None:
    expected = shape(SERVER[name])
    if name == "resumed":
        assert set(of_struct(signalling.Resumed)) == set(expected)
    assert of_struct(signalling.SERVER_MESSAGES[name]) == _with_rights(expected)


@pytest.mark.parametrize("name", REQUESTS)
def test_results_have_the_fields_of_the_contract(name: str) -> None:
    assert of_struct(signalling.RESULTS[name]) == shape(CONTRACT["requests"][name]["result"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_golden_messages_survive_both_ways(example: dict[str, Any]) -> None:
    text = json.dumps(example["frame"])
    if example["direction"] == "client":
        client = signalling.decode_client_frame(text)
        assert not isinstance(client.body, Exception), client.body
        again = signalling.client_frame(client.id, client.ack, client.body)
    else:
        server = signalling.decode_server_frame(text)
        again = signalling.server_frame(server.number, signalling.encode_body(server.body))
    assert json.loads(again) == example["frame"]


def test_every_message_and_every_reply_has_a_golden_message() -> None:
    sent = {example["frame"][-1]["type"] for example in EXAMPLES if example["direction"] == "client"}
    received = {example["frame"][-1]["type"] for example in EXAMPLES if example["direction"] == "server"}
    assert sent == set(CLIENT)
    assert received == set(SERVER)
    names = {example["name"] for example in EXAMPLES}
    assert {f"reply_{request}" for request in REQUESTS} <= names


@pytest.mark.parametrize("name", REQUESTS)
def test_golden_replies_decode_as_the_results_of_their_requests(name: str) -> None:
    (example,) = [example for example in EXAMPLES if example["name"] == f"reply_{name}"]
    reply = signalling.decode_server_frame(json.dumps(example["frame"])).body
    assert isinstance(reply, signalling.Reply)
    result = signalling.decode_result(name, reply)
    assert msgspec.to_builtins(result) == example["frame"][1]["result"]


def test_close_codes_are_those_of_the_contract() -> None:
    assert {int(code) for code in codes.CloseCode} == set(CONTRACT["close_codes"])


def test_limits_are_those_of_the_contract() -> None:
    defaults = SessionLimits()
    assert CONTRACT["limits"] == {
        "message_bytes": codes.MESSAGE_BYTES,
        "offer_message_bytes": codes.OFFER_MESSAGE_BYTES,
        "media_lines": codes.MEDIA_LINES,
        "signal_data_bytes": SIGNAL_DATA_BYTES,
        "signal_type_bytes": SIGNAL_TYPE_BYTES,
        "state_values_per_request": limits.STATE_VALUES_PER_REQUEST,
        "state_key_characters": limits.STATE_KEY_CHARACTERS,
        "state_value_characters": limits.STATE_VALUE_CHARACTERS,
        "state_keys": limits.STATE_KEYS,
        "state_bytes": limits.STATE_BYTES,
        "signals_per_second": codes.SIGNALS_PER_SECOND,
        "requests_per_second": codes.REQUESTS_PER_SECOND,
        "request_burst": codes.REQUEST_BURST,
        "refusals": codes.REFUSALS,
        "sender_stats_s": limits.SENDER_STATS_S,
        "json_values": codes.JSON_VALUES,
        "kept_replies": kept_replies.KEPT_REPLIES,
        "unanswered_requests": kept_replies.UNANSWERED_REQUESTS,
        "authentication_s": codes.AUTHENTICATION_S,
        "heartbeat_s": codes.HEARTBEAT_S,
        "reconnect_window_s": defaults.reconnect_window_s,
        "reconnect_grace_s": defaults.reconnect_grace_s,
        "media_idle_s": defaults.media_idle_s,
    }
    assert CONTRACT["path"] == codes.SIGNALLING_PATH


def test_the_domain_knows_the_words_of_the_contract() -> None:
    assert {role.value for role in Role} == shape("role")
    assert {reason.value for reason in Reason} == shape("reason")
    assert {kind.value for kind in VideoType} == shape("video_type")
    assert {right.value for right in Capability} == set(TYPES["capabilities"])
    changed = CONTRACT["events"]["streamPropertyChanged"]["property"]
    assert {each.value for each in StreamProperty} == {word.strip() for word in changed.split("|")}


def _with_rights(expected: Any) -> Any:
    """The contract writes rights as int and says in words that they are 1 or 0; our type says it itself."""
    if isinstance(expected, dict) and "capabilities" in expected:
        return {**expected, "capabilities": dict.fromkeys(expected["capabilities"], frozenset({0, 1}))}
    return expected
