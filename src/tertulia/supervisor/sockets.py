"""Control's listening sockets: bound here once, so that clients wait, and are not refused, while control restarts."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

from tertulia.supervisor.errors import CannotStartError

BACKLOG = 2048
# Of one connection to control, in bytes; the kernel doubles it for its own book-keeping.
SEND_BUFFER_BYTES = 131_072
# A connection whose client takes nothing of what was sent for so long is cut (TCP_USER_TIMEOUT of tcp(7)).
UNTAKEN_S = 30.0
_PORT_ATTEMPTS = 20
_NO_SUCH_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def listen(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    """Bind every address that this machine has to `port`, the same for all; 0 lets the system choose.

    Raises CannotStartError if the port is taken, not allowed, or none of the addresses is this machine's.
    """
    attempts = _PORT_ATTEMPTS if port == 0 else 1
    while True:
        attempts -= 1
        try:
            return _bind_all(addresses, port)
        except OSError as error:
            # The port that the system chose for one address may be taken on another.
            if attempts == 0:
                raise CannotStartError(_sentence(error, addresses, port)) from error


def _bind_all(addresses: tuple[str, ...], port: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    with ExitStack() as undo:
        missing: OSError | None = None
        for address in addresses:
            try:
                bound.append(undo.enter_context(_bind(address, port)))
            except OSError as error:
                # A machine without IPv6 still has a loopback address.
                if error.errno not in _NO_SUCH_ADDRESS:
                    raise
                missing = error
                continue
            port = bound[0].getsockname()[1]
        if missing is not None and not bound:
            raise missing
        undo.pop_all()
    return bound


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # What a client does not take waits in the kernel too, up to some megabytes by default; the sockets that are
        # accepted inherit both.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNTAKEN_S * 1000))
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _sentence(error: OSError, addresses: tuple[str, ...], port: int) -> str:
    where = ", ".join(addresses)
    if error.errno == errno.EADDRINUSE:
        return f"TCP port {port} is already in use; stop the program that has it, or choose another with --port."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"TCP port {port} may not be used by this user; choose one above 1023 with --port."
    return f"The server cannot listen on {where} ({error.strerror}); set addresses of this machine in http.addresses."
