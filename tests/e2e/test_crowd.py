"""Stories with many people and many streams, in real browsers."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.person import Person

Arrive = Callable[..., Person]
STREAMS_EACH = 10


def publish_many(person: Person, count: int) -> list[str]:
    """Publishes so many small pictures; returns the ids of their streams."""
    ids: list[str] = person.page.evaluate(
        """async count => {
            person.many = [];
            const colours = ['teal', 'maroon', 'navy', 'olive', 'purple'];
            for (let number = 0; number < count; number += 1) {
                const publisher = OT.initPublisher(person.box(`own-${number}`), {
                    videoSource: person.colourTrack(colours[number % 5]), audioSource: null, width: 40, height: 30,
                });
                await person.session.publish.promise(publisher);
                person.many.push(publisher);
            }
            return person.many.map(({ stream }) => stream.streamId);
        }""",
        count,
    )
    return ids


def test_thirty_streams_in_one_page_and_ten_of_them_leave(arrive: Arrive) -> None:
    publishers = [arrive(subscribe_to_all=False) for _ in range(3)]
    viewer = arrive()
    streams = [publish_many(person, STREAMS_EACH) for person in publishers]
    everything = [stream_id for own in streams for stream_id in own]
    viewer.wait("ids => ids.every((id) => person.subscriberFrames(id) >= 3)", everything)
    assert viewer.elements(".OT_subscriber") == 30
    publishers[1].disconnect()
    viewer.wait("() => document.querySelectorAll('.OT_subscriber').length === 20")
    shown = viewer.page.evaluate("ids => ids.map((id) => person.subscriberFrames(id))", streams[2])
    viewer.wait("([ids, shown]) => ids.every((id, at) => person.subscriberFrames(id) > shown[at])", [streams[2], shown])
    assert viewer.page.evaluate("() => person.errors") == []


def test_a_grid_of_people_who_come_and_go(arrive: Arrive) -> None:
    ann, bob = arrive(), arrive()
    anns, bobs = ann.publish(), bob.publish()
    ann.watches(bobs)
    for _ in range(2):
        cleo, dan = arrive(), arrive()
        cleos, dans = cleo.publish(), dan.publish()
        for person, seen in ((ann, [bobs, cleos, dans]), (bob, [anns, cleos, dans]), (dan, [anns, bobs, cleos])):
            for stream_id in seen:
                person.watches(stream_id)
        cleo.disconnect()
        dan.page.close()
        for person in (ann, bob):
            person.sees("streamDestroyed", streams=[cleos], reason="clientDisconnected")
            person.sees("streamDestroyed", streams=[dans], reason="clientDisconnected")
            person.wait("() => document.querySelectorAll('.OT_subscriber').length === 1")
    ann.watches(bobs)
    bob.watches(anns)


def test_one_session_object_that_leaves_and_comes_back_with_its_camera(arrive: Arrive) -> None:
    ann, bob = arrive(), arrive()
    bob.prevents("publisher.streamDestroyed")
    bobs = bob.publish()
    seen = [bobs]
    for times in range(1, 4):
        ann.watches(seen[-1])
        bob.disconnect()
        ann.sees("streamDestroyed", streams=[seen[-1]], reason="clientDisconnected")
        bob.sees("sessionDisconnected", times=times, reason="clientDisconnected")
        bob.connect()
        bob.sees("sessionConnected", times=times + 1)
        bob.page.evaluate("() => person.publishAgain()")
        bob.wait("times => person.log.filter(e => e.type === 'publish' && !e.error).length === times", times + 1)
        seen.append(bob.page.evaluate("() => person.publisher.stream.streamId"))
    ann.watches(seen[-1])
    assert len(set(seen)) == 4
    assert ann.elements(".OT_subscriber") == 1
    bob.wait("() => document.querySelectorAll('.OT_publisher').length === 1")
