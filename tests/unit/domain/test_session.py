"""The table: every row is walked, and every missing row is tried."""

import dataclasses
from collections.abc import Callable
from typing import get_args

import pytest

from tertulia.clock import MonotonicTime
from tertulia.domain import commands
from tertulia.domain.commands import Command, Request
from tertulia.domain.connection import Connection, Origin, SeatState
from tertulia.domain.events import CloseTransport, Event, Happened
from tertulia.domain.roles import Role
from tertulia.domain.session import TABLE, Session, Standing
from tertulia.domain.stream import Dimensions, Lines
from tertulia.domain.subscription import VideoFallback
from tertulia.errors import InternalError, NotConnectedError, TertuliaError
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId, TransportId
from tests.unit.domain.stage import OFFER, Stage

ME = ConnectionId("me")
OTHER = ConnectionId("other")
MINE = Origin(ME, 100)
GONE = TransportId(999)

SITUATIONS: dict[type[object], Callable[[Origin | None], Command]] = {
    commands.Join: lambda _: commands.Join(ME, 1, Role.PUBLISHER, "", 2),
    commands.Resume: lambda _: commands.Resume(ME, 1),
    commands.LoseSocket: lambda _: commands.LoseSocket(ME),
    commands.ReportSenderStats: lambda _: commands.ReportSenderStats(ME, StreamId("stream-2"), 2_000_000, 900_000),
    commands.ReportStalledVideo: lambda _: commands.ReportStalledVideo(ME, SubscriptionId(1)),
    commands.Leave: lambda origin: commands.Leave(origin or MINE),
    commands.ForceDisconnect: lambda origin: commands.ForceDisconnect(origin, OTHER),
    commands.SendSignal: lambda origin: commands.SendSignal(origin, None, "chat", "hi"),
    commands.Negotiate: lambda origin: commands.Negotiate(origin or MINE, 1, OFFER, ()),
    commands.Publish: lambda origin: commands.Publish(
        origin=origin or MINE,
        epoch=1,
        offer=OFFER,
        pairs=(),
        stream_id=StreamId("new"),
        created_at_ms=1,
        lines=Lines("0", None),
        name="",
        initials=None,
        has_audio=True,
        has_video=False,
        has_captions=False,
        video_type=None,
        video_dimensions=Dimensions(0, 0),
        frame_rate=None,
    ),
    commands.Republish: lambda origin: commands.Republish(
        origin or MINE, 2, OFFER, (), StreamId("stream-2"), Lines("a", "v")
    ),
    commands.Unpublish: lambda origin: commands.Unpublish(origin or MINE, StreamId("stream-2")),
    commands.UpdateStream: lambda origin: commands.UpdateStream(origin or MINE, StreamId("stream-2"), has_video=False),
    commands.ForceUnpublish: lambda origin: commands.ForceUnpublish(origin, StreamId("stream-1")),
    commands.ForceMuteStream: lambda origin: commands.ForceMuteStream(origin, StreamId("stream-1")),
    commands.ForceMuteAll: lambda origin: commands.ForceMuteAll(origin, frozenset()),
    commands.DisableForceMute: lambda origin: commands.DisableForceMute(origin),
    commands.SetState: lambda origin: commands.SetState(origin or MINE, {"slide": "1"}),
    commands.Subscribe: lambda origin: commands.Subscribe(origin or MINE, StreamId("stream-1"), True, True),
    commands.UpdateSubscription: lambda origin: commands.UpdateSubscription(
        origin or MINE, SubscriptionId(1), False, True
    ),
    commands.SetLayoutClasses: lambda _: commands.SetLayoutClasses({StreamId("stream-1"): ("focus",)}),
    commands.Unsubscribe: lambda origin: commands.Unsubscribe(origin or MINE, SubscriptionId(1)),
    commands.ReleaseSlot: lambda origin: commands.ReleaseSlot(origin or MINE, SlotIndex(0), Generation(9)),
    commands.SettleOffer: lambda _: commands.SettleOffer(ME, 77, GONE, "v=0"),
    commands.FailOffer: lambda _: commands.FailOffer(ME, 77, TertuliaError()),
    commands.SettleBind: lambda _: commands.SettleBind(ME, GONE, SlotIndex(0), Generation(1), True),
    commands.SettleUnbind: lambda _: commands.SettleUnbind(ME, GONE, SlotIndex(0), Generation(1)),
    commands.EndTransport: lambda _: commands.EndTransport(ME, GONE, "gone"),
    commands.FindTransport: lambda _: commands.FindTransport(ME, GONE, ()),
    commands.PauseLayers: lambda _: commands.PauseLayers(ME, GONE, "1", ("f",)),
    commands.ChangeAudioSlot: lambda _: commands.ChangeAudioSlot(ME, GONE, SlotIndex(0), None, None),
    commands.ChangeCodecSupport: lambda _: commands.ChangeCodecSupport(ME, GONE, SlotIndex(0), Generation(1), False),
    commands.ChangeVideoFallback: lambda _: commands.ChangeVideoFallback(
        ME, GONE, SlotIndex(0), Generation(1), VideoFallback.STOPPED
    ),
}
"""For each command one that does what it says when its connection is connected."""

