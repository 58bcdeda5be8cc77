"""Pings, and silence."""

from tertulia.adapters.websocket.heartbeat import Heartbeat
from tests.fakes.clock import FakeClock


class Socket:
    """Notes the moments at which it was pinged and given up."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.begin = self.clock.monotonic()
        self.pings: list[float] = []
        self.silences: list[float] = []
        self.heartbeat = Heartbeat(self.clock, 10.0, self.ping, self.fall_silent)

    def ping(self) -> None:
        self.pings.append(self.clock.monotonic() - self.begin)

    def fall_silent(self) -> None:
        self.silences.append(self.clock.monotonic() - self.begin)


def test_a_client_that_answers_is_pinged_for_ever() -> None:
    socket = Socket()
    for _ in range(10):
        socket.clock.advance(10)
        socket.heartbeat.heard()
    assert socket.pings == [10.0 * beat for beat in range(1, 11)]
    assert socket.silences == []


def test_silence_for_two_beats_is_a_lost_network() -> None:
    socket = Socket()
    socket.clock.advance(100)
    assert socket.pings == [10.0]
    assert socket.silences == [20.0]


def test_silence_counts_from_the_last_sign_of_life() -> None:
    socket = Socket()
    socket.clock.advance(13)
    socket.heartbeat.heard()
    socket.clock.advance(100)
    assert socket.pings == [10.0, 20.0, 30.0]
    assert socket.silences == [33.0]


def test_a_stopped_heartbeat_is_quiet() -> None:
    socket = Socket()
    socket.heartbeat.stop()
    socket.clock.advance(100)
    assert socket.pings == socket.silences == []
