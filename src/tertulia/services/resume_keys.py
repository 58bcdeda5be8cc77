"""Resume keys: proof of a seat that verifies without memory."""

import hashlib
import hmac

from tertulia.clock import WallTime
from tertulia.errors import AuthenticationError
from tertulia.ids import ConnectionId

__all__ = ["LIFETIME_S", "ResumeKeys"]

LIFETIME_S = 30 * 24 * 3600
"""As long as a token may live: a key is made when a socket begins and must serve until that socket's end."""

_MAX_LENGTH = 128


class ResumeKeys:
    """Makes and checks resume keys: `1.{generation}.{expiry in ms}.{MAC}`.

    The MAC (HMAC-SHA256, hexadecimal) covers connection, generation and expiry. Whether the seat is still held and the
    generation still good is the session's to decide, so a key dies with its seat.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def mint(self, connection_id: ConnectionId, generation: int, now: WallTime) -> str:
        """Return a key of this generation for a connection."""
        expires_at = now + LIFETIME_S * 1000
        return f"1.{generation}.{expires_at}.{self._mac(connection_id, generation, expires_at)}"

    def verify(self, connection_id: str, key: str, now: WallTime) -> int:
        """Return the generation of a genuine key.

        Raises:
            AuthenticationError: If the key is malformed, forged, for another connection, or expired.
        """
        version, generation, expires_at, mac = (*key.split("."), "", "", "", "")[:4]
        sound = len(key) <= _MAX_LENGTH and key.isascii() and version == "1"
        if not (sound and generation.isdigit() and expires_at.isdigit()):
            raise AuthenticationError("The resume key is malformed.")
        if not hmac.compare_digest(mac, self._mac(connection_id, int(generation), int(expires_at))):
            raise AuthenticationError("The resume key was not made for this connection.")
        if now >= int(expires_at):
            raise AuthenticationError("The resume key has expired.")
        return int(generation)

    def _mac(self, connection_id: str, generation: int, expires_at: int) -> str:
        text = f"resume\n{connection_id}\n{generation}\n{expires_at}"
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
