"""Seats: joining, losing the socket, resuming, leaving, being disconnected; and signals."""

import pytest

from tertulia.domain.commands import ForceDisconnect, Leave, Resume, SendSignal
from tertulia.domain.connection import SeatState
from tertulia.domain.events import (
    Answered,
    CloseTransport,
    ConnectionCreated,
    ConnectionDestroyed,
    ConnectionInterrupted,
    ConnectionRestored,
    Done,
    Happened,
    Joined,
    Resumed,
    SeatEnded,
    SignalSent,
    SlotsNeeded,
    StreamCreated,
    StreamDestroyed,
)
from tertulia.domain.limits import SessionLimits
from tertulia.domain.roles import Reason, Role
from tertulia.errors import (
    AuthenticationError,
    ConnectionLimitError,
    NotConnectedError,
    NotFoundError,
    PermissionDeniedError,
    SignalInvalidError,
    SignalTooLongError,
)
from tertulia.ids import ConnectionId
from tests.unit.domain.stage import Stage
from tests.unit.domain.test_session import restored


def test_who_joins_is_told_of_everybody_and_everybody_else_of_it() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stream = stage.publish(ana)
    ben = stage.join("ben", data="name=Ben")
    (joined,) = stage.notices[ben]
    assert isinstance(joined, Joined)
    assert [each.connection_id for each in joined.connections] == [ana, ben]
    assert joined.streams == (stream,)
    assert joined.number == stage.session.number
    (created,) = [fact for fact in stage.facts[ana] if isinstance(fact, ConnectionCreated)]
    assert created.connection.data == "name=Ben"
    assert stage.facts[ben] == [], "the own connectionCreated stands in joined"


def test_a_full_session_refuses_and_stays_as_it_is() -> None:
    stage = Stage(SessionLimits(connections=1))
    ana = stage.join("ana")
    with pytest.raises(ConnectionLimitError):
        stage.join("ben")
    assert list(stage.session.connections) == [ana]


def test_a_lost_socket_interrupts_and_a_resume_restores() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.lose(ana)
    stage.resume(ana)
    assert stage.facts[ben] == [ConnectionInterrupted(ana), ConnectionRestored(ana)]
    assert isinstance(stage.notices[ana][-1], Resumed)
    assert stage.session.next_deadline() == stage.limits.media_idle_s


def test_losing_a_socket_twice_is_told_once() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.lose(ana)
    stage.lose(ana)
    assert stage.facts[ben] == [ConnectionInterrupted(ana)]


def test_moving_to_another_socket_is_told_to_nobody() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.resume(ana)
    assert stage.facts[ben] == []


def test_a_seat_that_nobody_claims_ends_for_network_reasons() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    stage.lose(ana)
    stage.pass_time(stage.limits.seat_held_s)
    assert stage.facts[ben][-2:] == [
        StreamDestroyed(stream.stream_id, ana, Reason.NETWORK_DISCONNECTED),
        ConnectionDestroyed(ana, Reason.NETWORK_DISCONNECTED),
    ]
    with pytest.raises(NotConnectedError):
        stage.session.handle(Resume(ana, 1), stage.now)


def test_an_interrupted_publisher_keeps_its_streams() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stream = stage.publish(ana)
    stage.lose(ana)
    ben = stage.join("ben")
    (joined,) = stage.notices[ben]
    assert isinstance(joined, Joined)
    assert joined.streams == (stream,)
    assert not stage.intents_of(CloseTransport)


def test_every_key_since_the_last_one_used_opens_the_seat_and_no_older_one() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.do(Resume(ana, 1))  # its answer, with key 2, is lost
    stage.do(Resume(ana, 1))  # answered with key 3
    stage.do(Resume(ana, 3))
    for stale in (1, 2):
        with pytest.raises(AuthenticationError):
            stage.session.handle(Resume(ana, stale), stage.now)
    with pytest.raises(AuthenticationError):
        stage.session.handle(Resume(ana, 5), stage.now)
    stage.do(Resume(ana, 4))


