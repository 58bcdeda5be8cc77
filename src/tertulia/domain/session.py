"""The session state machine: every rule is a row of the table below, and nothing else changes a session.

A row says which rule a command follows, given where the connection that it concerns stands. A command without a row is
refused: it raises and changes nothing. A rule raises before its first change, so this holds for refusals by rules too.
Rules are duplicate-safe: what comes late, twice or for a connection that has gone has a row that does nothing.

The rules live in `seats`, `shared_state`, `streams`, `muting`, `slots` and `transports`, by what they change. After
each command `speakers` looks whether only the loudest streams are to be forwarded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from tertulia.clock import MonotonicTime
from tertulia.domain import muting, seats, shared_state, slots, speakers, streams, transports
from tertulia.domain.commands import (
    ChangeAudioSlot,
    ChangeCodecSupport,
    ChangeVideoFallback,
    Command,
    DisableForceMute,
    EndTransport,
    FailOffer,
    FindTransport,
    ForceDisconnect,
    ForceMuteAll,
    ForceMuteStream,
    ForceUnpublish,
    Join,
    Leave,
    LoseSocket,
    Negotiate,
    PauseLayers,
    Publish,
    ReleaseSlot,
    ReportSenderStats,
    ReportStalledVideo,
    Republish,
    Request,
    Resume,
    SendSignal,
    SetLayoutClasses,
    SetState,
    SettleBind,
    SettleOffer,
    SettleUnbind,
    Subscribe,
    Unpublish,
    Unsubscribe,
    UpdateStream,
    UpdateSubscription,
)
from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.events import Event, Joined
from tertulia.domain.limits import SessionLimits
from tertulia.domain.state import SessionState, Timer
from tertulia.domain.stream import Stream
from tertulia.domain.subscription import PairState, SlotPair, Subscription
from tertulia.errors import InternalError, NotConnectedError
from tertulia.ids import ConnectionId

__all__ = ["TABLE", "Session", "Standing"]


class Standing(StrEnum):
    """Where the connection that a command concerns stands; for a request, the one that asks."""

    SERVER = "server"
    """No connection: the server's own API asks."""
    ABSENT = "absent"
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    ADOPTED = "adopted"


Rule = Callable[[SessionState, Command, MonotonicTime], None]
C = TypeVar("C", bound=Command)

_SEATED = (Standing.CONNECTED, Standing.INTERRUPTED, Standing.ADOPTED)
_WITHOUT_SOCKET = (Standing.ABSENT, Standing.INTERRUPTED, Standing.ADOPTED)


def _row(
    command: type[C], rule: Callable[[SessionState, C, MonotonicTime], None], *standings: Standing
) -> tuple[type[object], Mapping[Standing, Rule]]:
    def follow(state: SessionState, given: Command, now: MonotonicTime) -> None:
        assert isinstance(given, command), "the table is keyed by the command's type"
        rule(state, given, now)

    return command, dict.fromkeys(standings, follow)


def _ignore(state: SessionState, command: Command, now: MonotonicTime) -> None:
    """Late or twice: nothing is left to do."""


def _table(*rows: tuple[type[object], Mapping[Standing, Rule]]) -> Mapping[type[object], Mapping[Standing, Rule]]:
    table: dict[type[object], dict[Standing, Rule]] = {}
    for command, rules in rows:
        table.setdefault(command, {}).update(rules)
    return table


