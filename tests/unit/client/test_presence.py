"""Who and what is in the session, and the events of each change."""

from __future__ import annotations

import msgspec
import pytest

from tertulia.client import (
    DisconnectReason,
    MuteForcedEvent,
    SignalEvent,
    StateChangedEvent,
    StreamPropertyChangedEvent,
    StreamReason,
    VideoDimensions,
)
from tertulia.client.events import Event
from tertulia.client.presence import Presence, disconnect_reason
from tertulia.wire import signalling as wire

OWN = wire.Connection("own", 1, "me")
IDA = wire.Connection("ida", 2, "Ida")
EVA = wire.Connection("eva", 3, "Eva")


def stream(id: str, connection: str, *, has_audio: bool = True, width: int = 640) -> wire.Stream:
    return wire.Stream(id, connection, 4, id, has_audio, True, False, wire.Dimensions(width, 480), video_type="camera")


def joined() -> wire.Joined:
    """Own and Ida are there; Ida has one stream, and so has the client itself."""
    return wire.Joined(
        connection=OWN,
        connections=[IDA, OWN],
        streams=[stream("desk", "ida"), stream("mine", "own")],
        number=7,
        role="subscriber",
        capabilities=wire.Capabilities(0, 1, 1, 0, 0, 0),
        resume_key="key",
        heartbeat_s=10,
        reconnect_window_s=60,
        ice_servers=[],
    )


@pytest.fixture
def presence() -> Presence:
    presence = Presence()
    types = told(presence.enter(joined()))
    assert types == ["sessionConnected", "connectionCreated", "connectionCreated", "streamCreated"]
    return presence


