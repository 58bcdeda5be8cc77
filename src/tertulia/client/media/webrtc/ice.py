"""ICE towards an ICE-lite server (RFC 8445, RFC 7675): we check and nominate, the server answers.

The server's addresses are in its answer and it learns ours from our checks, so that nothing is gathered.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import Callable, Sequence

from tertulia.client.media.webrtc.stun import binding_request, successful_transaction

Address = tuple[str, int]

FIRST_CHECK_S = 0.05
"""Between the first two checks; doubles up to LONGEST_CHECK_S. The smallest pace that RFC 8445 section 14.2 allows."""

LONGEST_CHECK_S = 0.8
CONSENT_S = 2.5
"""Between checks of a path that works. RFC 7675 section 5.1 asks for 5 s; twice the pace shows a dead path sooner."""

SILENT_CHECKS = 2
"""So many checks in a row without an answer mean that nothing passes now. Our own choice."""

CONSENT_EXPIRES_S = 30.0
"""Without an answer for so long the path is given up (RFC 7675 section 5.1)."""

TRANSACTIONS = 64
"""Checks whose answers are still taken."""


class IceAgent:
    """The path to the server. It owns the sockets.

    Without a task: one timer stands at the next check.
    """

    def __init__(self, on_datagram: Callable[[bytes], None], on_flow: Callable[[bool | None], None]) -> None:
        """Takes who gets datagrams that are not STUN, and who hears whether they pass; None when they never will."""
        self._on_datagram = on_datagram
        self._on_flow = on_flow
        self._tie_breaker = secrets.randbits(64)
        self._sockets: dict[int, asyncio.DatagramTransport] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._remote: Sequence[Address] = ()
        self._remote_ufrag = self._remote_password = ""
        self._selected: tuple[asyncio.DatagramTransport, Address] | None = None
        self._valid: set[Address] = set()
        self._transactions: dict[bytes, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._flows = False
        self._unanswered = 0
        self._started_s = self._answered_s = 0.0
        self._pause_s = FIRST_CHECK_S
        self._closed = False
        self.renew()

    def renew(self) -> None:
        """Makes new credentials, for the next offer."""
        self.ufrag, self.password = secrets.token_hex(4), secrets.token_hex(12)
        self._offered = (self.ufrag, self.password)

    def start(self, ufrag: str, password: str, addresses: Sequence[Address]) -> None:
        """Looks for a path to one of these addresses. With other credentials than before it looks for a new one."""
        if self._closed or (ufrag, password) == (self._remote_ufrag, self._remote_password):
            return
        self._remote_ufrag, self._remote_password, self._remote = ufrag, password, addresses
        self._local_ufrag = self.ufrag
        self._close_sockets()
        self._selected = None
        self._valid.clear()
        self._transactions.clear()
        self._pause_s, self._unanswered = FIRST_CHECK_S, 0
        loop = asyncio.get_running_loop()
        self._started_s = self._answered_s = loop.time()
        for version in sorted({_version(host) for host, _ in addresses}):
            task = loop.create_task(self._open(version, "0.0.0.0" if version == 4 else "::"), name="tertulia ice")  # noqa: S104 - a client's socket
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def send(self, datagram: bytes) -> None:
        """Sends to the server. Without a path it is dropped."""
        if self._selected is not None:
            socket, address = self._selected
            socket.sendto(datagram, address)

    def close(self) -> None:
        """Closes the sockets and stops the timer."""
        self._closed = True
        self._close_sockets()
        self._selected = None

    def _close_sockets(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._opening:
            task.cancel()
        for socket in self._sockets.values():
            socket.close()
        self._sockets.clear()

    async def _open(self, version: int, wildcard: str) -> None:
        with contextlib.suppress(OSError):  # a machine without this version of IP: the other one may do
            socket, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(wildcard, 0)
            )
            self._sockets[version] = socket
        if self._timer is None:
            self._check()

    def _check(self) -> None:
        """Sends a check to every address, or to the one that answers, and sets the timer for the next."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - max(self._answered_s, self._started_s) > CONSENT_EXPIRES_S:
            self._timer = None
            self._selected = None
            self._tell(flows=None)
            return
        if self._selected is not None:
            self._unanswered += 1
            if self._unanswered > SILENT_CHECKS:
                self._tell(flows=False)
            self._request(*self._selected)
            pause_s = CONSENT_S if self._unanswered <= 1 else CONSENT_S / 2
        else:
            for host, port in self._remote:
                if (socket := self._sockets.get(_version(host))) is not None:
                    self._request(socket, (host, port))
            pause_s = self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_CHECK_S)
        self._timer = loop.call_later(pause_s, self._check)

    def _request(self, socket: asyncio.DatagramTransport, address: Address) -> None:
        transaction = secrets.token_bytes(12)
        message = binding_request(
            transaction,
            username=f"{self._remote_ufrag}:{self._local_ufrag}",
            password=self._remote_password,
            priority=0x7EFFFFFF,  # a host candidate of the first component (RFC 8445 section 5.1.2)
            tie_breaker=self._tie_breaker,
        )
        self._transactions[transaction] = None
        if len(self._transactions) > TRANSACTIONS:
            del self._transactions[next(iter(self._transactions))]
        socket.sendto(message, address)

    def received(self, socket: asyncio.DatagramTransport, datagram: bytes, address: Address) -> None:
        """A datagram has come. Called by a socket."""
        if not datagram or self._closed:
            return
        if datagram[0] > 3:  # RFC 7983 section 7
            # From whichever of its addresses: the server chooses among the valid pairs by itself (RFC 8445 section 12).
            if address in self._valid:
                self._on_datagram(datagram)
            return
        transaction = successful_transaction(datagram, self._remote_password)
        if transaction is None or transaction not in self._transactions:
            return
        del self._transactions[transaction]
        self._valid.add(address)
        self._answered_s, self._unanswered = asyncio.get_running_loop().time(), 0
        if self._selected is None:
            self._selected = (socket, address)
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(CONSENT_S, self._check)
        self._tell(flows=True)

    def _tell(self, *, flows: bool | None) -> None:
        if flows != self._flows:
            self._flows = bool(flows)
            self._on_flow(flows)


class _Datagrams(asyncio.DatagramProtocol):
    """One socket of an agent."""

    _transport: asyncio.DatagramTransport

    def __init__(self, agent: IceAgent) -> None:
        self._agent = agent

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # asyncio gives it
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._agent.received(self._transport, data, (addr[0], addr[1]))


def _version(host: str) -> int:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 4
