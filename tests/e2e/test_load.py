"""What `tertulia load` publishes is what a browser decodes, and a browser's stream counts like any other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable

from tests.e2e.person import Person
from tests.servers import TertuliaServer

DEADLINE_S = 20


def test_a_browser_shows_the_colour_bars_of_the_load_generator(
    arrive: Callable[..., Person], server: TertuliaServer, session_id: str
) -> None:
    ann = arrive()
    anns = ann.publish()
    command = [sys.executable, "-m", "tertulia", "load", "--url", server.url, "--data", str(server.folder), "--json"]
    command += ["--session", session_id, "--subscribers", "1", "--bitrate", "300000", "--duration", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            bars = ann.sees("streamCreated", times=1)["streams"][0]
            ann.watches(bars)
            colours = ann.page.evaluate(
                """() => {
                    const video = document.querySelector('.OT_subscriber video');
                    const canvas = new OffscreenCanvas(8, 1);
                    const painter = canvas.getContext('2d');
                    painter.drawImage(video, 0, 0, 8, 1);
                    const {data} = painter.getImageData(0, 0, 8, 1);
                    return Array.from({length: 8}, (_, bar) => [data[4 * bar], data[4 * bar + 1], data[4 * bar + 2]]);
                }"""
            )
        finally:
            process.send_signal(signal.SIGINT)
        result = json.loads(process.stdout.read().splitlines()[-1])
        assert process.wait(DEADLINE_S) == 0
    brightness = [sum(colour) for colour in colours]
    assert brightness[0] > 500 > 100 > brightness[-1], colours
    assert len(set(map(tuple, colours))) == 8
    assert anns != bars
    assert result["delivery"]["foreign"] > 0, "the browser's own packets came too"
