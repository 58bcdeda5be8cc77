"""Frames of the signalling wire: what is taken, and what bad ones get."""

import json

import pytest

from tertulia.errors import InvalidParameterError, MalformedFrameError, UnknownMessageError
from tertulia.wire import signalling
from tertulia.wire.codes import MEDIA_LINES, MESSAGE_BYTES


def frame(body: object, request_id: int = 1) -> str:
    return json.dumps([request_id, 0, body])


def negotiate(offer: str) -> str:
    return frame({"type": "negotiate", "epoch": 1, "offer": offer, "slots": []})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{}",
        "[]",
        "[1,0]",
        '[1,0,{"type":"leave"},4]',
        '[-1,0,{"type":"leave"}]',
        '[1,-1,{"type":"leave"}]',
        '["1",0,{"type":"leave"}]',
        '[1.5,0,{"type":"leave"}]',
        '[9007199254740992,0,{"type":"leave"}]',
        "[1,0,null]",
        '[1,0,"leave"]',
        "[1,0,{}]",
        '[1,0,{"type":7}]',
        '[1,0,{"type":"leave"}',
        '[1,0,{"type":"leave","x":NaN}]',
        "[1,0," + "[" * 100_000 + "]" * 100_000 + "]",
        '[1,0,{"type":"leave","x":' + "[" * 100_000 + "]" * 100_000 + "}]",
        '[1,0,{"type":"leave","x":"\\ud800"}]',
    ],
)
def test_a_broken_envelope_is_malformed(text: str) -> None:
    with pytest.raises(MalformedFrameError):
        signalling.decode_client_frame(text)


def test_an_unknown_type_is_an_answerable_error() -> None:
    decoded = signalling.decode_client_frame(frame({"type": "dance"}, 7))
    assert decoded.id == 7
    assert isinstance(decoded.body, UnknownMessageError)
    assert '"dance"' in decoded.body.message


@pytest.mark.parametrize(
    "body",
    [
        {"type": "subscribe"},
        {"type": "subscribe", "streamId": 7, "audio": True, "video": True},
        {"type": "subscribe", "streamId": "s", "audio": "yes", "video": True},
        {"type": "negotiate", "epoch": 0, "offer": "v=0", "slots": []},
        {"type": "negotiate", "epoch": 1, "offer": "v=0", "slots": [{"slot": -1, "audioMid": "0", "videoMid": "1"}]},
        {"type": "negotiate", "epoch": 1, "offer": "v=0", "slots": {}},
        {"type": "unpublish", "streamId": "s", "reason": "boredom"},
        {"type": "updateStream", "streamId": "s", "videoDimensions": {"width": -1, "height": 1}},
        {"type": "updateStream", "streamId": "s", "videoDimensions": {"width": 65536, "height": 1}},
        {"type": "updateStream", "streamId": "s", "videoType": "hologram"},
        {"type": "releaseSlot", "slot": 0, "generation": 2**32},
        {"type": "signal", "data": {"not": "text"}},
    ],
    ids=json.dumps,
)
def test_a_malformed_body_is_an_answerable_error(body: object) -> None:
    assert isinstance(signalling.decode_client_frame(frame(body)).body, InvalidParameterError)


@pytest.mark.parametrize("rate", ["1e999", "-1", "1001", '"30"'])
def test_a_frame_rate_is_a_lawful_number(rate: str) -> None:
    text = (
        '[1,0,{"type":"publish","epoch":1,"offer":"v=0","slots":[],"name":"","hasAudio":true,"hasVideo":true,'
        f'"videoDimensions":{{"width":1,"height":1}},"frameRate":{rate}}}]'
    )
    assert isinstance(signalling.decode_client_frame(text).body, InvalidParameterError)


def test_unknown_fields_are_ignored_and_null_means_absent() -> None:
    decoded = signalling.decode_client_frame(frame({"type": "signal", "to": None, "data": "x", "mood": "good"}))
    assert decoded.body == signalling.SendSignal(data="x")


def test_only_a_message_with_an_offer_may_be_large() -> None:
    large = "x" * MESSAGE_BYTES
    assert isinstance(signalling.decode_client_frame(negotiate(large)).body, signalling.Negotiate)
    assert isinstance(
        signalling.decode_client_frame(frame({"type": "signal", "data": large})).body, InvalidParameterError
    )
    umlauts = frame({"type": "signal", "data": "ü" * (MESSAGE_BYTES // 2)})
    assert isinstance(
        signalling.decode_client_frame(json.dumps(json.loads(umlauts), ensure_ascii=False)).body, Exception
    )


def test_media_lines_are_limited() -> None:
    lines = "v=0" + "\r\nm=audio" * MEDIA_LINES
    assert isinstance(signalling.decode_client_frame(negotiate(lines)).body, signalling.Negotiate)
    assert isinstance(signalling.decode_client_frame(negotiate(lines + "\r\nm=audio")).body, InvalidParameterError)


def test_absent_fields_are_left_out() -> None:
    assert signalling.encode_body(signalling.Signal()) == '{"type":"signal"}'
    assert signalling.client_frame(3, 9, signalling.Leave()) == '[3,9,{"type":"leave"}]'


def test_a_reply_says_yes_or_no() -> None:
    yes = signalling.reply_body(4, signalling.Subscribed(2))
    no = signalling.reply_body(4, signalling.Error("OT_NOT_FOUND", 404, "Gone."))
    assert yes == '{"type":"reply","id":4,"result":{"subscriptionId":2}}'
    assert json.loads(no) == {
        "type": "reply",
        "id": 4,
        "error": {"name": "OT_NOT_FOUND", "code": 404, "message": "Gone."},
    }


@pytest.mark.parametrize("text", ["", "[0]", "[0,{}]", '[0,{"type":"dance"}]', '[0,{"type":"bound"}]', b"\xff"])
def test_a_broken_server_frame_is_malformed(text: str | bytes) -> None:
    with pytest.raises(MalformedFrameError):
        signalling.decode_server_frame(text)


def test_a_result_of_another_request_is_malformed() -> None:
    reply = signalling.decode_server_frame('[0,{"type":"reply","id":1,"result":{}}]').body
    assert isinstance(reply, signalling.Reply)
    with pytest.raises(MalformedFrameError):
        signalling.decode_result("subscribe", reply)
