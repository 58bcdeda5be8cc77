"""Two people in one session see and hear each other, whatever script address their pages loaded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.person import Era, Person

Arrive = Callable[..., Person]


@pytest.mark.parametrize(
    ("first", "second"),
    [(Era.V2, Era.V2), (Era.V1, Era.V1), (Era.V091, Era.V2), (Era.V2_2, Era.V2_0)],
    ids=["v2", "v1", "v0.91 with v2", "v2.2 with v2.0"],
)
def test_two_people_see_and_hear_each_other(arrive: Arrive, first: Era, second: Era) -> None:
    ann = arrive(first)
    anns = ann.publish()
    bob = arrive(second)
    bobs = bob.publish()
    for person, stream in ((ann, bobs), (bob, anns)):
        person.watches(stream)
        person.hears(stream)
    assert ann.page.evaluate("() => person.errors") == []
    assert bob.page.evaluate("() => person.errors") == []


def test_a_v1_page_hears_of_those_present_in_session_connected_alone(arrive: Arrive) -> None:
    ann = arrive()
    stream = ann.publish()
    bob = arrive(Era.V1)
    connected = bob.sees("sessionConnected")
    assert connected["streams"] == [stream]
    assert sorted(connected["connections"]) == sorted([ann.connection_id, bob.connection_id])
    bob.watches(stream)
    assert bob.count("session", "connectionCreated") == 0
    assert bob.count("session", "streamCreated") == 0


def test_a_v2_page_gets_one_event_for_each_of_those_present(arrive: Arrive) -> None:
    ann = arrive()
    stream = ann.publish()
    bob = arrive()
    bob.watches(stream)
    facts = [(e["type"], e["connections"], e["streams"]) for e in bob.log() if e["source"] == "session"]
    assert facts[:4] == [
        ("sessionConnected", [], []),
        ("connectionCreated", [bob.connection_id], []),
        ("connectionCreated", [ann.connection_id], []),
        ("streamCreated", [], [stream]),
    ]


def test_own_streams_are_announced_on_the_session_in_v1_and_on_the_publisher_in_v2(arrive: Arrive) -> None:
    old, new = arrive(Era.V1), arrive(Era.V2)
    olds, news = old.publish(), new.publish()
    assert any(e["streams"] == [olds] for e in old.log() if e["type"] == "streamCreated" and e["source"] == "session")
    assert any(e["streams"] == [news] for e in new.log() if e["type"] == "streamCreated" and e["source"] == "publisher")
    assert not any(e["streams"] == [news] for e in new.log() if e["source"] == "session")


def test_signals_reach_everybody_the_sender_included(arrive: Arrive) -> None:
    ann, bob, old = arrive(), arrive(), arrive(Era.V1)
    ann.page.evaluate("() => { person.session.signal({ type: 'chat', data: 'hello' }) }")
    for person in (ann, bob):
        for source_type in (1, 2):
            person.sees("signal:chat", data="hello", **{"from": ann.connection_id}, times=source_type)
    old.sees("signalReceived")


def test_a_signal_to_one_connection_reaches_that_one_alone(arrive: Arrive) -> None:
    ann, bob, cleo = arrive(), arrive(), arrive()
    ann.sees("connectionCreated", connections=[bob.connection_id])
    ann.page.evaluate(
        """async id => {
            const to = await person.find('connections', 'connectionId', id);
            person.session.signal({ type: 'chat', data: 'for bob', to });
            person.session.signal({ type: 'chat', data: 'for all' });
        }""",
        bob.connection_id,
    )
    bob.sees("signal:chat", data="for bob")
    cleo.sees("signal:chat", data="for all")
    assert not any(e.get("data") == "for bob" for e in cleo.log())


def test_a_client_may_subscribe_to_its_own_stream(arrive: Arrive) -> None:
    ann = arrive()
    stream = ann.publish()
    ann.page.evaluate("() => { person.subscribe(person.publisher.stream, { testNetwork: true }) }")
    ann.watches(stream)


def test_publishing_from_an_element_id_and_properties(arrive: Arrive) -> None:
    ann, bob = arrive(), arrive()
    ann.page.evaluate("() => { person.publisher = person.session.publish(person.box('mine'), { name: 'Ann' }) }")
    stream = bob.sees("streamCreated")["streams"][0]
    bob.watches(stream)


def test_lip_sync_sound_and_picture_of_a_stream_share_one_media_stream(arrive: Arrive) -> None:
    ann = arrive()
    stream = ann.publish()
    bob = arrive()
    bob.watches(stream)
    bob.hears(stream)
    kinds = bob.page.evaluate(
        "id => document.getElementById(person.subscribers[id].id).querySelector('video').srcObject"
        ".getTracks().map(track => track.kind).sort()",
        stream,
    )
    assert kinds == ["audio", "video"]


def test_a_subscriber_role_may_not_publish_and_is_told_so(arrive: Arrive) -> None:
    viewer = arrive(role="subscriber")
    viewer.page.evaluate("() => { person.publish() }")
    handled = viewer.sees("publish", source="handler")
    assert handled["error"]["name"] == "OT_PERMISSION_DENIED"
    assert handled["error"]["code"] == 1500
    viewer.sees("exception", source="exception", code=1500)


def test_muting_the_camera_shows_at_the_others(arrive: Arrive) -> None:
    ann = arrive()
    stream = ann.publish()
    bob = arrive()
    bob.watches(stream)
    ann.page.evaluate("() => { person.publisher.publishVideo(false) }")
    bob.sees("videoDisabled", source=f"subscriber:{stream}", reason="publishVideo")
    ann.page.evaluate("() => { person.publisher.publishVideo(true) }")
    bob.sees("videoEnabled", source=f"subscriber:{stream}", reason="publishVideo")
    before = bob.page.evaluate("id => person.subscriberFrames(id)", stream)
    bob.wait("([id, before]) => person.subscriberFrames(id) > before + 3", [stream, before])
