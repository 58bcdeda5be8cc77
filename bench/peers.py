"""Another media server on the same machine, in the same run, with the same clients and packets: Janus, if installed.

Its VideoRoom plugin forwards what one publisher sends to a hundred, with real ICE, DTLS and SRTP; everything of it is
pinned to the router's core. `apt-get install janus` gives it on Debian.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.router import (
    AUDIO_BYTES,
    FIRST_BITRATE,
    RECEIVERS,
    ROOT,
    ROUTER_CORE,
    SECONDS,
    VIDEO_BYTES,
    build_example,
    busy_s,
    cpu_s,
    pin,
)

ADAPTER = ROOT / "target" / "release" / "examples" / "janus"
START_S = 20
TIMES = 2
# A quarter of ours, so that its core has some air.
AUDIO_PUBLISHERS, AUDIO_FRAME_MS = 5, 10

# One event loop: on one core more threads only take it from each other.
GENERAL = """
general: {{
    configs_folder = "{folder}"
    log_to_stdout = true
    debug_level = 2
    event_loops = 1
    session_timeout = 300
}}
media: {{ ipv6 = false }}
nat: {{ ice_enforce_list = "{ip}" }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
"""
WEBSOCKETS = """
general: {{
    json = "compact"
    ws = true
    ws_ip = "127.0.0.1"
    ws_port = {port}
    wss = false
}}
admin: {{ admin_ws = false }}
"""


def peer_figures() -> list[Figure]:
    """About a minute and a half; nothing where Janus is not installed."""
    if shutil.which("janus") is None:
        return []
    build_example("janus")
    video = f"video, {VIDEO_BYTES}-byte packets, 1 publisher to {RECEIVERS}"
    audio = f"audio, {AUDIO_BYTES}-byte packets every {AUDIO_FRAME_MS} ms, {AUDIO_PUBLISHERS} publishers to {RECEIVERS}"
    figures = []
    for what, kind, publishers, rate, size in (
        (video, "video", 1, FIRST_BITRATE, VIDEO_BYTES),
        (audio, "audio", AUDIO_PUBLISHERS, AUDIO_FRAME_MS, AUDIO_BYTES),
    ):
        try:
            figures += measured(what, kind, publishers, rate, size)
        except RuntimeError as error:
            # What another server cannot do on this machine is no reason to go without our own figures.
            sys.stderr.write(f"{what}: {error}\n")
    return figures


def measured(what: str, kind: str, publishers: int, rate: int, packet_bytes: int) -> list[Figure]:
    """The best of some runs, each with a Janus of its own."""
    runs = [run(kind, publishers, rate, packet_bytes) for _ in range(TIMES)]
    packets, busy, cpu, latency = max(runs, key=lambda one: one[0] / one[1])
    name = f"Janus {version()}, {what}"
    return [
        Figure(f"{name}: packets per busy second of one core, best of {TIMES}", "packets/s", {"Janus": packets / busy}),
        Figure(
            f"{name}: time of one packet", "µs", {"Janus's CPU": 1e6 * cpu / packets, "core busy": 1e6 * busy / packets}
        ),
        Figure(f"{name}: latency, {100 * busy / SECONDS:.0f} % busy", "ms", latency),
    ]


def run(kind: str, publishers: int, rate: int, packet_bytes: int) -> tuple[int, float, float, dict[str, float]]:
    """Packets, busy and processor seconds between `ready` and `stopped`, and the latency."""
    with janus() as (process, port, ip):
        command = [str(ADAPTER), f"127.0.0.1:{port}", ip, kind, str(publishers), str(RECEIVERS)]
        command += [str(rate), str(packet_bytes), str(SECONDS)]
        samples: dict[str, tuple[int, float, float]] = {}
        line: dict[str, Any] = {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as adapter:
            assert adapter.stdout is not None
            assert adapter.stderr is not None
            for text in adapter.stdout:
                line = json.loads(text)
                samples[line["type"]] = (line["packets_received"], busy_s(), cpu_s(process.pid))
            words = adapter.stderr.read()
        if line.get("type") != "result":
            raise RuntimeError(f"the clients of Janus failed: {words}")
    before, after = samples["ready"], samples["stopped"]
    packets, busy, cpu = (last - first for first, last in zip(before, after, strict=True))
    return int(packets), busy, cpu, line["latency_ms"]


@contextmanager
def janus() -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """Janus on the router's core, nothing but its VideoRoom and WebSockets; its port, and the address of its media."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port, ip = free_port(), own_address()
        installed = Path("/usr/lib") / f"{machine_triplet()}" / "janus"
        others = {
            what: ",".join(sorted(file.name for file in (installed / what).glob("*.so") if keep not in file.name))
            for what, keep in (("plugins", "videoroom"), ("transports", "websockets"))
        }
        (folder / "janus.jcfg").write_text(GENERAL.format(folder=folder, ip=ip, **others))
        (folder / "janus.transport.websockets.jcfg").write_text(WEBSOCKETS.format(port=port))
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")
        with (folder / "janus.log").open("wb") as log:
            process = subprocess.Popen(["janus", "-F", str(folder)], stdout=log, stderr=log)
        try:
            wait_for(port, process, folder / "janus.log")
            pin(process.pid, {ROUTER_CORE})
            yield process, port, ip
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"Janus did not start: {log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_address() -> str:
    """An address of this machine but loopback, which Janus does not use; what goes there stays on the machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: the kernel only chooses the address that it would send from.
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def machine_triplet() -> str:
    """The folder of this architecture's libraries on Debian."""
    folders = [one.parent.name for one in Path("/usr/lib").glob("*/janus")]
    return folders[0] if folders else ""


def version() -> str:
    done = subprocess.run(["janus", "--version"], capture_output=True, text=True, check=False)
    words = done.stdout.split() + done.stderr.split()
    return next((word.strip("()") for word in words if word.startswith("(")), "")
