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
def test_each_element_gets_its_size_layers_that_nobody_watches_rest_and_a_smaller_picture_comes_whole(
    arrive: Arrive,
) -> None:
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

    # Of a smaller picture Chromium sends fewer layers, and only the lower ones.
    for width, height in ((640, 360), (320, 180), (1280, 720)):
        publisher.page.evaluate(
            "size => person.publisher.setPreferredResolution(size)", {"width": width, "height": height}
        )
        small.wait(SHOWS, width, deadline_s=DEADLINE_S)


DECODED = """async () => {
    const reports = [...(await person.subscriber.getRtcStatsReport()).values()];
    const { framesDecoded, frameHeight } = reports.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    return { framesDecoded, frameHeight };
}"""
SENT = """async () => {
    const [{ rtcStatsReport }] = await person.publisher.getRtcStatsReport();
    const sent = [...rtcStatsReport.values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    const { scalabilityMode, keyFramesEncoded, framesEncoded, frameHeight } = sent;
    const codec = rtcStatsReport.get(sent.codecId).mimeType.split('/')[1].toLowerCase();
    return { codec, scalabilityMode, keyFramesEncoded, framesEncoded, frameHeight };
}"""
SENDS = f"async mode => (await ({SENT})()).scalabilityMode === mode"
DECODES = f"async frames => (await ({DECODED})()).framesDecoded >= frames"
# Of one change: it asks for one, and a loaded machine may ask again.
KEY_FRAMES = 3


def decodes_on(viewer: Person, frames: int = 10) -> None:
    """Waits until so many more frames were decoded."""
    viewer.wait(DECODES, viewer.page.evaluate(DECODED)["framesDecoded"] + frames, deadline_s=DEADLINE_S)


@pytest.mark.timeout(240)
def test_each_element_gets_its_spatial_layer_of_one_vp9_stream_and_the_other_one_rests(arrive: Arrive) -> None:
    publisher, viewer = (arrive(subscribe_to_all=False) for _ in range(2))
    # Few frames, of a size that has two layers.
    stream = publisher.publish(
        resolution="640x360", frameRate=10, audioSource=None, scalableVideo=True, preferredVideoCodecs=["vp9"]
    )
    watch(viewer, stream, width=320, height=180, preferredResolution="auto")
    viewer.wait(SHOWS, 320, deadline_s=DEADLINE_S)
    key_frames = publisher.page.evaluate(SENT)["keyFramesEncoded"]

    for width, height, mode in ((320, 180, "L1T3"), (640, 360, "L2T3_KEY"), (320, 180, "L1T3")):
        viewer.page.evaluate(
            "size => person.subscriber.setPreferredResolution(size)", {"width": width, "height": height}
        )
        viewer.wait(SHOWS, width, deadline_s=DEADLINE_S)
        publisher.wait(SENDS, mode, deadline_s=DEADLINE_S)
        decodes_on(viewer)
        assert viewer.page.evaluate(DECODED)["frameHeight"] == height
        publisher.wait(f"async height => (await ({SENT})()).frameHeight === height", height, deadline_s=DEADLINE_S)
    # A pause takes a key frame, and so does its end; to change down before the pause takes one more.
    assert publisher.page.evaluate(SENT)["keyFramesEncoded"] <= key_frames + 4 * KEY_FRAMES


@pytest.mark.timeout(240)
@pytest.mark.parametrize("codec", ["vp9", "av1"])
def test_three_elements_get_their_layers_of_one_stream_and_one_its_frame_rate(arrive: Arrive, codec: str) -> None:
    publisher, *viewers = (arrive(subscribe_to_all=False) for _ in range(4))
    stream = publisher.publish(
        resolution="1280x720", frameRate=7, audioSource=None, scalableVideo=True, preferredVideoCodecs=[codec]
    )
    sizes = ((320, 180), (640, 360), (1280, 720))
    for viewer, (width, height) in zip(viewers, sizes, strict=True):
        watch(viewer, stream, preferredResolution={"width": width, "height": height})
    for viewer, (width, _) in zip(viewers, sizes, strict=True):
        viewer.wait(SHOWS, width, deadline_s=DEADLINE_S)
    sent = publisher.page.evaluate(SENT)
    assert (sent["codec"], sent["scalabilityMode"]) == (codec, "L3T3_KEY")

    small, *larger = viewers
    for viewer in larger:
        viewer.page.evaluate("() => person.session.unsubscribe(person.subscriber)")
    publisher.wait(SENDS, "L1T3", deadline_s=DEADLINE_S)
    decodes_on(small)
    assert small.page.evaluate("() => person.subscriber.videoWidth()") == 320

    # The lowest of three temporal layers has every fourth frame.
    small.page.evaluate("() => person.subscriber.setPreferredFrameRate(1)")
    small.wait(
        f"""async () => {{
            const read = async () => (await ({DECODED})()).framesDecoded;
            const [before, began] = [await read(), performance.now()];
            while ((await read()) < before + 4) await new Promise((resume) => setTimeout(resume, 20));
            return performance.now() - began > 1_200;
        }}""",
        deadline_s=DEADLINE_S,
    )
