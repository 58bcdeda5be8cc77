"""How a new supervisor finds out whether a process that was left behind answers, and gets control's sockets from it.

Control listens on a Unix socket in the run folder and hands its listening sockets to whoever connects: only this user
can. The router is asked on its link without a greeting, which it answers with a refusal and which takes the link from
nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

SOCKET = "control.sock"
ANSWER_S = 3.0
_POLL_S = 0.05
_MAX_SOCKETS = 64
# `{type: "list", id: 1}` in MessagePack, behind its length: the smallest request of the router link.
_REQUEST = b"\x82\xa4type\xa4list\xa2id\x01"
_QUESTION = struct.pack(">I", len(_REQUEST)) + _REQUEST


class Loop(Protocol):
    """The part of an event loop that `offer` needs."""

    def add_reader(self, fd: int, callback: Callable[[], object]) -> object:
        """Call back whenever `fd` can be read."""
        ...


def offer(loop: Loop, run_folder: Path, listeners: list[socket.socket]) -> socket.socket:
    """Hand `listeners` to every later supervisor, from the event loop: an answer shows that control is alive.

    Returns the socket, which is to be kept as long as this holds.
    """
    path = run_folder / SOCKET
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(draft))
    draft.chmod(0o600)
    server.listen()
    server.setblocking(False)
    draft.replace(path)
    said = json.dumps({"pid": os.getpid()}).encode()

    def answer() -> None:
        with contextlib.suppress(OSError):
            peer, _ = server.accept()
            with peer:
                socket.send_fds(peer, [said], [listener.fileno() for listener in listeners])

    loop.add_reader(server.fileno(), answer)
    return server


def take_sockets(run_folder: Path, pid: int) -> list[socket.socket]:
    """The listening sockets of the control with this number; none if it does not answer in time."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        with contextlib.suppress(OSError, ValueError), _connect(run_folder / SOCKET) as peer:
            said, numbers, _, _ = socket.recv_fds(peer, 4096, _MAX_SOCKETS)
            sockets = [socket.socket(fileno=number) for number in numbers]
            if json.loads(said)["pid"] == pid:
                return sockets
            for each in sockets:
                each.close()
        # It may have been starting when its supervisor was killed.
        if time.monotonic() >= deadline:
            return []
        time.sleep(_POLL_S)


def router_answers(link: Path, pid: int) -> bool:
    """Whether the router with this number answers on its link."""
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), _connect(link) as peer:
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            if struct.unpack("3i", credentials)[0] != pid:
                return False
            peer.sendall(_QUESTION)
            return bool(peer.recv(1))
        time.sleep(_POLL_S)
    return False


def _connect(path: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(ANSWER_S)
    try:
        peer.connect(str(path))
    except OSError:
        peer.close()
        raise
    return peer
