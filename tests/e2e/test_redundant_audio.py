"""Audio repeats itself on the way to the router and on the way from it."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.person import Person

Arrive = Callable[..., Person]

RECEIVED = """async id => {
    const report = await person.subscribers[id].getRtcStatsReport();
    return [...report.values()].find(entry => entry.type === 'inbound-rtp' && entry.kind === 'audio');
}"""


def test_a_listener_gets_every_frame_of_audio_twice(arrive: Arrive) -> None:
    ann, bob = arrive(), arrive()
    stream = ann.publish()
    bob.hears(stream)
    # Without loss the player discards what the packet before brought already.
    bob.wait(f"async id => (await ({RECEIVED})(id)).packetsDiscarded > 20", stream)