def test_who_leaves_is_answered_and_the_others_see_streams_end_before_the_connection() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    first, second = stage.publish(ana), stage.publish(ana)
    stage.facts[ana].clear()
    origin = stage.origin(ana)
    events = stage.do(Leave(origin))
    assert events[0] == Answered(origin, Done())
    assert stage.facts[ben][-3:] == [
        StreamDestroyed(first.stream_id, ana, Reason.CLIENT_DISCONNECTED),
        StreamDestroyed(second.stream_id, ana, Reason.CLIENT_DISCONNECTED),
        ConnectionDestroyed(ana, Reason.CLIENT_DISCONNECTED),
    ]
    assert stage.facts[ana] == [], "everyone else is told, not the one that left"
    assert stage.notices[ana][-1] == SeatEnded(ana, None)
    assert stage.intents_of(CloseTransport)


def test_a_moderator_disconnects_another_who_is_told_why() -> None:
    stage = Stage()
    mona, ana, ben = stage.join("mona", Role.MODERATOR), stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    origin = stage.origin(mona)
    stage.do(ForceDisconnect(origin, ana))
    assert stage.answers[origin] == Done()
    assert stage.notices[ana][-1] == SeatEnded(ana, Reason.FORCE_DISCONNECTED)
    for witness in (mona, ben):
        assert stage.facts[witness][-2:] == [
            StreamDestroyed(stream.stream_id, ana, Reason.FORCE_DISCONNECTED),
            ConnectionDestroyed(ana, Reason.FORCE_DISCONNECTED),
        ]


def test_a_moderator_may_disconnect_itself() -> None:
    stage = Stage()
    mona = stage.join("mona", Role.MODERATOR)
    origin = stage.origin(mona)
    stage.do(ForceDisconnect(origin, mona))
    assert stage.answers[origin] == Done()
    assert stage.notices[mona][-1] == SeatEnded(mona, Reason.FORCE_DISCONNECTED)


def test_an_interrupted_client_is_disconnected_as_well_and_cannot_resume() -> None:
    stage = Stage()
    mona, ana = stage.join("mona", Role.MODERATOR), stage.join("ana")
    stage.lose(ana)
    stage.do(ForceDisconnect(stage.origin(mona), ana))
    with pytest.raises(NotConnectedError):
        stage.session.handle(Resume(ana, 1), stage.now)
    stage.pass_time(1000)
    ends = [fact for fact in stage.facts[mona] if isinstance(fact, ConnectionDestroyed)]
    assert ends == [ConnectionDestroyed(ana, Reason.FORCE_DISCONNECTED)]


@pytest.mark.parametrize("role", [Role.SUBSCRIBER, Role.PUBLISHER, Role.PUBLISHER_ONLY])
def test_only_a_moderator_disconnects(role: Role) -> None:
    stage = Stage()
    ana, ben = stage.join("ana", role), stage.join("ben")
    with pytest.raises(PermissionDeniedError) as refusal:
        stage.session.handle(ForceDisconnect(stage.origin(ana), ben), stage.now)
    assert refusal.value.kind.code == 1520
    assert ben in stage.session.connections


def test_the_api_disconnects_without_a_role() -> None:
    stage = Stage()
    ana = stage.join("ana")
    events = stage.do(ForceDisconnect(None, ana))
    assert not [event for event in events if isinstance(event, Answered)]
    assert not stage.session.connections


def test_disconnecting_a_stranger_is_not_found() -> None:
    stage = Stage()
    mona = stage.join("mona", Role.MODERATOR)
    for origin in (None, stage.origin(mona)):
        with pytest.raises(NotFoundError):
            stage.session.handle(ForceDisconnect(origin, ConnectionId("stranger")), stage.now)


def test_a_restart_is_not_noticed_when_the_clients_come_back() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.publish(ana)
    stage.facts[ben].clear()
    restored(stage)
    stage.resume(ben)
    stage.resume(ana)
    stage.pass_time(1000)
    assert stage.facts[ben] == []


