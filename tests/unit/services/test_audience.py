"""Who is sent what, in which order, and how often a crowd's sockets are written to."""

import json

import pytest

from tertulia.domain.events import All, AllBut, One, Recipients
from tertulia.ids import ConnectionId
from tertulia.services.audience import HELD_FACTS, PACED_FROM, PAUSE_PER_SOCKET_S, Audience
from tertulia.services.ports import LogRow, SocketEnd
from tests.fakes.clock import FakeClock
from tests.fakes.socket import FakeSocket

CROWD = 4 * PACED_FROM


class Hall:
    """An audience of so many, and the facts that it is told."""

    def __init__(self, count: int) -> None:
        self.clock = FakeClock()
        self.audience = Audience(self.clock)
        self.sockets = {ConnectionId(f"c{index}"): FakeSocket() for index in range(count)}
        self.number = 0
        for connection_id, socket in self.sockets.items():
            self.audience.attach(connection_id, socket, spared=False)

    def hold(self, recipients: Recipients | None = None, *, about_connections: bool = False) -> int:
        self.number += 1
        row = LogRow(self.number, recipients or All(), about_connections, signal(self.number))
        self.audience.deliver(row, f"[{row.number},{row.body}]")
        return self.number

    def happen(self, recipients: Recipients | None = None) -> int:
        number = self.hold(recipients)
        self.audience.tell()
        return number

    def leave(self, connection_id: ConnectionId) -> None:
        """What one goodbye brings about."""
        self.audience.part([connection_id])
        self.audience.send(connection_id, f"[0,{signal(0)}]")
        self.hold(AllBut(connection_id), about_connections=True)
        self.audience.close(connection_id, SocketEnd.ENDED)
        self.audience.tell()

    @property
    def writes(self) -> int:
        return sum(socket.writes for socket in self.sockets.values())

    def first(self) -> tuple[ConnectionId, FakeSocket]:
        return next(iter(self.sockets.items()))


def signal(number: int) -> str:
    return json.dumps({"type": "signal", "data": str(number)})


@pytest.fixture
def hall() -> Hall:
    return Hall(CROWD)


def test_a_crowd_that_leaves_at_once_costs_a_few_writes_for_each_and_not_one_for_each_pair(hall: Hall) -> None:
    stays, socket = hall.first()
    for connection_id in hall.sockets:
        if connection_id != stays:
            hall.leave(connection_id)
    hall.clock.advance(1)
    assert socket.numbers == list(range(1, CROWD))
    assert hall.writes <= 4 * CROWD  # one for each pair would be CROWD * CROWD / 2


def test_telling_everybody_takes_no_more_of_the_time_however_much_happens(hall: Hall) -> None:
    facts, each_s = 300, 0.0002
    for _ in range(facts):
        hall.happen()
        hall.clock.advance(each_s)
    hall.clock.advance(1)
    assert [socket.numbers for socket in hall.sockets.values()] == [list(range(1, facts + 1))] * CROWD
    assert hall.writes <= facts * each_s / PAUSE_PER_SOCKET_S + 2 * CROWD


def test_what_happens_after_a_quiet_moment_is_told_at_once(hall: Hall) -> None:
    for _ in range(3):
        number = hall.happen()
        assert all(socket.numbers[-1] == number for socket in hall.sockets.values())
        hall.clock.advance(CROWD * PAUSE_PER_SOCKET_S)


def test_a_small_session_is_told_everything_at_once() -> None:
    hall = Hall(PACED_FROM - 1)
    for _ in range(3):
        number = hall.happen()
        assert all(socket.numbers[-1] == number for socket in hall.sockets.values())


def test_what_is_for_one_client_comes_at_once_and_behind_what_is_held_for_it(hall: Hall) -> None:
    one, socket = hall.first()
    hall.happen()
    hall.happen()
    hall.happen(One(one))
    hall.happen()
    hall.audience.send(one, f"[5,{signal(5)}]")
    assert socket.numbers == [1, 2, 3, 4, 5]
    hall.clock.advance(1)
    assert socket.numbers == [1, 2, 3, 4, 5]
    assert all(other.numbers == [1, 2, 4] for other in hall.sockets.values() if other is not socket)


def test_who_comes_while_something_is_held_is_told_only_what_follows(hall: Hall) -> None:
    hall.happen()
    hall.happen()
    late, spared = FakeSocket(), FakeSocket()
    hall.audience.attach(ConnectionId("late"), late, spared=False)
    hall.audience.attach(ConnectionId("spared"), spared, spared=True)
    hall.hold(AllBut(ConnectionId("late")))
    hall.hold(about_connections=True)
    hall.hold()
    hall.clock.advance(1)
    assert late.numbers == [4, 5]
    assert spared.numbers == [3, 5]
    assert hall.first()[1].numbers == [1, 2, 3, 4, 5]


def test_who_said_goodbye_is_sent_its_answer_and_no_fact(hall: Hall) -> None:
    gone, socket = hall.first()
    hall.happen()
    hall.happen()
    hall.leave(gone)
    hall.clock.advance(1)
    assert [frame.number for frame in socket.frames] == [1, 0]
    assert socket.end is SocketEnd.ENDED


def test_a_socket_that_is_closed_is_told_first_what_is_held(hall: Hall) -> None:
    kicked, socket = hall.first()
    hall.happen()
    hall.happen()
    hall.audience.close(kicked, SocketEnd.ENDED)
    assert socket.numbers == [1, 2]
    hall.audience.close_all(SocketEnd.RESTART)
    assert all(other.numbers == [1, 2] for other in hall.sockets.values())
    hall.clock.advance(1)
    assert hall.clock.next_timer() is None


def test_no_more_than_a_bounded_number_of_facts_is_held(hall: Hall) -> None:
    for _ in range(2 * HELD_FACTS):
        hall.happen()
    assert hall.first()[1].numbers[-1] > HELD_FACTS
