"""A publisher whose uplink is too narrow for video keeps its sound, and its video comes back by itself."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from tests.e2e.far import FarBrowser
from tests.network import DistantServer, Network, missing

DEADLINE_S = 45


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.timeout(240)
def test_a_narrow_uplink_takes_the_video_away_and_a_wide_one_brings_it_back(
    playwright: Playwright, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        server = stack.enter_context(DistantServer(network.server, tmp_path / "server"))
        narrow = network.client()
        far, near = (FarBrowser(stack, playwright, place, tmp_path) for place in (narrow, network.client()))
        session_id = server.create_session()
        ann, bob = far.arrive(server, session_id), near.arrive(server, session_id)
        stream = ann.publish(resolution="320x240", frameRate=15, audioFallback={"publisher": True})
        bob.watches(stream)

        def waits_for(type: str) -> float:
            condition = "type => person.log.some(e => e.source === 'publisher' && e.type === type)"
            ann.wait(condition, type, deadline_s=DEADLINE_S)
            at: float = ann.sees(type, source="publisher")["at"]
            return at

        try:
            network.narrow(narrow, 70_000)
        except subprocess.CalledProcessError:
            pytest.skip("this kernel has no token bucket (sch_tbf)")
        began = waits_for("videoDisableWarning")
        disabled = waits_for("videoDisabled")
        assert ann.sees("videoDisabled", source="publisher")["reason"] == "quality"
        bob.sees("videoDisabled", source=f"subscriber:{stream}", reason="quality")
        bob.hears(stream)

        network.widen(narrow)
        enabled = waits_for("videoEnabled")
        bob.sees("videoEnabled", source=f"subscriber:{stream}", reason="quality")
        shown = bob.page.evaluate("id => person.subscriberFrames(id)", stream)
        bob.wait("([id, shown]) => person.subscriberFrames(id) >= shown + 5", [stream, shown])
        assert ann.count("publisher", "videoDisabled") == ann.count("publisher", "videoEnabled") == 1
        figure(
            f"video left out {(disabled - began) / 1000:.0f} s after the warning,"
            f" back after {(enabled - disabled) / 1000:.0f} s"
        )
