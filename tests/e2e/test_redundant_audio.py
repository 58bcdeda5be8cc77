"""Audio repeats itself on the way to the router and on the way from it."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.person import Person

Arrive = Callable[..., Person]

RECEIVED = """async id => {
    const report = await person.subscribers[id].getRtcStatsReport();
    return [...report.values()].find(entry => entry.type === 'inbound-rtp' && entry.kind === 'audio');
}"""


ROUND_TRIPS = """async id => {
    const report = await person.subscribers[id].getRtcStatsReport();
    const entries = [...report.values()].filter(entry => entry.type === 'remote-outbound-rtp');
    return entries.some(entry => entry.roundTripTimeMeasurements > 0);
}"""


def test_a_listener_gets_every_frame_of_audio_twice_and_learns_its_round_trip(arrive: Arrive) -> None:
    ann, bob = arrive(), arrive()
    stream = ann.publish()
    bob.hears(stream)
    # Without loss the player discards what the packet before brought already.
    bob.wait(f"async id => (await ({RECEIVED})(id)).packetsDiscarded > 20", stream)
    # Browsers repeat their requests for lost packets by it. Who sends nothing asks for it by extended reports.
    bob.wait(ROUND_TRIPS, stream, deadline_s=30)
