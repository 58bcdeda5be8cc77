"""Small internets of network namespaces: a server, clients, and links between them that can be cut in silence.

Every packet between a client and the server is forwarded by a namespace in the middle, and lost there: neither side
sees an error, as on a real network. Namespaces carry the process id of their test; they go with it, or with the next.

         client 0 --- c0 \
         client 1 --- c1 -- middle -- s --- server
                  --- d1 /
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.servers import STOP_DEADLINE_S, Api, stop

T = TypeVar("T")

PREFIX = "tertulia-test-"
RUN = Path("/run/netns")
CLONE_NEWNET = 0x40000000
START_DEADLINE_S = 30
SERVER_ADDRESS = "10.77.0.2"
API_KEY = "40012345"
API_SECRET = "1f0e8d7c6b5a49382716f5e4d3c2b1a098765432"

_count = itertools.count()

# What is lost in the middle, by the interface towards the client.
_RULES = """
table inet weather {
  set cut_links { type ifname; }
  set udp_links { type ifname; }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname @cut_links drop
    oifname @cut_links drop
    iifname @udp_links meta l4proto udp drop
    oifname @udp_links meta l4proto udp drop
  }
}
"""


def missing() -> str | None:
    """Why no namespace can be made here; None if they can."""
    for program in ("ip", "nft", "nsenter", "tc"):
        if shutil.which(program) is None:
            return f"the program {program} is missing"
    name = f"{PREFIX}{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces need root: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return None


class Place:
    """One namespace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = RUN / name
        _ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> None:
        """Runs `ip` inside."""
        _ip("-n", self.name, *arguments)

    def command(self, *command: str) -> list[str]:
        """The command that runs `command` inside."""
        return ["nsenter", f"--net={self.path}", *command]

    def inside(self, work: Callable[[], T]) -> T:
        """Runs `work` in a thread that is inside; sockets that it makes stay there."""

        def enter_and_work() -> T:
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
            finally:
                os.close(descriptor)
            return work()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(enter_and_work).result()

    def program(self, folder: Path, executable: str) -> Path:
        """A program that runs `executable` inside, for those who want a path."""
        script = folder / f"{Path(executable).name}-in-{self.name}"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(self.command(executable))} "$@"\n')
        script.chmod(0o755)
        return script


class Client(Place):
    """A namespace with a link to the server, and a second one that it may move to."""

    def __init__(self, name: str, middle: Place, index: int) -> None:
        super().__init__(name)
        self.link = f"c{index}"
        self._middle = middle
        self._links = [(f"c{index}", f"10.77.{index + 1}"), (f"d{index}", f"10.78.{index + 1}")]
        for (outer, subnet), inner in zip(self._links, ("near0", "near1"), strict=True):
            _ip("-n", name, "link", "add", inner, "type", "veth", "peer", "name", outer, "netns", middle.name)
            middle.ip("address", "add", f"{subnet}.1/24", "dev", outer)
            middle.ip("link", "set", outer, "up")
        self._attach(0)

    def move(self) -> None:
        """Leaves the first network for the second: another interface, another address, another way out."""
        self.ip("address", "flush", "dev", "near0")
        self.ip("link", "set", "near0", "down")
        self._attach(1)
        self.link = self._links[1][0]

    def _attach(self, which: int) -> None:
        subnet, inner = self._links[which][1], f"near{which}"
        self.ip("address", "add", f"{subnet}.2/24", "dev", inner)
        self.ip("link", "set", inner, "up")
        self.ip("route", "add", "default", "via", f"{subnet}.1")