def test_after_a_restart_who_stays_away_is_interrupted_and_then_ends() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    restored(stage)
    stage.resume(ben)
    stage.pass_time(stage.limits.adoption_grace_s)
    assert stage.facts[ben] == [ConnectionInterrupted(ana)]
    assert stage.session.connections[ana].state is SeatState.INTERRUPTED
    stage.pass_time(stage.limits.seat_held_s)
    assert stage.facts[ben][-1] == ConnectionDestroyed(ana, Reason.NETWORK_DISCONNECTED)


def test_a_resumed_client_is_asked_for_pairs_again() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.subscribe(ben, stage.publish(ana))
    stage.lose(ben)
    stage.resume(ben)
    assert stage.notices[ben].count(SlotsNeeded(ben, 2)) == 2


# ---- signals


def test_a_signal_to_all_reaches_the_sender_too() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    origin = stage.origin(ana)
    events = stage.do(SendSignal(origin, None, "chat", "hello"))
    for receiver in (ana, ben):
        assert stage.facts[receiver][-1] == SignalSent(ana, "chat", "hello")
    positions = {type(event): index for index, event in enumerate(events)}
    assert positions[Happened] < positions[Answered], "acknowledged after it stands in the log"


def test_a_signal_to_one_reaches_that_one_alone() -> None:
    stage = Stage()
    ana, ben, eve = stage.join("ana"), stage.join("ben"), stage.join("eve")
    stage.do(SendSignal(stage.origin(ana), ben, None, "psst"))
    assert stage.facts[ben][-1] == SignalSent(ana, None, "psst")
    assert not [fact for name in (ana, eve) for fact in stage.facts[name] if isinstance(fact, SignalSent)]


def test_the_api_signals_without_a_sender() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.do(SendSignal(None, None, "", "news"))
    assert stage.facts[ana][-1] == SignalSent(None, None, "news")


@pytest.mark.parametrize(("role", "may"), [(role, role is not Role.PUBLISHER_ONLY) for role in Role])
def test_every_role_but_publisheronly_may_signal(role: Role, may: bool) -> None:
    stage = Stage()
    ana = stage.join("ana", role)
    command = SendSignal(stage.origin(ana), None, None, None)
    if may:
        stage.do(command)
        assert stage.facts[ana] == [SignalSent(ana, None, None)]
    else:
        with pytest.raises(PermissionDeniedError) as refusal:
            stage.session.handle(command, stage.now)
        assert refusal.value.kind.code == 1510


@pytest.mark.parametrize(
    ("signal_type", "data", "error"),
    [
        ("t" * 128, "d" * 8192, None),
        ("Az09-_~", "é" * 4096, None),
        ("t" * 129, "", SignalTooLongError),
        ("", "d" * 8193, SignalTooLongError),
        ("", "é" * 4097, SignalTooLongError),
        ("with space", "", SignalInvalidError),
        ("umläut", "", SignalInvalidError),
        ("line\n", "", SignalInvalidError),
    ],
)
def test_signals_have_limits(signal_type: str, data: str, error: type[Exception] | None) -> None:
    stage = Stage()
    ana = stage.join("ana")
    command = SendSignal(stage.origin(ana), None, signal_type, data)
    if error is None:
        stage.do(command)
    else:
        with pytest.raises(error):
            stage.session.handle(command, stage.now)
        assert stage.facts[ana] == []


def test_a_signal_to_a_stranger_or_to_nobody_is_not_found() -> None:
    stage = Stage()
    with pytest.raises(NotFoundError):
        stage.session.handle(SendSignal(None, None, None, None), stage.now)
    ana = stage.join("ana")
    with pytest.raises(NotFoundError):
        stage.session.handle(SendSignal(stage.origin(ana), ConnectionId("x"), None, None), stage.now)


def test_nobody_hears_of_what_happened_before_it_joined() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.publish(ana)
    ben = stage.join("ben")
    assert not [fact for fact in stage.facts[ben] if isinstance(fact, StreamCreated)]
    assert stage.session.connections[ben].joined_number == stage.session.number
