"""REST bodies: what SDKs send is read leniently, what they insist on is written strictly."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from tertulia.errors import (
    AuthenticationError,
    InvalidParameterError,
    NotFoundError,
    SessionIdFormatError,
    SignalInvalidError,
)
from tertulia.wire.rest import (
    CreateSession,
    create_session_json,
    create_session_xml,
    error_body,
    parse_create_session,
    parse_signal,
)

FORM = "application/x-www-form-urlencoded"
SESSION = "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"


@pytest.mark.parametrize(
    ("content_type", "body", "wanted"),
    [
        (FORM, b"", CreateSession()),
        (FORM, b"p2p.preference=enabled&archiveMode=manual&e2ee=false", CreateSession(relayed=True)),
        (
            FORM,
            b"location=&p2p.preference=enabled&archiveMode=manual&e2ee=False&archiveName=",
            CreateSession(relayed=True),
        ),
        (
            FORM,
            b"p2p.preference=disabled&archiveMode=always&archiveName=nightly&archiveResolution=1280x720"
            b"&location=12.34.56.78&e2ee=false&api_key=40012345",
            CreateSession(
                always_archived=True,
                archive_name="nightly",
                archive_resolution="1280x720",
                location="12.34.56.78",
                api_key="40012345",
            ),
        ),
        ("application/json; charset=utf-8", b'{"e2ee":true,"location":null,"more":1}', CreateSession(e2ee=True)),
        ("application/json", b"", CreateSession()),
        ("", b'{"p2p.preference":"enabled"}', CreateSession(relayed=True)),
    ],
    ids=["nothing", "Python", ".NET", "everything", "JSON", "empty JSON", "JSON without a type"],
)
def test_session_creation_is_read_as_each_sdk_sends_it(content_type: str, body: bytes, wanted: CreateSession) -> None:
    assert parse_create_session(content_type, body) == wanted


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"p2p.preference=maybe", "p2p.preference"),
        (b"archiveMode=often", "archiveMode"),
        (b"archiveMode=always&p2p.preference=enabled", "routed"),
        (b"archiveName=nightly", "always"),
        (b"archiveResolution=1280x720", "always"),
        (b"archiveMode=always&archiveResolution=1x1", "archiveResolution"),
        (b"archiveMode=always&archiveName=" + b"n" * 81, "archiveName"),
        (b"location=::1", "IPv4"),
        (b"location=12.34.56", "IPv4"),
        (b"e2ee=perhaps", "e2ee"),
        (b"e2ee=true&p2p.preference=enabled", "e2ee"),
        (b"e2ee=true&archiveMode=always", "e2ee"),
        (b"\xff=1", "neither"),
        (b'{"location":1}', "location"),
        (b'{"location"', "neither"),
        (b"{" * 9, "neither"),
    ],
)
def test_an_unlawful_session_is_refused_by_field(body: bytes, words: str) -> None:
    with pytest.raises(InvalidParameterError, match=words):
        parse_create_session(FORM, body)


def test_the_json_answer_is_an_array_of_one_object() -> None:
    (made,) = json.loads(create_session_json(SESSION, "40012345", 1_767_225_600_123))

    assert (made["session_id"], made["project_id"], made["partner_id"]) == (SESSION, "40012345", "40012345")
    assert made["create_dt"] == "Thu Jan 01 00:00:00 UTC 2026"


def test_the_xml_answer_has_the_two_ids() -> None:
    made = ElementTree.fromstring(create_session_xml(SESSION, "40012345", 1_767_225_600_123))

    assert made.tag == "sessions"
    assert made.findtext("Session/session_id") == SESSION
    assert made.findtext("Session/partner_id") == "40012345"


def test_a_signal_without_words_is_a_signal() -> None:
    for body in (b"", b"{}", b'{"type":null,"data":null}', b'{"type":"","data":""}'):
        signal = parse_signal("application/json", body)
        assert (signal.type, signal.data) == (None, None)


def test_a_signal_has_texts_only() -> None:
    assert parse_signal("", b'{"type":"chat","data":"hi"}').data == "hi"
    for body in (b'{"data":{}}', b'{"type":1}', b"[]", b'{"data":"\xff"}'):
        with pytest.raises(SignalInvalidError):
            parse_signal("application/json", body)


@pytest.mark.parametrize(
    ("error", "code"),
    [(AuthenticationError("No."), -1), (NotFoundError("No."), 404), (SessionIdFormatError("No."), 10101)],
)
def test_an_error_always_has_a_code_and_a_message(error: AuthenticationError, code: int) -> None:
    assert json.loads(error_body(error)) == {"code": code, "message": "No.", "description": "No."}