class Network:
    """A server's namespace and those of its clients, until the end of the `with` block."""

    def __init__(self) -> None:
        _remove_leftovers()
        self._name = f"{PREFIX}{os.getpid()}-{next(_count)}"
        self._places: list[Place] = []
        self._clients = 0

    def __enter__(self) -> Self:
        try:
            self._middle = self._add(Place(f"{self._name}-middle"))
            self.server = self._add(Place(f"{self._name}-server"))
            self.server.ip("link", "add", "far", "type", "veth", "peer", "name", "s", "netns", self._middle.name)
            for place, device, address in ((self.server, "far", SERVER_ADDRESS), (self._middle, "s", "10.77.0.1")):
                place.ip("address", "add", f"{address}/24", "dev", device)
                place.ip("link", "set", device, "up")
            self.server.ip("route", "add", "default", "via", "10.77.0.1")
            self._middle.inside(lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
            self._nft(_RULES)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def client(self) -> Client:
        """Another client's namespace."""
        index = self._clients
        self._clients += 1
        client = Client(f"{self._name}-client{index}", self._middle, index)
        self._add(client)
        return client

    def cut(self, *clients: Client) -> None:
        """Drops every packet from and to these clients."""
        self._change("add", "cut_links", clients)

    def heal(self, *clients: Client) -> None:
        """Lets packets through again."""
        self._change("delete", "cut_links", clients)

    def narrow(self, client: Client, bits_per_second: int, *, inwards: bool = False) -> None:
        """Lets no more than that out of the client's namespace, or into it; what waits longer than 0.3 s is dropped."""
        kind = ("tbf", "rate", f"{bits_per_second}bit", "burst", "3kb", "latency", "300ms")
        self._queue(client, "add", *kind, inwards=inwards)

    def widen(self, client: Client, *, inwards: bool = False) -> None:
        """Takes that away again."""
        self._queue(client, "delete", inwards=inwards)

    def _queue(self, client: Client, verb: str, *kind: str, inwards: bool) -> None:
        place, device = (self._middle, client.link) if inwards else (client, "near0")
        subprocess.run(place.command("tc", "qdisc", verb, "dev", device, "root", *kind), check=True)

    def block_udp(self, *clients: Client) -> None:
        """Drops every UDP packet from and to these clients."""
        self._change("add", "udp_links", clients)

    def _change(self, verb: str, kind: str, clients: tuple[Client, ...]) -> None:
        links = ", ".join(f'"{client.link}"' for client in clients)
        self._nft(f"{verb} element inet weather {kind} {{ {links} }}")

    def _nft(self, rules: str) -> None:
        subprocess.run(self._middle.command("nft", "-f", "-"), input=rules, text=True, check=True)

    def _add(self, place: Place) -> Place:
        self._places.append(place)
        return place

    def _remove(self) -> None:
        for place in self._places:
            subprocess.run(["ip", "netns", "delete", place.name], check=False, capture_output=True)
        self._places = []


class DistantServer(Api):
    """A `tertulia serve` in a namespace, with its data in `folder`; `sessions` are its `[sessions]` settings."""

    def __init__(self, place: Place, folder: Path, port: int = 8080, **sessions: float) -> None:
        super().__init__(f"http://{SERVER_ADDRESS}:{port}", API_KEY, API_SECRET)
        self._place = place
        folder.mkdir(exist_ok=True)
        self._log_path = folder / "server.log"
        self._config = folder / "tertulia.toml"
        limits = "".join(f"{name} = {value}\n" for name, value in sessions.items())
        self._config.write_text(
            f'data_folder = "{folder}"\n'
            f'[http]\naddresses = ["{SERVER_ADDRESS}"]\nport = {port}\n'
            f'[media]\naddresses = ["{SERVER_ADDRESS}"]\nport = {port + 1}\n'
            f"[sessions]\n{limits}"
            f'[[projects]]\napi_key = "{API_KEY}"\napi_secret = "{API_SECRET}"\n'
        )

    def __enter__(self) -> Self:
        self._log = self._log_path.open("wb")
        command = [sys.executable, "-m", "tertulia", "serve", "--config", str(self._config)]
        self._process = subprocess.Popen(self._place.command(*command), stdout=self._log, stderr=self._log)
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            stop(self._process, STOP_DEADLINE_S)
        finally:
            self._log.close()

    def create_session(self, *, e2ee: bool = False) -> str:
        return self._place.inside(functools.partial(super().create_session, e2ee=e2ee))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while not self._place.inside(self._is_ready):
            assert time.monotonic() < deadline, self._log_path.read_text()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                raise AssertionError(self._log_path.read_text())

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {shlex.join(arguments)}: {done.stderr.strip()}")


def _remove_leftovers() -> None:
    """Removes the namespaces of tests that were killed."""
    for name in _leftovers():
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _leftovers() -> Iterator[str]:
    for path in RUN.glob(f"{PREFIX}*"):
        owner = path.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            yield path.name
