"""The events of the Python client against `contract/events.yaml`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tertulia.client import (
    Connection,
    ConnectionEvent,
    DestroyedEvent,
    DisconnectReason,
    Event,
    MediaStoppedEvent,
    MuteForcedEvent,
    SessionConnectEvent,
    SessionDisconnectEvent,
    SignalEvent,
    StateChangedEvent,
    Stream,
    StreamEvent,
    StreamPropertyChangedEvent,
    StreamReason,
    VideoDimensions,
    VideoEnabledChangedEvent,
)
from tertulia.client.events import EVENT_CLASSES, PUBLISHER_EVENTS, SESSION_EVENTS, SUBSCRIBER_EVENTS
from tests.unit.client.conftest import contract

IDA = Connection("22222222", 500, "Ida")
DESK = Stream("33333333", IDA, 600, "Desk", None, True, True, False, "camera", VideoDimensions(640, 480), None)

EXAMPLES: dict[str, Event] = {
    "sessionConnected": SessionConnectEvent(),
    "sessionDisconnected": SessionDisconnectEvent(DisconnectReason.CLIENT_DISCONNECTED),
    "sessionReconnecting": Event("sessionReconnecting"),
    "sessionReconnected": Event("sessionReconnected"),
    "connectionCreated": ConnectionEvent("connectionCreated", IDA),
    "connectionDestroyed": ConnectionEvent("connectionDestroyed", IDA, DisconnectReason.CLIENT_DISCONNECTED),
    "streamCreated": StreamEvent("streamCreated", DESK),
    "streamDestroyed": StreamEvent("streamDestroyed", DESK, StreamReason.FORCE_UNPUBLISHED),
    "streamPropertyChanged": StreamPropertyChangedEvent(DESK, "hasAudio", True, False),
    "muteForced": MuteForcedEvent(True),
    "stateChanged": StateChangedEvent({"slide": "7", "speaker": None}),
    "signal": SignalEvent("", "hello", IDA),
    "connected": Event("connected"),
    "disconnected": Event("disconnected"),
    "mediaStopped": MediaStoppedEvent("video"),
    "destroyed": DestroyedEvent("unsubscribed"),
    "videoDisableWarning": Event("videoDisableWarning"),
    "videoDisableWarningLifted": Event("videoDisableWarningLifted"),
    "videoDisabled": VideoEnabledChangedEvent("videoDisabled", "quality"),
    "videoEnabled": VideoEnabledChangedEvent("videoEnabled", "quality"),
}


def python_events() -> dict[str, dict[str, Any]]:
    """What the contract says that is dispatched in Python."""
    events: dict[str, dict[str, Any]] = contract("events.yaml")["events"]
    return {name: event for name, event in events.items() if "python" in event.get("eras", ["v1", "v2", "python"])}


def test_the_client_has_the_events_of_the_contract_and_no_others() -> None:
    assert set(python_events()) == {name for kind in EVENT_CLASSES for name in kind.types} == set(EXAMPLES)


@pytest.mark.parametrize(
    ("target", "names"),
    [("session", SESSION_EVENTS), ("publisher", PUBLISHER_EVENTS), ("subscriber", SUBSCRIBER_EVENTS)],
)
def test_each_object_has_the_events_of_the_contract_and_no_others(target: str, names: frozenset[str]) -> None:
    assert {name for name, event in python_events().items() if target in event["target"]} == names


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_event_has_the_class_and_the_fields_of_the_contract(name: str) -> None:
    event, row = EXAMPLES[name], python_events()[name]
    assert type(event).__name__ == row["class"]
    assert event.type == name
    for field, text in row.get("fields", {}).items():
        if not str(text).startswith("v1"):
            assert hasattr(event, _python_name(field)), field


def _python_name(field: str) -> str:
    snake = re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), field)
    return snake + "_" if snake == "from" else snake


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_event_is_cancelable_if_it_has_a_default(name: str) -> None:
    event = EXAMPLES[name]
    assert event.cancelable is ("default" in python_events()[name])
    assert event.is_default_prevented() is False


def test_the_reasons_are_those_of_the_contract() -> None:
    events = contract("events.yaml")["events"]
    leaving = {reason.value for reason in DisconnectReason}
    assert leaving == set(events["sessionDisconnected"]["reasons"]) == set(events["connectionDestroyed"]["reasons"])
    assert {reason.value for reason in StreamReason} == set(events["streamDestroyed"]["reasons"])


def test_reasons_are_their_own_texts() -> None:
    assert str(DisconnectReason.FORCE_DISCONNECTED) == "forceDisconnected"
    assert f"{StreamReason.MEDIA_STOPPED}" == "mediaStopped"
    assert DisconnectReason("networkDisconnected") is DisconnectReason.NETWORK_DISCONNECTED


def test_preventing_counts_until_the_event_is_settled() -> None:
    in_time = SessionDisconnectEvent(DisconnectReason.CLIENT_DISCONNECTED)
    in_time.prevent_default()
    in_time.settle()
    late = SessionDisconnectEvent(DisconnectReason.CLIENT_DISCONNECTED)
    late.settle()
    late.prevent_default()
    assert (in_time.is_default_prevented(), late.is_default_prevented()) == (True, False)


def test_preventing_what_has_no_default_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    event = SignalEvent("chat", "hello", IDA)
    event.prevent_default()
    assert event.is_default_prevented() is False
    assert "signal:chat" in caplog.text


def test_events_print_what_they_carry() -> None:
    assert repr(EXAMPLES["connectionDestroyed"]) == (
        "ConnectionEvent(type='connectionDestroyed', connection=Connection(connection_id='22222222', "
        "creation_time=500, data='Ida'), reason=<DisconnectReason.CLIENT_DISCONNECTED: 'clientDisconnected'>)"
    )


def test_connections_and_streams_have_both_names_of_their_ids() -> None:
    assert (IDA.id, DESK.id) == (IDA.connection_id, DESK.stream_id)
