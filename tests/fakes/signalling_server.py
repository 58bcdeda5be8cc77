"""A signalling server inside the test: the wire of `contract/signalling.yaml` over sockets that are only objects.

It lets clients in, answers every request with success and keeps the numbers, unless the test says otherwise. It knows
no rule of sessions: the test decides what happens and tells it to the client. Messages are plain JSON, so that a
mistake in the client's own message types cannot hide here.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, Protocol

Message = dict[str, Any]


class Listener(Protocol):
    """The client's end of a socket."""

    def received(self, text: bytes) -> None: ...

    def lost(self, code: int | None) -> None: ...


class FakeSocket:
    """One socket between a client and the fake server. Each direction is one step of the event loop long."""

    def __init__(self, server: FakeSignallingServer, listener: Listener) -> None:
        self._server = server
        self._listener = listener
        self.open = True
        self.paused = False
        self._held: list[bytes] = []

    def send(self, text: bytes) -> None:
        if self.open:
            asyncio.get_running_loop().call_soon(self._server.received, self, text)

    def close(self) -> None:
        self.open = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        held, self._held = self._held, []
        for text in held:
            self._deliver(text)

    def tell(self, number: int, body: Message) -> None:
        """Sends a frame to the client."""
        asyncio.get_running_loop().call_soon(self._deliver, json.dumps([number, body]).encode())

    def tell_text(self, text: str) -> None:
        """Sends any text to the client."""
        asyncio.get_running_loop().call_soon(self._deliver, text.encode())

    def end(self, code: int | None) -> None:
        """Ends the socket as a lost network does, or with a close code."""
        asyncio.get_running_loop().call_soon(self._end, code)

    def _deliver(self, text: bytes) -> None:
        if self.paused:
            self._held.append(text)
        elif self.open:
            self._listener.received(text)

    def _end(self, code: int | None) -> None:
        if self.open:
            self.open = False
            self._listener.lost(code)


class FakeSignallingServer:
    """Accepts clients; give its `dial` to a Session.

    Attributes:
        reachable: while False no socket can be opened.
        accepts: while False sockets are opened and then nothing comes, not even an answer to `join`.
        replies: while False requests are kept in `unanswered` instead of being answered.
        heartbeat_s, reconnect_window_s: what `joined` says.
        refusal: an error with which `join` and `resume` are refused; None lets them in.
        errors: errors that the next requests of a type get, by type.
        results: what requests of a type are answered with, by type; nothing by default.
        snapshot: what `resumed` carries as its snapshot; None leaves it out.
        others: connections that are in the session before the client.
        streams: streams that are in the session before the client.
    """

    OWN = "11111111-0000-4000-8000-000000000001"

    def __init__(self) -> None:
        self.reachable = True
        self.accepts = True
        self.replies = True
        self.heartbeat_s = 10.0
        self.reconnect_window_s = 60.0
        self.refusal: Message | None = None
        self.errors: dict[str, Message] = {}
        self.results: dict[str, Message] = {}
        self.snapshot: Message | None = None
        self.others: list[Message] = []
        self.streams: list[Message] = []
        self.dialled: list[float] = []
        self.sockets: list[FakeSocket] = []
        self.frames: list[list[Any]] = []
        self.unanswered: list[tuple[int, Message]] = []
        self.number = 40
        self._joins = 0
        self._news = asyncio.Event()

    async def dial(self, address: str, listener: Listener, ssl_context: ssl.SSLContext | None) -> FakeSocket:
        """Opens a socket, as the client's own dial does."""
        self.dialled.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if not self.reachable:
            raise ConnectionRefusedError("nobody listens")
        socket = FakeSocket(self, listener)
        self.sockets.append(socket)
        return socket

    @property
    def socket(self) -> FakeSocket:
        """The newest socket."""
        return self.sockets[-1]

    @property
    def own(self) -> Message:
        """The client's connection, new for every join."""
        return {"id": f"{self.OWN[:-4]}{self._joins:04}", "creationTime": 1_000 + self._joins, "data": "own"}

    def of_type(self, type: str) -> list[list[Any]]:
        """Every frame of that type that has come, over all sockets."""
        return [frame for frame in self.frames if frame[2]["type"] == type]

    async def has(self, type: str, times: int = 1) -> list[Any]:
        """Waits until a message of that type has come `times` times, and returns the last of them."""
        while len(self.of_type(type)) < times:
            self._news.clear()
            await self._news.wait()
        frame: list[Any] = self.of_type(type)[-1]
        return frame

    def tell(self, type: str, **fields: Any) -> int:
        """Tells the client one event of the session's log; returns its number."""
        self.number += 1
        self.socket.tell(self.number, {"type": type, **fields})
        return self.number

    def notify(self, type: str, **fields: Any) -> None:
        """Tells the client something that is not in the log."""
        self.socket.tell(0, {"type": type, **fields})

    def cut(self, code: int | None = None) -> None:
        """Loses the newest socket."""
        self.socket.end(code)

    def received(self, socket: FakeSocket, text: bytes) -> None:
        """A frame of a client has come."""
        frame: list[Any] = json.loads(text)
        self.frames.append(frame)
        self._news.set()
        request_id, _, body = frame
        if not self.accepts:
            return
        match body["type"]:
            case "join" | "resume" if self.refusal is not None:
                socket.tell(0, {"type": "refused", "error": self.refusal})
                socket.end(4001)
            case "join":
                self._joins += 1
                socket.tell(0, self._joined())
            case "resume":
                snapshot = {} if self.snapshot is None else {"snapshot": self.snapshot}
                answer = {"type": "resumed", "resumeKey": f"key {len(self.frames)}", "epoch": 0, "bindings": []}
                socket.tell(0, answer | snapshot)
            case "pong":
                pass
            case "ping":
                socket.tell(0, {"type": "pong"})
            case _ if not self.replies:
                self.unanswered.append((request_id, body))
            case kind:
                error = self.errors.get(kind)
                result = {"result": self.results.get(kind, {})} if error is None else {"error": error}
                socket.tell(0, {"type": "reply", "id": request_id, **result})
                if kind == "leave":
                    socket.end(4005)

    def _joined(self) -> Message:
        return {
            "type": "joined",
            "connection": self.own,
            "connections": [*self.others, self.own],
            "streams": self.streams,
            "number": self.number,
            "role": "moderator",
            "capabilities": dict.fromkeys(
                ("publish", "subscribe", "signal", "forceDisconnect", "forceUnpublish", "forceMute"), 1
            ),
            "resumeKey": "first key",
            "heartbeatS": self.heartbeat_s,
            "reconnectWindowS": self.reconnect_window_s,
            "iceServers": [],
        }