TABLE: Mapping[type[object], Mapping[Standing, Rule]] = _table(
    # seats
    _row(Join, seats.join, Standing.ABSENT),
    _row(Resume, seats.resume, *_SEATED),
    _row(LoseSocket, seats.lose_socket, Standing.CONNECTED),
    _row(LoseSocket, _ignore, *_WITHOUT_SOCKET),
    _row(Leave, seats.leave, Standing.CONNECTED),
    _row(ForceDisconnect, seats.force_disconnect, Standing.CONNECTED, Standing.SERVER),
    _row(SendSignal, seats.send_signal, Standing.CONNECTED, Standing.SERVER),
    # shared state
    _row(SetState, shared_state.set_state, Standing.CONNECTED),
    # transports
    _row(Negotiate, transports.negotiate, Standing.CONNECTED),
    _row(Publish, transports.publish, Standing.CONNECTED),
    _row(Republish, transports.republish, Standing.CONNECTED),
    _row(SettleOffer, transports.settle_offer, *_SEATED),
    _row(SettleOffer, transports.close_orphan, Standing.ABSENT),
    _row(FailOffer, transports.fail_offer, *_SEATED),
    _row(FailOffer, _ignore, Standing.ABSENT),
    _row(EndTransport, transports.end_transport, *_SEATED),
    _row(EndTransport, _ignore, Standing.ABSENT),
    _row(FindTransport, transports.find_transport, *_SEATED),
    _row(FindTransport, transports.close_orphan, Standing.ABSENT),
    # streams
    _row(Unpublish, streams.unpublish, Standing.CONNECTED),
    _row(UpdateStream, streams.update_stream, Standing.CONNECTED),
    _row(ReportSenderStats, streams.report_sender_stats, Standing.CONNECTED),
    _row(ReportSenderStats, _ignore, *_WITHOUT_SOCKET),
    _row(ForceUnpublish, streams.force_unpublish, Standing.CONNECTED, Standing.SERVER),
    _row(SetLayoutClasses, streams.set_layout_classes, Standing.SERVER),
    # muting
    _row(ForceMuteStream, muting.force_mute_stream, Standing.CONNECTED, Standing.SERVER),
    _row(ForceMuteAll, muting.force_mute_all, Standing.CONNECTED, Standing.SERVER),
    _row(DisableForceMute, muting.disable_force_mute, Standing.CONNECTED, Standing.SERVER),
    # slots
    _row(Subscribe, slots.subscribe, Standing.CONNECTED),
    _row(UpdateSubscription, slots.update_subscription, Standing.CONNECTED),
    _row(Unsubscribe, slots.unsubscribe, Standing.CONNECTED),
    _row(ReleaseSlot, slots.release_slot, Standing.CONNECTED),
    _row(SettleBind, slots.settle_bind, *_SEATED),
    _row(SettleBind, _ignore, Standing.ABSENT),
    _row(SettleUnbind, slots.settle_unbind, *_SEATED),
    _row(SettleUnbind, _ignore, Standing.ABSENT),
    _row(ReportStalledVideo, slots.report_stalled_video, Standing.CONNECTED),
    _row(ReportStalledVideo, _ignore, *_WITHOUT_SOCKET),
    _row(PauseLayers, streams.pause_layers, *_SEATED),
    _row(PauseLayers, _ignore, Standing.ABSENT),
    _row(ChangeAudioSlot, speakers.change_audio_slot, *_SEATED),
    _row(ChangeAudioSlot, _ignore, Standing.ABSENT),
    _row(ChangeCodecSupport, slots.change_codec_support, *_SEATED),
    _row(ChangeCodecSupport, _ignore, Standing.ABSENT),
    _row(ChangeVideoFallback, slots.change_video_fallback, *_SEATED),
    _row(ChangeVideoFallback, _ignore, Standing.ABSENT),
)


