"""Whoever has a network too narrow for video keeps the sound, both ways, and the video comes back by itself."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.e2e.far import FarBrowser
from tests.e2e.person import Person
from tests.network import DistantServer, Network, missing

DEADLINE_S = 60


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.timeout(300)
def test_a_narrow_network_takes_the_video_away_both_ways_and_a_wide_one_brings_it_back(
    playwright: Playwright, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        server = stack.enter_context(DistantServer(network.server, tmp_path / "server"))
        narrow = network.client()
        far, near = (FarBrowser(stack, playwright, place, tmp_path) for place in (narrow, network.client()))
        session_id = server.create_session()
        ann, bob = far.arrive(server, session_id), near.arrive(server, session_id)
        anns = ann.publish(resolution="320x240", frameRate=15, audioFallback={"publisher": True})
        bobs = bob.publish(resolution="320x240", frameRate=15)
        bob.watches(anns)
        ann.watches(bobs)
        sending, receiving = "publisher", f"subscriber:{bobs}"

        def waits_for(source: str, type: str, person: Person = ann) -> float:
            # What is told goes through the narrow network as well, where TCP backs off for many seconds.
            condition = f"type => person.log.some(e => e.source === '{source}' && e.type === type)"
            person.wait(condition, type, deadline_s=DEADLINE_S)
            event = person.sees(type, source=source)
            if type != "videoDisableWarning":
                assert event["reason"] == "quality"
            at: float = event["at"]
            return at

        try:
            network.narrow(narrow, 70_000)
            network.narrow(narrow, 70_000, inwards=True)
        except subprocess.CalledProcessError:
            pytest.skip("this kernel has no token bucket (sch_tbf)")
        times = {}
        for source in (sending, receiving):
            times[source] = [waits_for(source, type) for type in ("videoDisableWarning", "videoDisabled")]
        waits_for(f"subscriber:{anns}", "videoDisabled", bob)
        bob.hears(anns)
        ann.hears(bobs)

        network.widen(narrow)
        network.widen(narrow, inwards=True)
        for source in (sending, receiving):
            times[source].append(waits_for(source, "videoEnabled"))
        waits_for(f"subscriber:{anns}", "videoEnabled", bob)
        for person, stream in ((bob, anns), (ann, bobs)):
            shown = person.page.evaluate("id => person.subscriberFrames(id)", stream)
            person.wait("([id, shown]) => person.subscriberFrames(id) >= shown + 5", [stream, shown])
        assert bob.count("publisher", "videoDisabled") == 0
        for source, (began, disabled, enabled) in times.items():
            figure(
                f"{source.split(':')[0]}: video left out {(disabled - began) / 1000:.0f} s after the warning,"
                f" back after {(enabled - disabled) / 1000:.0f} s"
            )
