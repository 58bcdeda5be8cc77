"""Close codes and limits of the signalling wire, as `contract/signalling.yaml` has them."""

from enum import IntEnum
from typing import Final

__all__ = [
    "AUTHENTICATION_S",
    "HEARTBEAT_S",
    "JSON_VALUES",
    "KEPT_REPLIES",
    "MEDIA_LINES",
    "MESSAGE_BYTES",
    "OFFER_MESSAGE_BYTES",
    "REFUSALS",
    "REQUESTS_PER_SECOND",
    "REQUEST_BURST",
    "SIGNALLING_PATH",
    "SIGNALS_PER_SECOND",
    "UNANSWERED_REQUESTS",
    "CloseCode",
]

SIGNALLING_PATH: Final = "/signalling"
MESSAGE_BYTES: Final = 65_536
"""Of a message without an offer."""
OFFER_MESSAGE_BYTES: Final = 262_144
"""Of a message with an offer."""
MEDIA_LINES: Final = 128
"""Of one offer."""
SIGNALS_PER_SECOND: Final = 100
REQUESTS_PER_SECOND: Final = 100
"""Everything but signals, of one connection."""
REQUEST_BURST: Final = 500
"""How many of those may come at once: a client that joins a large session subscribes to all of it."""
REFUSALS: Final = 200
"""Refusals for rate before the socket closes; a tenth of them comes back every second."""
JSON_VALUES: Final = 512
"""Arrays and objects in one frame, which bounds how deep they are nested as well; an offer with 48 pairs has 52."""
KEPT_REPLIES: Final = 256
UNANSWERED_REQUESTS: Final = 256
AUTHENTICATION_S: Final = 5.0
HEARTBEAT_S: Final = 10.0


class CloseCode(IntEnum):
    """Why a signalling socket closes."""

    MESSAGE_TOO_LARGE = 1009
    RESTART = 1012
    """The server restarts; resume at once."""
    UNLAWFUL = 4000
    """Malformed or unlawful frames."""
    REFUSED = 4001
    """Said in `refused` before."""
    REPLACED = 4002
    """This connection resumed on another socket."""
    NOT_AUTHENTICATED = 4003
    """No join or resume in time."""
    TOO_SLOW = 4004
    """Resume is possible."""
    ENDED = 4005
    """The connection has ended; said in `disconnected` or in the reply to `leave`."""
    FLOODING = 4029
    """It went on after errors."""
