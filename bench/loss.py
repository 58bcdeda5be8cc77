"""What is left of a call in Chromium on a bad network: freezes, frames, concealed sound, who was dropped.

Two browsers, one that publishes its fake camera and microphone and one that subscribes, and `tertulia dev --impair`
between each of them and the router: every packet passes two such networks, and its reports two more. Figures are those
of `getStats()` at the subscriber, and the frames that its video element has shown. A browser that has no time shows
fewer than it decodes and calls that a freeze as well: compare with the call without loss.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench.browser import PAGES
from bench.figures import Bar, Figure
from tests.e2e.conftest import CHROMIUM_FLAGS
from tests.e2e.person import Era, Person
from tests.servers import PageServer, TertuliaServer

WARM_UP_S, SECONDS = 6, 15
PERCENTS = (0, 10, 20, 30)
# A freeze of a second is 7 % of one call.
CALLS = 3
HOLE_MS, EVERY_MS, HOLES = 2_000, 12_000, 3
# As everybody would call clear: nothing of this is audible in speech but a click now and then.
CLEAR_PERCENT = 5.0
# A hole is known by the video packets that did not come.
SAMPLE_MS = 40

# Every connection that a page makes, and, once asked for, the frames shown and the packets that have come.
INSTRUMENTS = """() => {
  const Peer = window.RTCPeerConnection;
  window.peers = [];
  window.RTCPeerConnection = class extends Peer {
    constructor(...given) { super(...given); window.peers.push(this); }
  };
  window.readStats = async () => {
    const all = [];
    for (const peer of window.peers) {
      if (peer.connectionState === 'closed') continue;
      for (const one of (await peer.getStats()).values()) all.push(one);
    }
    return { at: performance.now(), peers: window.peers.length, stats: all };
  };
  window.watchFrames = (video) => {
    window.shown = [];
    const note = (now) => { window.shown.push(now); video.requestVideoFrameCallback(note); };
    video.requestVideoFrameCallback(note);
  };
  window.watchPackets = (everyMs) => {
    window.arrived = [];
    let before;
    setInterval(async () => {
      const { stats, at } = await window.readStats();
      const of = (kind) => stats.filter((one) => one.type === 'inbound-rtp' && one.kind === kind)
        .reduce((sum, one) => sum + one.packetsReceived, 0);
      const packets = of('video');
      if (packets !== before) window.arrived.push(at);
      before = packets;
    }, everyMs);
  };
}"""


@dataclass(frozen=True)
class Sample:
    """What `getStats()` said at one moment."""

    at_s: float
    peers: int
    stats: list[dict[str, Any]]

    @classmethod
    def of(cls, page: Page) -> Sample:
        read = page.evaluate("() => window.readStats()")
        return cls(read["at"] / 1000, read["peers"], read["stats"])

    def sum(self, kind: str, name: str, type_: str = "inbound-rtp") -> float:
        """`name` of every line of that kind."""
        return float(sum(one.get(name, 0) for one in self.stats if one["type"] == type_ and one.get("kind") == kind))

    def first(self, type_: str, **fields: object) -> dict[str, Any]:
        """The first entry with those fields, or nothing."""
        matching = (one for one in self.stats if one["type"] == type_ and fields.items() <= one.items())
        return next(matching, {})


@dataclass(frozen=True)
class Call:
    """What a call was like between two moments."""

    frames_per_s: float
    shown_per_s: float
    frozen_percent: float
    concealed_percent: float
    left_out: int
    dropped: int
    profile: dict[str, float]


def loss_figures(percents: Sequence[int] = PERCENTS, with_holes: bool = True) -> Iterator[Figure]:
    """Calls at these percentages, and one with holes; all of them take about six minutes."""
    with PageServer(PAGES) as pages, sync_playwright() as playwright:
        browsers = [
            playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS) for _ in range(2)
        ]
        try:
            for percent in percents:
                calls = []
                for _ in range(CALLS if percent else 1):
                    with call(pages, browsers, f"loss={percent},delay=20,jitter=5") as (publisher, viewer):
                        calls.append(measure(publisher, viewer))
                yield judged(percent, calls)
            if with_holes:
                with call(pages, browsers, f"delay=20,hole={HOLE_MS},every={EVERY_MS}") as (publisher, viewer):
                    yield holes(viewer)
        finally:
            for browser in browsers:
                browser.close()


@contextmanager
def call(pages: PageServer, browsers: list[Browser], impair: str) -> Iterator[tuple[Person, Person]]:
    """Somebody who publishes and somebody who watches, who has seen the first frame."""
    with tempfile.TemporaryDirectory() as folder, TertuliaServer(Path(folder), "--impair", impair) as server:
        session_id = server.create_session()
        people = []
        for browser in browsers:
            page = browser.new_context().new_page()
            page.add_init_script(f"({INSTRUMENTS})()")
            page.goto(pages.person_page(server.url, Era.V2))
            person = Person(page, Era.V2)
            person.prepare(server, session_id, role="publisher", data="", subscribe_to_all=True)
            person.connect()
            person.wait("() => person.session.connection", deadline_s=30)
            people.append(person)
        publisher, viewer = people
        try:
            publisher.page.evaluate("() => { person.publish({ resolution: '640x480', frameRate: 30 }) }")
            viewer.wait(
                "() => { const video = document.querySelector('.OT_subscriber video');"
                " return video && video.videoWidth > 0 && !video.paused }",
                deadline_s=60,
            )
            viewer.page.evaluate("() => window.watchFrames(document.querySelector('.OT_subscriber video'))")
            yield publisher, viewer
        finally:
            for person in people:
                person.page.context.close()


def measure(publisher: Person, viewer: Person) -> Call:
    """The call from the moment on at which its encoder has found its rate."""
    time.sleep(WARM_UP_S)
    sent_before, before = Sample.of(publisher.page), Sample.of(viewer.page)
    time.sleep(SECONDS)
    sent, after = Sample.of(publisher.page), Sample.of(viewer.page)
    took_s = after.at_s - before.at_s

    def grown(kind: str, name: str) -> float:
        return after.sum(kind, name) - before.sum(kind, name)

    def grown_sent(name: str) -> float:
        return sent.sum("video", name, "outbound-rtp") - sent_before.sum("video", name, "outbound-rtp")

    pair = sent.first("candidate-pair", nominated=True)
    profile = {
        "frames encoded/s": grown_sent("framesEncoded") / took_s,
        "kbit/s sent": grown_sent("bytesSent") * 8 / 1000 / took_s,
        "kbit/s estimated": pair.get("availableOutgoingBitrate", 0.0) / 1000,
        "kbit/s targeted": sent.sum("video", "targetBitrate", "outbound-rtp") / 1000,
        "sent again/s": grown_sent("retransmittedPacketsSent") / took_s,
        "NACKs to the publisher/s": grown_sent("nackCount") / took_s,
        "PLIs to the publisher/s": grown_sent("pliCount") / took_s,
        "key frames": grown_sent("keyFramesEncoded"),
        "NACKs of the subscriber/s": grown("video", "nackCount") / took_s,
        "PLIs of the subscriber/s": grown("video", "pliCount") / took_s,
        "got again/s": grown("video", "retransmittedPacketsReceived") / took_s,
        "video packets/s": grown("video", "packetsReceived") / took_s,
        "missing/s": grown("video", "packetsLost") / took_s,
        "dropped frames/s": grown("video", "framesDropped") / took_s,
        "freezes": grown("video", "freezeCount"),
        "ms of jitter buffer": 1000
        * grown("video", "jitterBufferDelay")
        / max(1.0, grown("video", "jitterBufferEmittedCount")),
        "audio packets/s": grown("audio", "packetsReceived") / took_s,
        "audio missing/s": grown("audio", "packetsLost") / took_s,
        "ms of round trip": 1000 * pair.get("currentRoundTripTime", 0.0),
        "layers": float(sum(1 for one in sent.stats if one["type"] == "outbound-rtp" and one.get("kind") == "video")),
    }
    shown = viewer.page.evaluate("since => window.shown.filter(at => at >= since).length", before.at_s * 1000)
    return Call(
        frames_per_s=grown("video", "framesDecoded") / took_s,
        shown_per_s=shown / (Sample.of(viewer.page).at_s - before.at_s),
        frozen_percent=100 * grown("video", "totalFreezesDuration") / took_s,
        concealed_percent=100 * grown("audio", "concealedSamples") / max(1.0, grown("audio", "totalSamplesReceived")),
        left_out=sum(entry["type"] == "videoDisabled" for entry in viewer.log()),
        dropped=dropped(publisher, viewer),
        profile=profile,
    )


def dropped(*people: Person) -> int:
    """How many had to begin anew: a second media transport, or an event that tells of a loss."""
    told = {"sessionDisconnected", "sessionReconnecting", "streamDestroyed", "connectionDestroyed", "disconnected"}
    return sum(
        any(entry["type"] in told for entry in person.log()) or Sample.of(person.page).peers > 1 for person in people
    )


def judged(percent: int, calls: Sequence[Call]) -> Figure:
    values = {
        "frames/s": fmean(one.frames_per_s for one in calls),
        "in the slowest call": min(one.frames_per_s for one in calls),
        "shown/s": fmean(one.shown_per_s for one in calls),
        "% frozen": fmean(one.frozen_percent for one in calls),
        "% of sound concealed": fmean(one.concealed_percent for one in calls),
        "times without video": float(sum(one.left_out for one in calls)),
        "dropped": float(sum(one.dropped for one in calls)),
    }
    for one in calls:
        profile = {name: round(value, 1) for name, value in one.profile.items()}
        sys.stderr.write(f"loss={percent}: {json.dumps(profile)}\n")
    bars = {
        10: (Bar("% frozen", at_most=1.0, why="router-random-loss.md"), Bar("times without video", at_most=0.0)),
        20: (
            Bar("frames/s", at_least=15.0),
            Bar("% of sound concealed", at_most=CLEAR_PERCENT),
            Bar("times without video", at_most=0.0),
        ),
        30: (Bar("dropped", at_most=0.0),),
    }
    count = "a call" if len(calls) == 1 else f"{len(calls)} calls"
    what = f"{count} in Chromium, {percent} % lost on each of the two links each way, {SECONDS} s"
    return Figure(what, "of the subscriber", values, bars.get(percent, ()))


def holes(viewer: Person) -> Figure:
    """How long after a hole the picture is back: from its end, which is its length after the last packet."""
    viewer.page.evaluate("everyMs => window.watchPackets(everyMs)", SAMPLE_MS)
    time.sleep(HOLES * EVERY_MS / 1000 + 3)
    arrived, shown = viewer.page.evaluate("() => [window.arrived, window.shown]")
    back = []
    for last, _ in gaps(arrived):
        ended = last + HOLE_MS
        after = next((at for at in shown if at > ended - SAMPLE_MS), None)
        if after is not None:
            back.append(after - ended)
    if not back:
        raise RuntimeError("no hole was seen; its packets came all the same")
    values = {"best": min(back), "worst": max(back), "holes": float(len(back)), "dropped": float(dropped(viewer))}
    what = f"the picture is back after {HOLE_MS / 1000:.0f} s of nothing"
    return Figure(what, "ms", values, (Bar("worst", at_most=1_000.0),))


def gaps(arrived: list[float]) -> Iterator[tuple[float, float]]:
    """From the last packet before each hole to the first after it."""
    return ((last, first) for last, first in pairwise(arrived) if first - last > 0.75 * HOLE_MS)
