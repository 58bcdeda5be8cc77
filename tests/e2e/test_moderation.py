"""Stories with a moderator: muting one and all, in real browsers."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.person import Era, Person

Arrive = Callable[..., Person]
SENDS_SOUND = "() => person.publisher.getAudioSource().enabled"


def test_a_moderator_mutes_all_but_one_and_then_everybody_who_comes_later(arrive: Arrive) -> None:
    mona, ann, bob = arrive(role="moderator"), arrive(), arrive()
    anns, bobs = ann.publish(), bob.publish()
    for stream in (anns, bobs):
        mona.hears(stream)
    mona.page.evaluate(
        "async id => { await person.session.forceMuteAll([await person.find('streams', 'streamId', id)]) }", bobs
    )
    for person in (mona, ann, bob):
        person.sees("muteForced", active=True, cancelable=False)
    ann.sees("muteForced", source="publisher")
    assert ann.page.evaluate(SENDS_SOUND) is False
    assert bob.page.evaluate(SENDS_SOUND) is True
    mona.wait("async id => !(await person.find('streams', 'streamId', id)).hasAudio", anns)
    mona.hears_nothing_of(anns)
    assert mona.page.evaluate("async id => (await person.find('streams', 'streamId', id)).hasAudio", bobs)

    late = arrive()
    late.sees("muteForced", active=True)
    lates = late.publish()
    late.sees("muteForced", source="publisher")
    assert late.page.evaluate(SENDS_SOUND) is False
    late.page.evaluate("() => { person.publisher.publishAudio(true) }")
    mona.hears(lates)

    mona.page.evaluate("() => person.session.disableForceMute()")
    later = arrive()
    mona.sees("muteForced", active=False)
    later.publish()
    assert later.page.evaluate(SENDS_SOUND) is True
    assert not bob.count("publisher", "muteForced")


def test_a_moderator_mutes_one_stream_of_either_era(arrive: Arrive) -> None:
    mona, ann, old = arrive(role="moderator"), arrive(), arrive(Era.V1)
    for person in (ann, old):
        stream = person.publish()
        mona.hears(stream)
        mona.page.evaluate("id => person.session.forceMuteStream(id)", stream)
        mona.hears_nothing_of(stream)
    ann.sees("muteForced", source="publisher")
    assert not mona.count("session", "muteForced")


def test_a_moderator_mutes_unpublishes_and_kicks_and_the_others_see_it(arrive: Arrive) -> None:
    mona, ann, bob = arrive(role="moderator"), arrive(), arrive(Era.V1)
    anns, bobs = ann.publish(), bob.publish()
    for person in (mona, ann):
        person.watches(bobs)
    mona.page.evaluate("id => person.session.forceMuteStream(id)", anns)
    bob.sees("streamPropertyChanged")
    mona.page.evaluate("id => person.session.forceUnpublish(id)", anns)
    ann.sees("streamDestroyed", source="publisher", reason="forceUnpublished")
    for person in (mona, bob):
        person.sees("streamDestroyed", reason="forceUnpublished", streams=[anns])
    again = ann.publish()
    mona.watches(again)
    mona.page.evaluate("id => person.session.forceDisconnect(id)", ann.connection_id)
    ann.sees("sessionDisconnected", reason="forceDisconnected")
    for person in (mona, bob):
        person.sees("streamDestroyed", reason="forceDisconnected", streams=[again])
        person.sees("connectionDestroyed", reason="forceDisconnected")
    mona.watches(bobs)