def told(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_the_capabilities_are_those_of_the_role(presence: Presence) -> None:
    capabilities = presence.capabilities
    assert capabilities is not None
    assert (capabilities.publish, capabilities.subscribe, capabilities.force_mute) == (False, True, False)


def test_own_streams_are_known_and_not_announced(presence: Presence) -> None:
    assert set(presence.streams) == {"desk", "mine"}
    assert presence.apply(wire.StreamCreated(stream("more of mine", "own"))) == []
    assert presence.apply(wire.StreamDestroyed("mine", "own", "clientDisconnected")) == []
    assert set(presence.streams) == {"desk", "more of mine"}


def test_what_is_told_twice_happens_once(presence: Presence) -> None:
    assert presence.apply(wire.ConnectionCreated(IDA)) == []
    assert presence.apply(wire.StreamCreated(stream("desk", "ida"))) == []
    assert presence.apply(wire.ConnectionDestroyed("nobody", "clientDisconnected")) == []
    assert presence.apply(wire.StreamDestroyed("nothing", "ida", "mediaStopped")) == []
    assert presence.apply(wire.StreamPropertyChanged("desk", "hasAudio", False, True)) == []


def test_the_own_end_is_not_told_here(presence: Presence) -> None:
    assert presence.apply(wire.ConnectionDestroyed("own", "forceDisconnected")) == []
    assert presence.own is not None


def test_streams_end_before_their_connection_even_if_nobody_said_so(presence: Presence) -> None:
    events = presence.apply(wire.ConnectionDestroyed("ida", "networkDisconnected"))
    assert told(events) == ["streamDestroyed", "connectionDestroyed"]
    assert [event.reason for event in events] == ["networkDisconnected"] * 2  # type: ignore[attr-defined]
    assert (set(presence.connections), set(presence.streams)) == ({"own"}, {"mine"})


def test_a_property_changes_on_the_one_stream_object(presence: Presence) -> None:
    desk = presence.streams["desk"]
    changed = wire.StreamPropertyChanged(
        "desk", "videoDimensions", wire.Dimensions(640, 480), wire.Dimensions(320, 240)
    )
    [event] = presence.apply(changed)
    assert isinstance(event, StreamPropertyChangedEvent)
    assert event.stream is desk
    assert (event.changed_property, event.old_value) == ("videoDimensions", VideoDimensions(640, 480))
    assert desk.video_dimensions == event.new_value == VideoDimensions(320, 240)


def test_properties_of_own_streams_are_told(presence: Presence) -> None:
    assert told(presence.apply(wire.StreamPropertyChanged("mine", "hasVideo", True, False))) == [
        "streamPropertyChanged"
    ]


@pytest.mark.parametrize(
    ("message", "type", "sender"),
    [
        (wire.Signal("ida", "chat", "hello"), "signal:chat", "Ida"),
        (wire.Signal("own", None, None), "signal", "me"),
        (wire.Signal("left", None, None), "signal", ""),
        (wire.Signal(None, "news", None), "signal:news", None),
    ],
)
def test_a_signal_names_its_sender_if_it_had_one(
    presence: Presence, message: wire.Signal, type: str, sender: str | None
) -> None:
    [event] = presence.apply(message)
    assert isinstance(event, SignalEvent)
    assert event.type == type
    assert event.data == (message.data or "")
    assert (event.from_.data if event.from_ else None) == sender


def test_a_snapshot_tells_the_difference_only(presence: Presence) -> None:
    same = wire.Snapshot([IDA, OWN], [stream("desk", "ida"), stream("mine", "own")], 50)
    assert presence.reconcile(same) == []
    new = wire.Snapshot([OWN, EVA], [stream("mine", "own", has_audio=False, width=320), stream("door", "eva")], 60)
    events = presence.reconcile(new)
    assert told(events) == [
        "streamDestroyed",
        "connectionDestroyed",
        "connectionCreated",
        "streamPropertyChanged",
        "streamPropertyChanged",
        "streamCreated",
    ]
    assert [e.changed_property for e in events if isinstance(e, StreamPropertyChangedEvent)] == [
        "hasAudio",
        "videoDimensions",
    ]


def test_interruptions_of_others_are_no_events_here(presence: Presence) -> None:
    assert presence.apply(wire.ConnectionInterrupted("ida")) == []
    assert presence.apply(wire.ConnectionRestored("ida")) == []


def test_a_reason_of_a_later_version_was_the_servers_doing(presence: Presence) -> None:
    assert disconnect_reason("mediaIdle") is DisconnectReason.FORCE_DISCONNECTED
    [event] = presence.apply(wire.StreamDestroyed("desk", "ida", "mediaIdle"))
    assert event.reason is StreamReason.FORCE_UNPUBLISHED  # type: ignore[attr-defined]  # a StreamEvent


def test_without_connection_events_the_client_knows_only_itself_and_who_publishes() -> None:
    presence = Presence(suppressed=True)
    assert told(presence.enter(joined())) == ["sessionConnected", "connectionCreated", "streamCreated"]
    assert set(presence.connections) == {"own"}
    assert presence.streams["desk"].connection.data == "Ida"
    snapshot = wire.Snapshot([OWN, IDA, EVA], [stream("desk", "ida"), stream("mine", "own"), stream("door", "eva")], 50)
    assert told(presence.reconcile(snapshot)) == ["streamCreated"]
    assert presence.streams["door"].connection.data == "Eva"


def test_nothing_is_left_after_leaving(presence: Presence) -> None:
    presence.clear()
    assert (presence.own, presence.capabilities) == (None, None)
    assert (presence.connections, presence.streams) == ({}, {})


def test_the_shared_state_is_there_on_joining_and_follows_every_change() -> None:
    presence = Presence()
    events = presence.enter(msgspec.structs.replace(joined(), state={"slide": "1", "speaker": "Ida"}))
    assert "stateChanged" not in told(events)
    assert presence.state == {"slide": "1", "speaker": "Ida"}
    events = presence.apply(wire.StateChanged({"slide": "2", "speaker": None}))
    assert [event.values for event in events if isinstance(event, StateChangedEvent)] == [
        {"slide": "2", "speaker": None}
    ]
    assert presence.state == {"slide": "2"}
    events = presence.reconcile(wire.Snapshot([OWN], [], 20, state={"speaker": "Ben"}))
    assert [event.values for event in events if isinstance(event, StateChangedEvent)] == [
        {"slide": None, "speaker": "Ben"}
    ]
    assert "stateChanged" not in told(presence.reconcile(wire.Snapshot([OWN], [], 21, state={"speaker": "Ben"})))
    presence.clear()
    assert presence.state == {}


def test_a_muted_session_is_told_on_joining_and_every_change_after() -> None:
    presence = Presence()
    events = presence.enter(msgspec.structs.replace(joined(), muted=True))
    assert told(events)[-1] == "muteForced"
    assert presence.apply(wire.StreamMuted("mine")) == []
    events = presence.apply(wire.MuteForced(False))
    assert [event.active for event in events if isinstance(event, MuteForcedEvent)] == [False]
    events = presence.reconcile(wire.Snapshot([OWN], [], 20, muted=True))
    assert [event.active for event in events if isinstance(event, MuteForcedEvent)] == [True]
