"""The router link's messages against the contract and its golden messages."""

from typing import Any

import msgspec
import pytest

from tertulia.wire import router
from tests.contract.conftest import examples, load
from tests.contract.shapes import of_notation, of_struct

CONTRACT = load("router-link.yaml")
TYPES = {name: notation for name, notation in CONTRACT["types"].items() if name != "error"}
ALIASES = dict.fromkeys(("uint64", "uint32", "uint16", "int8"), "int") | {"float": "number"}
EXAMPLES = list(examples("router-link"))


def shape(notation: Any) -> Any:
    return of_notation(notation, TYPES, ALIASES)


def test_there_are_exactly_the_messages_of_the_contract() -> None:
    assert set(router.REQUESTS) == set(CONTRACT["requests"])
    assert set(router.EVENTS) == set(CONTRACT["events"])
    assert frozenset(CONTRACT["errors"]) == router.ERROR_CODES
    assert frozenset(CONTRACT["drop_causes"]) == router.DROP_CAUSES


def test_versions_and_sizes_are_those_of_the_contract() -> None:
    assert (CONTRACT["version"], CONTRACT["oldest_version"]) == (router.VERSION, router.OLDEST_VERSION)
    assert CONTRACT["max_frame_bytes"] == router.MAX_FRAME_BYTES


@pytest.mark.parametrize("name", CONTRACT["requests"])
def test_requests_and_replies_have_the_fields_of_the_contract(name: str) -> None:
    request = router.REQUESTS[name]
    assert of_struct(request) == {"id": "int", **shape(CONTRACT["requests"][name]["fields"])}
    assert of_struct(router.REPLIES[request]) == shape(CONTRACT["requests"][name]["reply"])


@pytest.mark.parametrize("name", CONTRACT["events"])
def test_events_have_the_fields_of_the_contract(name: str) -> None:
    assert of_struct(router.EVENTS[name]) == shape(CONTRACT["events"][name])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_golden_messages_survive_both_ways(example: dict[str, Any]) -> None:
    payload = bytes.fromhex(example["msgpack_hex"])
    message = example["message"]
    if message["type"] in ("reply", "events"):
        parsed: Any = router.decode_from_router(payload)
    else:
        parsed = router.decode_request(payload)
    frame = router.encode_frame(parsed)
    assert router.frame_length(frame[: router.LENGTH_BYTES]) == len(frame) - router.LENGTH_BYTES
    assert msgspec.msgpack.decode(frame[router.LENGTH_BYTES :]) == message


@pytest.mark.parametrize("name", CONTRACT["requests"])
def test_golden_replies_decode_as_what_their_requests_are_answered_with(name: str) -> None:
    asked = [each for each in EXAMPLES if each["name"].startswith("request_") and each["message"]["type"] == name]
    answered = [each for each in EXAMPLES if each["name"].startswith(f"reply_{name}")]
    assert asked, "every request has a golden message"
    assert answered, "every reply has a golden message"
    request = router.decode_request(bytes.fromhex(asked[0]["msgpack_hex"]))
    for example in answered:
        reply = router.decode_from_router(bytes.fromhex(example["msgpack_hex"]))
        assert isinstance(reply, router.Reply)
        assert msgspec.to_builtins(router.decode_reply(request, reply)) == example["message"]["result"]


def test_every_error_has_a_golden_message() -> None:
    codes = {each["message"]["error"]["code"] for each in EXAMPLES if each["name"].startswith("error_")}
    assert codes == set(router.ERROR_CODES)
