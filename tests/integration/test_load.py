"""`tertulia load` against a server of the test's own: what it counts is what happened, and it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.sync.client import connect

from tests.servers import TertuliaServer

DEADLINE_S = 40
# Control needs more than twice as long to come back: media that waited for it would show.
LONGEST_GAP_MS = 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("load")) as running:
        yield running


def command(server: TertuliaServer, *options: str, url: str | None = None) -> list[str]:
    where = ["--url", url or server.url, "--data", str(server.folder)]
    return [sys.executable, "-m", "tertulia", "load", "--ramp", "0", *where, *options]


def load(server: TertuliaServer, *options: str) -> dict[str, Any]:
    """The result of a run in which everybody joined and left in order."""
    done = subprocess.run(
        command(server, "--json", "--seed", "1", *options), capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["type"] for line in lines if line["type"] != "progress"] == ["ready", "stopped", "result"]
    result: dict[str, Any] = lines[-1]
    assert result["failures"] == []
    return result


def transports(server: TertuliaServer) -> list[dict[str, Any]]:
    """What the router itself says, asked as a control would."""
    (path,) = server.folder.rglob("router.sock")
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(DEADLINE_S)
        link.connect(str(path))

        def ask(number: int, kind: str, **fields: int) -> dict[str, Any]:
            frame = msgspec.msgpack.encode({"type": kind, "id": number, **fields})
            link.sendall(struct.pack(">I", len(frame)) + frame)
            while True:
                (length,) = struct.unpack(">I", link.recv(4, socket.MSG_WAITALL))
                answer: dict[str, Any] = msgspec.msgpack.decode(link.recv(length, socket.MSG_WAITALL))
                if answer.get("id") == number:
                    result: dict[str, Any] = answer["result"]
                    return result

        ask(1, "hello", version=1, oldest_version=1)
        listing: list[dict[str, Any]] = ask(2, "list")["transports"]
        return listing


def connections(server: TertuliaServer, session_id: str) -> int:
    """Connections of the session besides the one that looks."""
    with connect(server.url.replace("http", "ws", 1) + "/signalling", compression=None) as client:
        client.send(json.dumps([0, 0, {"type": "join", "token": server.token(session_id)}]))
        body = json.loads(client.recv(timeout=DEADLINE_S))[1]
        client.send(json.dumps([1, 0, {"type": "leave"}]))
        return len(body["connections"]) - 1


def assert_nothing_is_left(server: TertuliaServer, session_id: str) -> None:
    assert connections(server, session_id) == 0
    assert_no_transport_is_left(server)


def assert_no_transport_is_left(server: TertuliaServer) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while left := transports(server):
        assert time.monotonic() < deadline, left


def test_one_publisher_reaches_ten_subscribers_without_loss(server: TertuliaServer) -> None:
    result = load(server, "--subscribers", "10", "--duration", "2", "--bitrate", "400000")

    assert result["clients"] == {"planned": 11, "joined": 11, "failed": 0, "replaced": 0, "left": 11}
    assert result["subscriptions"] == {"planned": 10, "started": 10, "silent": 0, "refused": 0}
    delivery = result["delivery"]
    # What this machine was too busy to read is no loss of the server's.
    assert delivery["lost"] <= result["generator"]["dropped_unread"]
    assert (delivery["duplicates"], delivery["foreign"]) == (0, 0)
    for kind in ("audio", "video"):
        assert result[kind]["packets_sent"] > 60
        assert result[kind]["packets_received"] > 9 * 60
        assert 0 < result[kind]["latency_ms"]["p50"] < 500
    assert delivery["expected"] >= 0.8 * 10 * (result["audio"]["packets_sent"] + result["video"]["packets_sent"]) / 2
    assert result["key_frames"] >= 1


def test_churn_leaves_nothing_behind(server: TertuliaServer) -> None:
    session_id = server.create_session()

    result = load(
        server,
        *("--session", session_id, "--subscribers", "2", "--participants", "2"),
        *("--churn", "8", "--duration", "2", "--bitrate", "200000"),
    )

    clients = result["clients"]
    assert clients["replaced"] >= 8
    assert clients["left"] == 5 + clients["replaced"]
    # Churn may take a client that is not in yet.
    assert 5 < clients["joined"] <= clients["left"]
    if clients["joined"] == clients["left"]:
        assert_nothing_is_left(server, session_id)
    else:  # Whoever was taken while joining is waited for, as one whose network was lost.
        assert connections(server, session_id) <= clients["left"] - clients["joined"]
        assert_no_transport_is_left(server)


def test_pairs_call_each_other_in_sessions_of_their_own(server: TertuliaServer) -> None:
    result = load(server, "--publishers", "0", "--subscribers", "0", "--pairs", "2", "--duration", "0.5")

    assert result["clients"]["left"] == 4
    assert result["subscriptions"]["started"] == 4, "one of each, none across"


def test_packets_that_are_dropped_on_purpose_are_counted_as_lost(server: TertuliaServer) -> None:
    result = load(server, "--subscribers", "4", "--bitrate", "0", "--drop", "20", "--duration", "2")

    dropped, lost = result["generator"]["dropped_on_purpose"], result["delivery"]["lost"]
    unread = result["generator"]["dropped_unread"]
    assert 0.1 < dropped / (dropped + result["audio"]["packets_received"]) < 0.3
    # What was dropped before a subscriber had its first packet is not missed.
    assert 0.8 * dropped <= lost <= dropped + unread


def test_dropped_video_is_repaired(server: TertuliaServer) -> None:
    result = load(server, "--subscribers", "4", "--audio-bytes", "0", "--drop", "5", "--duration", "2")

    assert result["generator"]["dropped_on_purpose"] > 20
    assert result["delivery"]["reordered"] > 0, "what is sent again comes late"
    assert result["delivery"]["lost"] < 0.5 * result["generator"]["dropped_on_purpose"]


def test_a_network_that_was_made_bad_loses_and_delays_what_it_was_asked_to(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path, "--impair", "loss=3,delay=60,jitter=20") as bad:
        assert bad.facts["impair"] == "loss=3,delay=60,jitter=20"
        result = load(bad, "--subscribers", "3", "--bitrate", "0", "--duration", "2")

    assert result["audio"]["latency_ms"]["p50"] >= 2 * 60, "both ways"
    # About six of a hundred; of so few packets it may be less or more, but not none.
    assert 0 < result["delivery"]["lost_percent"] < 30


def test_an_interrupted_run_says_goodbye_and_tells_its_result(server: TertuliaServer) -> None:
    session_id = server.create_session()
    run = command(server, "--json", "--session", session_id, "--subscribers", "3", "--duration", "300")
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = next(line for line in process.stdout if json.loads(line)["type"] == "ready")
        assert json.loads(ready)["complete"]
        process.send_signal(signal.SIGINT)
        result = json.loads(process.stdout.read().splitlines()[-1])
        assert process.wait(DEADLINE_S) == 0

    assert (result["type"], result["clients"]["left"]) == ("result", 4)
    assert_nothing_is_left(server, session_id)


def test_a_run_goes_on_when_the_router_is_killed(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path) as server:
        run = command(server, "--json", "--participants", "2", "--subscribers", "1", "--duration", "4")
        with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = map(json.loads, process.stdout)
            assert next(line for line in lines if line["type"] == "ready")["complete"]
            os.kill(server.facts["pids"]["router"], signal.SIGKILL)
            result = list(lines)[-1]
            assert process.wait(DEADLINE_S) == 0

    assert result["failures"] == []
    assert result["recovery"]["media_replaced"] >= 4, "everybody's transport"
    # What publishers made meanwhile is lost, and media came back.
    assert 0 < result["delivery"]["lost"] < result["delivery"]["expected"]
    assert 100 < result["delivery"]["longest_gap_ms"] < 4_000


def test_control_is_killed_and_no_packet_stops(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path) as server:
        run = command(server, "--json", "--subscribers", "4", "--duration", "8", "--bitrate", "400000")
        with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = map(json.loads, process.stdout)
            assert next(line for line in lines if line["type"] == "ready")["complete"]
            assert next(lines)["type"] == "progress", "a second of media"
            os.kill(server.facts["pids"]["control"], signal.SIGKILL)
            result = list(lines)[-1]
            assert process.wait(DEADLINE_S) == 0

    assert result["failures"] == []
    assert result["clients"] == {"planned": 5, "joined": 5, "failed": 0, "replaced": 0, "left": 5}
    assert result["recovery"] == {"sockets_lost": 5, "sockets_resumed": 5, "media_replaced": 0}
    delivery, generator = result["delivery"], result["generator"]
    assert delivery["expected"] > 7 * 4 * 50, "audio alone for 7 of the 8 seconds"
    # What this machine was too busy to read is no loss of the server's; and one in a thousand for its busy kernel.
    assert delivery["lost"] <= generator["dropped_unread"] + delivery["expected"] / 1000
    late_ms = sum(generator[name]["max"] for name in ("sending_late_ms", "reading_late_ms") if generator[name])
    assert delivery["longest_gap_ms"] < LONGEST_GAP_MS + late_ms


def refusal(*words: str, text: str = "") -> str:
    """The one sentence of a command that fails."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_server_that_is_away_is_named(server: TertuliaServer, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("T1==anything")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert "No Tertulia server answers at" in refusal(*command(server, url=url))
        assert "no server answers at" in refusal(*command(server, "--token-file", str(token), url=url))


def test_a_token_or_secret_that_the_server_refuses_is_named(server: TertuliaServer) -> None:
    refused = refusal(*command(server, "--token-file", "-"), text="T1==anything")
    assert "the server refused a client" in refused
    assert "T1==anything" not in refused
    with_secret = command(server, "--api-key", server.api_key, "--secret-file", "-")
    assert "refused the project's key and secret" in refusal(*with_secret, text="0" * 40)


def test_another_machine_is_loaded_with_permission_only(server: TertuliaServer) -> None:
    assert "--i-have-permission" in refusal(*command(server, url="http://192.0.2.1"))


def test_nonsense_is_refused(server: TertuliaServer) -> None:
    for options, sentence in (
        (("--publishers", "0", "--subscribers", "0"), "There is no client to join"),
        (("--subscribers", "-1"), "not negative"),
        (("--duration", "601"), "--no-limits"),
        (("--session", "nowhere"), "the server refused a client"),
    ):
        assert sentence in refusal(*command(server, *options)), options
