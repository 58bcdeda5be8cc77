"""`tertulia dev` as a developer meets it: real router, real control, one command."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import TertuliaServer

DEADLINE_S = 20
READY_S = 2.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("dev")) as running:
        yield running


def tertulia(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tertulia", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)


def get(url: str, context: ssl.SSLContext | None = None) -> bytes:
    with urllib.request.urlopen(url, timeout=DEADLINE_S, context=context) as answer:
        body: bytes = answer.read()
        return body


def eventually_get(url: str) -> bytes:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return get(url)
        except OSError:
            assert time.monotonic() < deadline


def test_one_line_of_json_tells_everything(server: TertuliaServer) -> None:
    facts = server.facts

    assert set(facts) == {"url", "api_key", "api_secret", "session_id", "tokens", "pids"}
    assert set(facts["tokens"]) == {"subscriber", "publisher", "publisheronly", "moderator"}
    assert set(facts["pids"]) == {"supervisor", "control", "router"}
    for pid in facts["pids"].values():
        os.kill(pid, 0)


def test_pages_scripts_and_documents_are_there(server: TertuliaServer) -> None:
    assert b"<html" in get(server.facts["url"])
    assert b"<html" in get(server.url + "/docs")
    assert get(server.url + "/v2/js/opentok.min.js") == get(server.url + "/v1.1/js/TB.min.js")
    assert json.loads(get(server.url + "/health/ready"))["status"] == "ready"
    assert json.loads(get(server.url + "/playground/config.json"))["sessionId"] == server.facts["session_id"]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_it_listens_on_loopback_and_nowhere_else(server: TertuliaServer, family: socket.AddressFamily) -> None:
    port = int(server.url.rpartition(":")[2])
    loopback = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}[family]
    with socket.socket(family) as other:
        # Another program can have the port on every address but loopback's.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind((loopback, port))
    assert listening_on(port) == {"0100007F", "00000000000000000000000001000000"}


def test_media_of_other_machines_is_dropped(server: TertuliaServer) -> None:
    command = Path(f"/proc/{server.facts['pids']['router']}/cmdline").read_bytes().split(b"\0")
    assert b"--local-only" in command


def listening_on(port: int) -> set[str]:
    """The local addresses with a TCP listener on this port, as the kernel writes them."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listeners = (row[1].split(":") for row in rows if row[3] == "0A")
    return {address for address, of_port in listeners if int(of_port, 16) == port}


def test_the_project_and_session_outlive_the_server(tmp_path: Path) -> None:
    lasting = ("api_key", "api_secret", "session_id")
    with TertuliaServer(tmp_path) as first:
        before = {name: first.facts[name] for name in lasting}
    with TertuliaServer(tmp_path) as second:
        assert {name: second.facts[name] for name in lasting} == before


def test_it_is_ready_within_two_seconds(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path):
        pass
    times = []
    for _ in range(3):
        began = time.monotonic()
        with TertuliaServer(tmp_path) as server:
            took_s = time.monotonic() - began
            times.append(took_s - sum(waited_s(server.facts["pids"][name]) for name in ("supervisor", "control")))
    assert min(times) < READY_S


def waited_s(pid: int) -> float:
    """How long other programs kept the process from running: the second field of /proc/pid/schedstat, in ns."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def test_the_data_folder_is_private_and_nothing_else_is_printed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with TertuliaServer(folder) as server:
        assert (folder / "run" / "router.sock").stat().st_mode & 0o077 == 0
        assert (folder / "run" / "settings.json").stat().st_mode & 0o077 == 0
        secret = server.api_secret
    assert (folder / "server.log").read_text() == ""
    for log in (folder / "log").iterdir():
        assert secret not in log.read_text()


def test_people_get_an_address_to_open(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tertulia", "dev", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while "Stop: Ctrl-C" not in (line := process.stdout.readline()):
            assert line, "it ended before it was ready"
            lines.append(line)
        text = "".join(lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    for word in ("http://localhost:", "API key", "API secret", "session id", "moderator"):
        assert word in text


def test_a_killed_control_is_back_with_the_same_session(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path) as server:
        os.kill(server.facts["pids"]["control"], signal.SIGKILL)

        config = json.loads(eventually_get(server.url + "/playground/config.json"))

        assert config["sessionId"] == server.facts["session_id"]
        os.kill(server.facts["pids"]["router"], 0)


def test_a_killed_router_is_replaced_and_control_finds_it(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path) as server:
        os.kill(server.facts["pids"]["router"], signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE_S
        known = tmp_path / "run" / "processes.json"
        while json.loads(known.read_text()).get("router", {}).get("pid") in (None, server.facts["pids"]["router"]):
            assert time.monotonic() < deadline

        while b'"ready"' not in eventually_get(server.url + "/health/ready"):
            assert time.monotonic() < deadline


def test_a_second_server_on_the_data_folder_is_refused_and_changes_nothing(server: TertuliaServer) -> None:
    files = [server.folder / "run" / name for name in ("settings.json", "plan.json")]
    before = [file.read_bytes() for file in files]

    sentence = refused(tertulia("dev", "--port", "9", "--data", server.folder))

    assert "already runs" in sentence
    assert [file.read_bytes() for file in files] == before


def test_the_children_do_not_hold_the_data_folder_themselves(server: TertuliaServer) -> None:
    lock = str(server.folder / "run" / "supervisor.lock")
    holders = [name for name, pid in server.facts["pids"].items() if lock in open_files(pid)]

    assert holders == ["supervisor"]


def open_files(pid: int) -> set[str]:
    return {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def test_colleagues_on_the_network_are_let_in_over_tls(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path, "--lan") as server:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "tls" / "certificate.pem"))

        assert server.url.startswith("https://")
        assert "localhost" not in server.url
        assert b"<html" in get(server.url, trusting)
        assert (tmp_path / "tls" / "private-key.pem").stat().st_mode & 0o077 == 0


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that could not do its work."""
    assert result.returncode not in (0, None)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_taken_port_is_one_sentence(server: TertuliaServer, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    sentence = refused(tertulia("dev", "--port", port, "--data", tmp_path))

    assert port in sentence
    assert "--port" in sentence


def test_a_taken_media_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]
        sentence = refused(tertulia("dev", "--port", str(taken - 1), "--data", tmp_path))

    assert str(taken) in sentence or "UDP port" in sentence


