"""The certificate of a server that ends TLS by itself: read again when its files change, without cutting a call."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

from tertulia.clock import Clock, MonotonicTime, TimerHandle

__all__ = ["LOOK_EVERY_S", "Certificate"]

LOOK_EVERY_S = 30.0
"""How often the files are looked at. A certificate is renewed days before its end; who is in a hurry sends SIGHUP."""

_log = structlog.get_logger(__name__)


class Certificate:
    """Keeps a TLS context up to date with two PEM files; connections that stand keep what they began with."""

    def __init__(self, context: ssl.SSLContext, certificate: Path, private_key: Path, clock: Clock) -> None:
        """Takes the context that serves, which has loaded the files just now."""
        self._context = context
        self._certificate = certificate
        self._private_key = private_key
        self._clock = clock
        self._seen = self._look()
        self._timer: TimerHandle | None = None

    def watch(self) -> None:
        """Look at the files from now on, until `close`."""
        when = MonotonicTime(self._clock.monotonic() + LOOK_EVERY_S)
        self._timer = self._clock.call_at(when, self._look_again)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def reload(self) -> bool:
        """Load the files; False, and the former certificate stays, if they are no certificate with its key."""
        self._seen = self._look()
        try:
            # In a context of its own first: a pair that does not fit would leave the serving one with half of it.
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._certificate, self._private_key)
            self._context.load_cert_chain(self._certificate, self._private_key)
        except (OSError, ssl.SSLError) as error:
            _log.error(
                "the certificate could not be read; the former one stays", file=str(self._certificate), error=str(error)
            )
            return False
        _log.info("certificate read again", file=str(self._certificate))
        return True

    def _look_again(self) -> None:
        if self._look() != self._seen:
            self.reload()
        self.watch()

    def _look(self) -> tuple[object, ...]:
        return tuple(_state(file) for file in (self._certificate, self._private_key))


def _state(file: Path) -> object:
    """What changes when a file is replaced or written to; None if it is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
