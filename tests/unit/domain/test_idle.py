"""Connections that neither publish nor subscribe for hours."""

from tertulia.domain.commands import Leave, Unpublish, Unsubscribe
from tertulia.domain.events import CloseTransport, ConnectionDestroyed, SeatEnded
from tertulia.domain.limits import SessionLimits
from tertulia.domain.roles import Reason
from tertulia.domain.session import Session
from tests.unit.domain.stage import Stage

HOURS = 3600.0
IDLE_S = SessionLimits().media_idle_s


def test_a_connection_that_does_nothing_for_four_hours_ends_and_everybody_is_told_why() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.publish(ben)
    stage.pass_time(4 * HOURS - 1)
    assert ana in stage.session.connections
    stage.pass_time(1)
    assert list(stage.session.connections) == [ben]
    assert stage.facts[ben][-1] == ConnectionDestroyed(ana, Reason.MEDIA_IDLE)
    assert stage.notices[ana][-1] == SeatEnded(ana, Reason.MEDIA_IDLE)


def test_who_publishes_or_subscribes_is_not_idle_and_counts_anew_when_that_ends() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    stage.negotiate(ben, pairs=2)
    subscription = stage.subscribe(ben, stream)
    stage.pass_time(100 * HOURS)
    assert list(stage.session.connections) == [ana, ben]
    assert stage.session.next_deadline() is None
    stage.do(Unsubscribe(stage.origin(ben), subscription))
    stage.pass_time(HOURS)
    stage.do(Unpublish(stage.origin(ana), stream.stream_id))
    stage.pass_time(3 * HOURS)
    assert list(stage.session.connections) == [ana]
    stage.pass_time(HOURS)
    assert not stage.session.connections
    assert {type(intent) for intent in stage.intents_of(CloseTransport)} == {CloseTransport}


def test_the_end_of_the_last_stream_makes_its_subscribers_idle() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=2)
    stage.subscribe(ben, stage.publish(ana))
    stage.do(Leave(stage.origin(ana)))
    assert stage.session.next_deadline() == IDLE_S


def test_a_return_to_the_seat_does_not_begin_the_count_anew() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.pass_time(HOURS)
    stage.lose(ana)
    stage.resume(ana)
    assert stage.session.next_deadline() == IDLE_S


def test_after_a_restart_everybody_has_the_whole_time_again() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ben)
    stage.pass_time(3 * HOURS)
    stage.session, events = Session.restore(
        stage.limits,
        stage.now,
        number=stage.session.number,
        connections=list(stage.session.connections.values()),
        streams=[stream],
        subscriptions=[],
        pairs=[],
    )
    stage.take(events)
    stage.resume(ana)
    stage.resume(ben)
    assert stage.session.next_deadline() == 3 * HOURS + IDLE_S
    stage.pass_time(IDLE_S)
    assert list(stage.session.connections) == [ben]


def test_an_operator_may_let_clients_be_idle_for_ever() -> None:
    stage = Stage(SessionLimits(media_idle_s=0.0))
    stage.join("ana")
    assert stage.session.next_deadline() is None
    stage.pass_time(1000 * HOURS)
    assert len(stage.session.connections) == 1