CLIENT_REQUESTS = set(get_args(Request))
ROUTER_REPORTS = {
    commands.SettleOffer,
    commands.FailOffer,
    commands.SettleBind,
    commands.SettleUnbind,
    commands.EndTransport,
    commands.FindTransport,
    commands.PauseLayers,
    commands.ChangeAudioSlot,
    commands.ChangeCodecSupport,
    commands.ChangeVideoFallback,
}
SEATED = {Standing.CONNECTED, Standing.INTERRUPTED, Standing.ADOPTED}
EXPECTED: dict[type[object], set[Standing]] = {
    commands.Join: {Standing.ABSENT},
    commands.Resume: SEATED,
    commands.LoseSocket: SEATED | {Standing.ABSENT},
    commands.ReportSenderStats: SEATED | {Standing.ABSENT},
    commands.ReportStalledVideo: SEATED | {Standing.ABSENT},
    **{request: {Standing.CONNECTED} for request in CLIENT_REQUESTS},
    commands.SendSignal: {Standing.CONNECTED, Standing.SERVER},
    commands.ForceDisconnect: {Standing.CONNECTED, Standing.SERVER},
    **{
        command: {Standing.CONNECTED, Standing.SERVER}
        for command in (
            commands.ForceUnpublish,
            commands.ForceMuteStream,
            commands.ForceMuteAll,
            commands.DisableForceMute,
        )
    },
    commands.SetLayoutClasses: {Standing.SERVER},
    **{report: SEATED | {Standing.ABSENT} for report in ROUTER_REPORTS},
}
"""Which rows there must be."""

COMMANDS = sorted(get_args(Command), key=str)


def stage_where_i_am(standing: Standing) -> Stage:
    """Another publishes; I, a moderator, publish too and subscribe to both streams, if I am there at all."""
    stage = Stage()
    stage.join(OTHER)
    theirs = stage.publish(OTHER)
    if standing in (Standing.ABSENT, Standing.SERVER):
        return stage
    stage.join(ME, Role.MODERATOR)
    stage.negotiate(ME, pairs=2)
    mine = stage.publish(ME)
    stage.subscribe(ME, theirs)
    stage.subscribe(ME, mine)
    if standing is Standing.INTERRUPTED:
        stage.lose(ME)
    if standing is Standing.ADOPTED:
        restored(stage)
    return stage


def restored(stage: Stage) -> None:
    state = stage.session._state
    stage.session, events = Session.restore(
        stage.limits,
        stage.now,
        number=stage.session.number,
        connections=list(state.connections.values()),
        streams=list(state.streams.values()),
        subscriptions=[each for of_one in state.subscriptions.values() for each in of_one.values()],
        pairs=[(key, pair) for key, pairs in state.pairs.items() for pair in pairs.values()],
    )
    stage.take(events)


def picture(session: Session) -> dict[str, object]:
    """Everything a session holds, to compare."""
    state = session._state
    return {each.name: repr(getattr(state, each.name)) for each in dataclasses.fields(state) if each.name != "events"}


def command_for(kind: type[object], standing: Standing) -> Command:
    return SITUATIONS[kind](None if standing is Standing.SERVER else MINE)


def rows() -> list[tuple[type[object], Standing]]:
    return [(kind, standing) for kind in COMMANDS for standing in Standing if standing in TABLE[kind]]


def missing_rows() -> list[tuple[type[object], Standing]]:
    requests_of_api = {commands.SendSignal, commands.ForceDisconnect, commands.ForceUnpublish}
    return [
        (kind, standing)
        for kind in COMMANDS
        for standing in Standing
        if kind is not commands.SetLayoutClasses  # it never stands anywhere else
        and standing not in TABLE[kind]
        and (standing is not Standing.SERVER or kind in requests_of_api)
    ]


