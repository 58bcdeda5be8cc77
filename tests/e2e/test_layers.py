"""A publisher sends several sizes: each subscriber gets one that suits its element, and what nobody watches rests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.person import Person

Arrive = Callable[..., Person]

DEADLINE_S = 60

SUBSCRIBE = """async ([id, options]) => {
    const stream = await person.find('streams', 'streamId', id);
    person.subscriber = person.subscribe(stream, options);
}"""
SHOWS = "width => person.subscriber?.element?.querySelector('video')?.videoWidth === width"
LAYERS = """async () => {
    const [{ rtcStatsReport }] = await person.publisher.getRtcStatsReport();
    const sent = [...rtcStatsReport.values()].filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    return Object.fromEntries(sent.map(({ rid, active, framesEncoded = 0 }) => [rid, { active, framesEncoded }]));
}"""


def watch(viewer: Person, stream: str, **options: object) -> None:
    """Subscribes; the Subscriber stays at hand."""
    viewer.sees("streamCreated", streams=[stream])
    viewer.page.evaluate(SUBSCRIBE, [stream, options])


@pytest.mark.timeout(240)
def test_each_element_gets_its_size_and_layers_that_nobody_watches_rest(arrive: Arrive) -> None:
    publisher, small, large = (arrive(subscribe_to_all=False) for _ in range(3))
    # Few frames: three encoders and two decoders share a small machine with whatever else it does.
    stream = publisher.publish(resolution="1280x720", frameRate=7, audioSource=None, scalableVideo=True)
    watch(small, stream, width=160, height=90, preferredResolution="auto")
    watch(large, stream, width=1280, height=720, preferredResolution="auto")
    large.wait(SHOWS, 1280, deadline_s=DEADLINE_S)
    small.wait(SHOWS, 320, deadline_s=DEADLINE_S)

    large.page.evaluate("() => person.session.unsubscribe(person.subscriber)")
    publisher.wait(f"async () => (await ({LAYERS})()).f?.active === false", deadline_s=DEADLINE_S)
    layers = publisher.page.evaluate(LAYERS)
    assert {rid: layer["active"] for rid, layer in layers.items()} == {"q": True, "h": False, "f": False}
    resting = layers["f"]["framesEncoded"]
    encoded = layers["q"]["framesEncoded"]
    publisher.wait(f"async encoded => (await ({LAYERS})()).q.framesEncoded >= encoded + 7", encoded)
    assert publisher.page.evaluate(LAYERS)["f"]["framesEncoded"] == resting

    small.page.evaluate("() => person.subscriber.setPreferredResolution({ width: 1280, height: 720 })")
    small.wait(SHOWS, 1280, deadline_s=DEADLINE_S)


DECODED = """async () => {
    const reports = [...(await person.subscriber.getRtcStatsReport()).values()];
    const { framesDecoded, frameHeight } = reports.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    return { framesDecoded, frameHeight };
}"""
SENT = """async () => {
    const [{ rtcStatsReport }] = await person.publisher.getRtcStatsReport();
    const { scalabilityMode, keyFramesEncoded } = [...rtcStatsReport.values()].find(
        ({ type, kind }) => type === 'outbound-rtp' && kind === 'video',
    );
    return { scalabilityMode, keyFramesEncoded };
}"""
# Of one change: it asks for one, and a loaded machine may ask again.
KEY_FRAMES = 3


@pytest.mark.timeout(240)
def test_each_element_gets_its_spatial_layer_of_one_vp9_stream(arrive: Arrive) -> None:
    publisher, viewer = (arrive(subscribe_to_all=False) for _ in range(2))
    # Few frames, of a size that has two layers.
    stream = publisher.publish(
        resolution="640x360", frameRate=10, audioSource=None, scalableVideo=True, preferredVideoCodecs=["vp9"]
    )
    watch(viewer, stream, width=320, height=180, preferredResolution="auto")
    viewer.wait(SHOWS, 320, deadline_s=DEADLINE_S)
    sent = publisher.page.evaluate(SENT)
    assert sent["scalabilityMode"] == "L2T3_KEY"

    for width, height in ((640, 360), (320, 180)):
        viewer.page.evaluate(
            "size => person.subscriber.setPreferredResolution(size)", {"width": width, "height": height}
        )
        viewer.wait(SHOWS, width, deadline_s=DEADLINE_S)
        decoded = viewer.page.evaluate(DECODED)
        assert decoded["frameHeight"] == height
        more = f"async before => (await ({DECODED})()).framesDecoded >= before + 10"
        viewer.wait(more, decoded["framesDecoded"], deadline_s=DEADLINE_S)
    assert publisher.page.evaluate(SENT)["keyFramesEncoded"] <= sent["keyFramesEncoded"] + 2 * KEY_FRAMES
