"""Frames of the router link: what is taken, and what bad ones get."""

import msgspec
import pytest

from tertulia.errors import UnexpectedAnswerError
from tertulia.wire import router


def packed(message: object) -> bytes:
    return msgspec.msgpack.encode(message)


@pytest.mark.parametrize("header", [b"\0\0\0\0", (router.MAX_FRAME_BYTES + 1).to_bytes(4, "big"), b"\xff\xff\xff\xff"])
def test_a_frame_has_a_lawful_length(header: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        router.frame_length(header)


def test_a_message_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        router.encode_frame(router.Renegotiate(1, 2, "x" * router.MAX_FRAME_BYTES, []))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", packed([]), packed({"type": "hello"}), packed({"type": "reply"}), packed({"type": "events"})],
)
def test_what_is_neither_reply_nor_events_is_an_error(payload: bytes) -> None:
    with pytest.raises(UnexpectedAnswerError):
        router.decode_from_router(payload)


def test_events_of_a_newer_router_are_left_out() -> None:
    batch = {
        "type": "events",
        "dropped": 0,
        "events": [{"type": "weather"}, {"type": "audio_levels", "transport": 1, "levels": []}],
    }
    assert router.decode_from_router(packed(batch)) == router.Batch([router.AudioLevels(1, [])], 0)


def test_a_malformed_event_of_a_known_type_is_an_error() -> None:
    with pytest.raises(UnexpectedAnswerError):
        router.decode_from_router(packed({"type": "events", "dropped": 0, "events": [{"type": "audio_levels"}]}))


def test_a_reply_that_fits_another_request_is_an_error() -> None:
    reply = router.decode_from_router(packed({"type": "reply", "id": 1, "result": {}}))
    assert isinstance(reply, router.Reply)
    assert router.decode_reply(router.Unbind(1, 2, 0, 1), reply) == router.Empty()
    with pytest.raises(UnexpectedAnswerError):
        router.decode_reply(router.ListTransports(1), reply)


def test_an_unknown_request_is_an_error_to_a_router() -> None:
    with pytest.raises(UnexpectedAnswerError):
        router.decode_request(packed({"type": "dance", "id": 1}))
