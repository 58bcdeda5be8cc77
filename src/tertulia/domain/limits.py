"""The numbers that bound a session; chosen by us unless a source is named."""

from dataclasses import dataclass

__all__ = [
    "LOUDEST_HYSTERESIS",
    "MAX_LAYOUT_CLASS_CHARACTERS",
    "MAX_MID_BYTES",
    "MAX_NAME_CHARACTERS",
    "PAIR_STEPS",
    "SENDER_STATS_S",
    "SIGNAL_DATA_BYTES",
    "SIGNAL_TYPE_BYTES",
    "STATE_BYTES",
    "STATE_KEYS",
    "STATE_KEY_CHARACTERS",
    "STATE_VALUES_PER_REQUEST",
    "STATE_VALUE_CHARACTERS",
    "SessionLimits",
]

SIGNAL_DATA_BYTES = 8192
"""OpenTok: 8 KB, read as bytes of UTF-8."""
SIGNAL_TYPE_BYTES = 128
"""OpenTok."""
SENDER_STATS_S = 1.0
"""Between two sender statistics of one stream that are passed on; ours are sent every 2 s."""
STATE_VALUES_PER_REQUEST = 20
"""OpenTok."""
STATE_KEY_CHARACTERS = 100
"""OpenTok."""
STATE_VALUE_CHARACTERS = 1000
"""OpenTok."""
STATE_KEYS = 1000
"""Of one session."""
STATE_BYTES = 65_536
"""Of one session, keys and values as UTF-8: it stands in the answer to every client that joins."""
MAX_MID_BYTES = 16
"""The router link's limit for a `mid`."""
MAX_NAME_CHARACTERS = 1000
"""Of a stream's name and initials."""
MAX_LAYOUT_CLASS_CHARACTERS = 1000
"""OpenTok's limit for the class list of a token, spaces included; the same for a list that is set later."""
PAIR_STEPS = (2, 4, 8, 16, 32, 48, 56)
"""Sizes to which a client's pool of slot pairs grows; few steps, because each costs an offer.

The last has room for audio slots.
"""
LOUDEST_HYSTERESIS = 2
"""So many fewer live audio streams must there be before everybody is forwarded again: a session does not flap."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may hold and how long it waits.

    Attributes:
        connections: Seats in the session.
        streams: Streams in the session.
        streams_per_connection: Streams of one connection.
        reconnect_window_s: How long a client tries to resume.
        reconnect_grace_s: How much longer the seat is held, so that the last try still finds it.
        adoption_grace_s: How long a restarted control waits for clients before it calls them interrupted: a client
            that resumes at once, as the socket's end tells it to, is back before anybody noticed.
        media_idle_s: How long a connection may neither publish nor subscribe before it ends with `mediaIdle` (OpenTok);
            0 for ever.
        loudest_above: Above so many live audio streams only the loudest are forwarded.
        loudest_streams: How many that are, for one subscriber; 1 to 8.
    """

    connections: int = 10_000
    streams: int = 2_000
    streams_per_connection: int = 16
    reconnect_window_s: float = 60.0
    reconnect_grace_s: float = 15.0
    adoption_grace_s: float = 5.0
    media_idle_s: float = 14_400.0
    loudest_above: int = 16
    loudest_streams: int = 3

    @property
    def seat_held_s(self) -> float:
        """How long a seat without a socket is held."""
        return self.reconnect_window_s + self.reconnect_grace_s