@pytest.mark.parametrize("what", ["a file", "below a file"])
def test_an_unusable_data_folder_is_one_sentence(tmp_path: Path, what: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    folder = file if what == "a file" else file / "below"
    sentence = refused(tertulia("dev", "--port", "0", "--data", folder))

    assert str(folder) in sentence
    assert "--data" in sentence


def test_a_path_too_long_for_a_socket_is_one_sentence(tmp_path: Path) -> None:
    assert "too long" in refused(tertulia("dev", "--port", "0", "--data", tmp_path / ("x" * 120)))


def test_a_store_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "tertulia.db").write_bytes(b"no database" * 1000)

    assert refused(tertulia("dev", "--port", "0", "--data", tmp_path))


@pytest.mark.parametrize(
    ("arguments", "status"), [(("dev", "--prt", "1"), 2), (("dev", "--port", "many"), 2), (("fly",), 2)]
)
def test_misuse_is_told_from_failure(arguments: tuple[str, ...], status: int) -> None:
    assert tertulia(*arguments).returncode == status


def administer(folder: Path, *arguments: str) -> Any:
    result = tertulia(*arguments, "--data", folder, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_server_is_administered_while_it_runs(tmp_path: Path) -> None:
    with TertuliaServer(tmp_path) as server:
        project = administer(tmp_path, "project", "create", "Demo")
        session = administer(tmp_path, "session", "create", project["api_key"])
        token = administer(tmp_path, "token", "create", session["session_id"], "--role", "moderator", "--format", "t1")

        keys = {one["api_key"] for one in administer(tmp_path, "project", "list")}
        assert keys == {project["api_key"], server.api_key}
        assert token["token"].startswith("T1==")


def test_people_get_tables(tmp_path: Path) -> None:
    made = tertulia("project", "create", "Demo", "--data", tmp_path)
    listed = tertulia("project", "list", "--data", tmp_path)

    assert "api_secret" in made.stdout
    assert listed.stdout.splitlines()[0].split()[:4] == ["api_key", "api_secret", "name", "status"]
    assert "Demo" in listed.stdout


def test_a_token_for_an_unknown_session_is_one_sentence(tmp_path: Path) -> None:
    assert "no such session" in refused(tertulia("token", "create", "2_nothing", "--data", tmp_path))


def test_production_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    config = tmp_path / "tertulia.toml"
    config.write_text("[http]\nprot = 8080\n")

    assert "prot" in refused(tertulia("serve", "--config", config))


def test_production_serves_without_a_playground_of_its_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "tertulia.toml"
    config.write_text(
        f'data_folder = "{tmp_path}/data"\n[http]\naddresses = ["127.0.0.1"]\nport = {port}\n[media]\nport = 0\n'
        '[[projects]]\napi_key = "40012345"\napi_secret = "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"\n'
    )
    command = [sys.executable, "-m", "tertulia", "serve", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert b"live" in eventually_get(f"http://127.0.0.1:{port}/health/live")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"http://127.0.0.1:{port}/playground/config.json")
        assert [one["api_key"] for one in administer(tmp_path / "data", "project", "list")] == ["40012345"]
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_a_bad_network_that_is_misspelt_is_answered_with_the_nearest_word(tmp_path: Path) -> None:
    sentence = refused(tertulia("dev", "--port", "0", "--data", tmp_path, "--impair", "los=20,delay=150"))
    assert "--impair: there is no `los`; did you mean `loss`?" in sentence
