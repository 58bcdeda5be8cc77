"""A picture whose packets come and whose decoder shows nothing comes back, because the client says so."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.person import Person

Arrive = Callable[..., Person]

DEADLINE_S = 40

# What the page says of pictures that stand still, and a decoder that can be starved: its frames are thrown away behind
# the receiver until the page has said so, and then up to the next key frame.
INSTRUMENTS = """(() => {
    const Peer = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Peer {
        addTransceiver(...given) {
            const line = super.addTransceiver(...given);
            if (line.receiver.track.kind === 'video')
                line.receiver.transform = new RTCRtpScriptTransform(window.decoder, {});
            return line;
        }
    };
    window.stalled = 0;
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (text) {
        if (typeof text === 'string' && text.includes('"videoStalled"')) {
            window.stalled += 1;
            window.decoder.postMessage('feed');
        }
        return send.call(this, text);
    };
    const work = () => {
        let state = 'feed';
        onmessage = ({ data }) => {
            if (data === 'starve') state = data;
            else if (state === 'starve') state = 'wait';
        };
        onrtctransform = ({ transformer: { readable, writable } }) => {
            const transform = (frame, controller) => {
                if (state === 'wait' && frame.type === 'key') state = 'feed';
                if (state === 'feed') controller.enqueue(frame);
            };
            readable.pipeThrough(new TransformStream({ transform })).pipeTo(writable);
        };
    };
    window.decoder = new Worker(URL.createObjectURL(new Blob([`(${work})()`])));
})()"""


def test_a_picture_that_stands_still_is_asked_for_anew_and_comes_back(arrive: Arrive) -> None:
    ann, bob = arrive(), arrive(script=INSTRUMENTS)
    # Few frames: it is the decoder that has nothing, and not the machine.
    stream = ann.publish(resolution="320x240", frameRate=10, audioSource=None)
    bob.watches(stream)
    bob.page.evaluate("() => window.decoder.postMessage('starve')")
    bob.wait("() => window.stalled > 0", deadline_s=DEADLINE_S)
    shown = bob.page.evaluate("id => person.subscriberFrames(id)", stream)
    bob.wait("([id, shown]) => person.subscriberFrames(id) >= shown + 5", [stream, shown], deadline_s=DEADLINE_S)
    assert bob.count("session", "streamDestroyed") == 0