class Session:
    """One session: commands in, events out, time as an argument.

    The caller carries the events out in their order, and stores all changes among them before it tells anybody.
    """

    def __init__(self, limits: SessionLimits, *, number: int = 0) -> None:
        """Begin an empty session whose next fact is `number` + 1."""
        self._state = SessionState(limits=limits, number=number)

    @classmethod
    def restore(
        cls,
        limits: SessionLimits,
        now: MonotonicTime,
        *,
        number: int,
        connections: Sequence[Connection],
        streams: Sequence[Stream],
        subscriptions: Sequence[Subscription],
        pairs: Sequence[tuple[ConnectionId, SlotPair]],
        muted: bool = False,
        shared: Mapping[str, str] | None = None,
    ) -> tuple["Session", list[Event]]:
        """Take over the seats of a control that is gone, and return what changed by that.

        Clients that were connected count as adopted: they have the adoption grace to come back unnoticed. Bindings
        whose router answer was lost are taken back, for their start is not known.
        """
        session = cls(limits, number=number)
        state = session._state
        state.load(connections, streams, subscriptions, pairs, muted=muted, shared=shared or {})
        for connection in connections:
            if connection.state is SeatState.INTERRUPTED:
                state.deadlines[connection.connection_id] = (Timer.SEAT, MonotonicTime(now + limits.seat_held_s))
                continue
            state.save_connection(replace(connection, state=SeatState.ADOPTED))
            state.deadlines[connection.connection_id] = (
                Timer.ADOPTION,
                MonotonicTime(now + limits.adoption_grace_s),
            )
        for connection_id, pair in pairs:
            if pair.state is PairState.BINDING and pair.subscription_id is not None:
                slots.withdraw(state, state.subscriptions[connection_id][pair.subscription_id])
        speakers.follow(state)
        state.note_idle(now)
        return session, state.take_events()

    @property
    def connections(self) -> Mapping[ConnectionId, Connection]:
        """Who has a seat, in order of joining."""
        return self._state.connections

    @property
    def streams(self) -> "list[Stream]":
        """The live streams in order of creation."""
        return list(self._state.streams.values())

    @property
    def number(self) -> int:
        """The number of the newest fact; 0 before the first."""
        return self._state.number

    @property
    def muted(self) -> bool:
        """Whether streams begin without sound."""
        return self._state.muted

    def handle(self, command: Command, now: MonotonicTime) -> list[Event]:
        """Follow the rule for a command and return what it brought about.

        Raises:
            CallerError: If the command is not lawful; nothing has changed.
            InternalError: If a command that no client sends has no row; nothing has changed.
        """
        rule = TABLE[type(command)].get(self._standing(command))
        if rule is None:
            if isinstance(command, Request | Resume):
                raise NotConnectedError("The connection is not in the session.")
            raise InternalError(f"{type(command).__name__} has no rule here.")
        rule(self._state, command, now)
        speakers.follow(self._state)
        self._state.note_idle(now)
        return self._state.take_events()

    def next_deadline(self) -> MonotonicTime | None:
        """Return when `handle_timeout` is due, or None if nothing is."""
        # Each is given the same time to be idle, so the first is the next to be due.
        waiting = [when for _, when in self._state.deadlines.values()]
        return min([*waiting, *islice(self._state.idle.values(), 1)], default=None)

    def handle_timeout(self, now: MonotonicTime) -> list[Event]:
        """Move on every seat whose deadline has passed, in their order; then end who is idle for too long."""
        due = sorted(
            (when, timer, connection_id)
            for connection_id, (timer, when) in self._state.deadlines.items()
            if when <= now
        )
        for _, timer, connection_id in due:
            del self._state.deadlines[connection_id]
            seats.pass_deadline(self._state, self._state.connections[connection_id], timer, now)
        while (idle := next(iter(self._state.idle.items()), None)) is not None and idle[1] <= now:
            seats.pass_idle_time(self._state, self._state.connections[idle[0]])
        speakers.follow(self._state)
        self._state.note_idle(now)
        return self._state.take_events()

    @property
    def shared_state(self) -> Mapping[str, str]:
        """The shared state of the session."""
        return self._state.shared

    def seen_by(self, connection: Connection) -> Joined:
        """Return the whole session as this connection is told of it."""
        return self._state.seen_by(connection)

    def _standing(self, command: Command) -> Standing:
        if isinstance(command, SetLayoutClasses):
            return Standing.SERVER
        if isinstance(command, Request):
            if command.origin is None:
                return Standing.SERVER
            connection_id = command.origin.connection_id
        else:
            connection_id = command.connection_id
        seat = self._state.standing(connection_id)
        return Standing.ABSENT if seat is None else Standing(seat.value)