def test_the_table_has_exactly_the_rows_it_should() -> None:
    assert {kind: set(rules) for kind, rules in TABLE.items()} == EXPECTED


@pytest.mark.parametrize(("kind", "standing"), rows(), ids=str)
def test_each_row_follows_a_rule_without_complaint(kind: type[object], standing: Standing) -> None:
    stage = stage_where_i_am(standing)
    if kind is commands.DisableForceMute:
        stage.do(commands.ForceMuteAll(None, frozenset()))
    events = stage.session.handle(command_for(kind, standing), stage.now)
    if kind in CLIENT_REQUESTS or kind in (commands.Join, commands.Resume):
        assert events, "who asks is answered or something happens"


@pytest.mark.parametrize(("kind", "standing"), missing_rows(), ids=str)
def test_each_missing_row_is_refused_and_changes_nothing(kind: type[object], standing: Standing) -> None:
    stage = stage_where_i_am(standing)
    before = picture(stage.session)
    expected = NotConnectedError if kind in CLIENT_REQUESTS or kind is commands.Resume else InternalError
    with pytest.raises(expected):
        stage.session.handle(command_for(kind, standing), stage.now)
    assert picture(stage.session) == before


@pytest.mark.parametrize("kind", sorted(ROUTER_REPORTS, key=str))
@pytest.mark.parametrize("standing", [Standing.CONNECTED, Standing.INTERRUPTED, Standing.ADOPTED, Standing.ABSENT])
def test_a_report_about_a_transport_that_is_over_changes_nothing(kind: type[object], standing: Standing) -> None:
    stage = stage_where_i_am(standing)
    before = picture(stage.session)
    events = stage.session.handle(command_for(kind, standing), stage.now)
    assert events in ([], [CloseTransport(ME, GONE)])
    assert picture(stage.session) == before


@pytest.mark.parametrize("kind", sorted(CLIENT_REQUESTS, key=str))
def test_each_request_in_the_name_of_another_session_has_no_effect(kind: type[object]) -> None:
    stage = stage_where_i_am(Standing.CONNECTED)
    before = picture(stage.session)
    with pytest.raises(NotConnectedError):
        stage.session.handle(SITUATIONS[kind](Origin(ConnectionId("stranger"), 1)), stage.now)
    assert picture(stage.session) == before


def test_numbers_of_facts_have_no_gaps_and_go_on_after_a_restart() -> None:
    stage = stage_where_i_am(Standing.CONNECTED)
    restored(stage)
    stage.resume(ME)
    stage.do(commands.SendSignal(stage.origin(ME), None, None, "x"))
    assert stage.numbers == list(range(1, stage.session.number + 1))


def test_an_empty_session_has_no_deadline() -> None:
    assert Session(Stage().limits).next_deadline() is None


def test_of_two_deadlines_the_earlier_comes_first() -> None:
    stage = Stage()
    first, second = stage.join("first"), stage.join("second")
    stage.lose(first)
    stage.pass_time(1)
    stage.lose(second)
    assert stage.session.next_deadline() == stage.limits.seat_held_s
    stage.pass_time(stage.limits.seat_held_s + 5)
    ended = [each for each in stage.numbers if each]
    assert ended == sorted(ended)
    assert not stage.session.connections


def test_a_deadline_is_not_passed_early() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.lose(ana)
    stage.pass_time(stage.limits.seat_held_s - 0.001)
    assert ana in stage.session.connections
    stage.pass_time(0.001)
    assert ana not in stage.session.connections


def test_restoring_marks_the_connected_as_adopted_and_leaves_the_interrupted() -> None:
    def seat(name: str, state: SeatState) -> Connection:
        return Connection(ConnectionId(name), 1, Role.PUBLISHER, "", 2, state, 1)

    session, events = Session.restore(
        Stage().limits,
        MonotonicTime(5.0),
        number=9,
        connections=[seat("here", SeatState.CONNECTED), seat("away", SeatState.INTERRUPTED)],
        streams=[],
        subscriptions=[],
        pairs=[],
    )
    assert [connection.state for connection in session.connections.values()] == [
        SeatState.ADOPTED,
        SeatState.INTERRUPTED,
    ]
    assert not [event for event in events if isinstance(event, Happened)]
    assert session.number == 9


def test_every_event_can_be_told_apart() -> None:
    kinds = [kind for family in get_args(Event) for kind in (get_args(family) or (family,))]
    assert len(kinds) == len(set(kinds))
