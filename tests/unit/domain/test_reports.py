"""What a session's facts give to report."""

from tertulia.clock import WallTime
from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.events import (
    All,
    ConnectionCreated,
    ConnectionDestroyed,
    ConnectionInterrupted,
    Fact,
    Happened,
    SignalSent,
    StreamCreated,
    StreamDestroyed,
)
from tertulia.domain.reports import Report, Reporter
from tertulia.domain.roles import Reason, Role
from tertulia.domain.stream import Dimensions, Stream, VideoType
from tertulia.ids import ConnectionId, SessionId, StreamId

SESSION = SessionId("2_session")
NOW = WallTime(1_767_225_600_000)
ANA, BEN = ConnectionId("ana"), ConnectionId("ben")
CAMERA = Stream(
    StreamId("camera"), ANA, NOW, "Desk", None, True, True, False, VideoType.CAMERA, Dimensions(640, 480), None, None
)


def connection(connection_id: ConnectionId) -> Connection:
    return Connection(connection_id, NOW, Role.PUBLISHER, f"name={connection_id}", 0, SeatState.CONNECTED, 1)


def tell(reporter: Reporter, *facts: Fact) -> list[Report]:
    return [
        report
        for number, fact in enumerate(facts, 1)
        if reporter.listens_to(fact)
        for report in reporter.reports(Happened(number, All(), fact), NOW)
    ]


def names(reports: list[Report]) -> list[str]:
    return [report.name for report in reports]


def test_a_session_begins_with_its_first_connection_and_ends_with_its_last() -> None:
    reports = tell(
        Reporter(SESSION),
        ConnectionCreated(connection(ANA)),
        ConnectionCreated(connection(BEN)),
        ConnectionDestroyed(ANA, Reason.CLIENT_DISCONNECTED),
        ConnectionDestroyed(BEN, Reason.NETWORK_DISCONNECTED),
        ConnectionCreated(connection(ANA)),
    )
    assert names(reports) == [
        "sessionCreated",
        "connectionCreated",
        "connectionCreated",
        "connectionDestroyed",
        "connectionDestroyed",
        "sessionDestroyed",
        "sessionCreated",
        "connectionCreated",
    ]
    assert [report.reason for report in reports if report.event == "destroyed"] == [
        Reason.CLIENT_DISCONNECTED,
        Reason.NETWORK_DISCONNECTED,
        None,
    ]
    assert len({report.event_id for report in reports}) == len(reports)


def test_what_ended_is_reported_with_what_it_was() -> None:
    reporter = Reporter(SESSION)
    *_, created, destroyed, _, _ = tell(
        reporter,
        ConnectionCreated(connection(ANA)),
        StreamCreated(CAMERA),
        StreamDestroyed(CAMERA.stream_id, ANA, Reason.FORCE_DISCONNECTED),
        ConnectionDestroyed(ANA, Reason.FORCE_DISCONNECTED),
    )
    assert created.stream == destroyed.stream == CAMERA
    assert created.connection == destroyed.connection == connection(ANA)
    assert destroyed.reason is Reason.FORCE_DISCONNECTED


def test_a_control_that_took_over_knows_who_was_there() -> None:
    reporter = Reporter(SESSION, [connection(ANA)], [CAMERA])
    reports = tell(
        reporter,
        ConnectionCreated(connection(BEN)),
        StreamDestroyed(CAMERA.stream_id, ANA, Reason.NETWORK_DISCONNECTED),
        ConnectionDestroyed(ANA, Reason.NETWORK_DISCONNECTED),
    )
    assert names(reports) == ["connectionCreated", "streamDestroyed", "connectionDestroyed"]


def test_an_event_has_the_same_id_whoever_makes_it() -> None:
    one, other = (tell(Reporter(SESSION), ConnectionCreated(connection(ANA))) for _ in range(2))
    assert [report.event_id for report in one] == [report.event_id for report in other]
    (foreign, *_) = tell(Reporter(SessionId("2_other")), ConnectionCreated(connection(ANA)))
    assert foreign.event_id not in {report.event_id for report in one}


def test_signals_and_interruptions_are_nobody_s_business() -> None:
    assert tell(Reporter(SESSION), SignalSent(ANA, None, "x"), ConnectionInterrupted(ANA)) == []
