"""The life of a client's connection: every rule of joining, resuming, asking and leaving is in this file.

Pure: `Core.handle(input, now)` and `Core.handle_timeout(now)` change the state and return the effects that the caller
must carry out in their order; `Core.next_deadline()` says when `handle_timeout` is due. Nothing here reads a clock,
opens a socket or draws a random number.

    DISCONNECTED --Connect--> CONNECTING --joined--> CONNECTED --Disconnect--> DISCONNECTING --reply--> DISCONNECTED
                                  |                  |       ^
                               refused        socket lost  resumed
                                  v                  v       |
                            DISCONNECTED           RECONNECTING --window over--> DISCONNECTED

Each socket that is opened has a number; what comes from any but the newest is stale and has no effect.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from tertulia.client.errors import (
    SessionError,
    connect_failed,
    connect_timed_out,
    disconnected,
    error_from,
    not_connected,
    timed_out,
    too_many_requests,
)
from tertulia.client.events import Event, SessionDisconnectEvent
from tertulia.client.exchange import (
    Answered,
    Ask,
    CloseSocket,
    Connect,
    ConnectDone,
    Disconnect,
    DisconnectDone,
    Dispatched,
    Effect,
    ForMedia,
    Input,
    MediaNotice,
    MediaOver,
    OpenSocket,
    Reading,
    Received,
    Request,
    Send,
    SocketLost,
    SocketOpened,
)
from tertulia.client.presence import Fact, Presence, disconnect_reason
from tertulia.client.retry import retry_delay_s
from tertulia.client.values import DisconnectReason
from tertulia.wire import signalling as wire
from tertulia.wire.codes import UNANSWERED_REQUESTS, CloseCode

ANSWER_S = 10.0
"""A socket must be open and `join` or `resume` answered within this time. Our own choice."""

REQUEST_S = 30.0
"""A request must be answered within this time on one socket. Our own choice; heartbeats find dead sockets sooner."""

LEAVE_S = 3.0
"""`leave` must be answered within this time; then the client is gone anyway. Our own choice."""

STEADY_S = 5.0
"""A socket that is lost sooner than this after resuming counts as one more failed try. Our own choice."""

DOUBT_S = 1.5
"""A request without an answer, and without any other word of the server, for so long puts the socket in doubt."""

PROBE_S = 1.25
"""How long a socket in doubt may take to say anything. Our own choice: more than repeats of lost packets take."""

ON_SOCKET = 90
"""Requests without an answer on one socket; more wait. What a cut has held back and then lets through at once stays
below the 100 signals a second that the server takes, so none of it is refused out of its order."""

PACE_S = 0.1
PACE_NEXT = 8
"""After a resume so many requests go out every PACE_S: the signals of the second before may have used up the limit."""

POINTLESS_TO_RESUME = frozenset({CloseCode.REPLACED, CloseCode.ENDED})
"""Close codes that say that another socket has the connection, or that it is over."""


class State(enum.Enum):
    """Where the client stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    DISCONNECTING = "disconnecting"


class Timer(enum.Enum):
    """What the client waits for, each with a deadline."""

    ANSWER = "a socket to open and `joined` or `resumed` to come"
    SILENCE = "any sign of life from the server, for two heartbeats"
    RETRY = "the next try to resume"
    WINDOW = "the end of the time in which the server keeps the seat for us"
    REQUEST = "the reply to the oldest unanswered request"
    LEAVE = "the reply to `leave`"
    DOUBT = "any word of the server after a request"
    PROBE = "any word of the server after our ping"
    PACE = "the turn of the next requests that piled up"


@dataclass(slots=True)
class _Pending:
    """A request without an answer. `deadline` is set while it is on a socket."""

    ticket: int
    request: Request
    deadline: float | None


class Core:
    """One client's connection to one session, connected as often as the program likes.

    Invariants: at most one socket is in use, none while DISCONNECTED; a request is in `_pending` until it is answered,
    exactly once; `sessionDisconnected` is dispatched exactly once for every `joined`.
    """

    def __init__(self, opening: Callable[[str], wire.Join], presence: Presence | None = None) -> None:
        """Takes a function that makes the `join` message from a token, and where the session's contents are kept."""
        self.state = State.DISCONNECTED
        self.presence = presence or Presence()
        self._opening = opening
        self._token = ""
        self._sockets = 0
        self._socket = 0  # the number of the newest one; 0 while there is none
        self._opened = False
        self._last_id = 0
        self._leave_id = 0
        self._last_number = 0
        self._connection_id = ""
        self._resume_key = ""
        self._heartbeat_s = 0.0
        self._window_s = 0.0
        self._tries = 0
        self._steady_at = 0.0
        self._pending: dict[int, _Pending] = {}
        self._held: deque[int] = deque()  # requests that wait for their turn after a resume, in order
        self._timers: dict[Timer, float] = {}
        self._effects: list[Effect] = []

    def handle(self, input: Input, now: float) -> list[Effect]:
        """Takes one input at `now` (monotonic seconds) and returns what the caller must do, in order."""
        if isinstance(input, SocketOpened | SocketLost | Received) and input.socket != self._socket:
            return []
        if isinstance(input, Received):
            self._take_message(input, now)
        elif (row := _ROWS.get((self.state, type(input)))) is not None:
            row(self, input, now)
        return self._take_effects()

    def handle_timeout(self, now: float) -> list[Effect]:
        """Acts on every deadline that has passed at `now`. Calling it early or twice does no harm."""
        for timer, deadline in list(self._timers.items()):
            if deadline <= now and self._timers.get(timer) == deadline:
                del self._timers[timer]
                _TIMEOUTS[timer](self, now)
        return self._take_effects()

    def next_deadline(self) -> float | None:
        """When `handle_timeout` is due, in monotonic seconds; None if nothing is awaited."""
        return min(self._timers.values(), default=None)

    def _take_message(self, input: Received, now: float) -> None:
        if Timer.SILENCE in self._timers:
            self._timers[Timer.SILENCE] = now + 2 * self._heartbeat_s
        self._trust()
        row = _ROWS.get((self.state, type(input.body)))
        if row is None or 0 < input.number <= self._last_number:
            return
        if input.number:
            self._last_number = input.number
        row(self, input.body, now)

    def _take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    def _emit(self, *effects: Effect) -> None:
        self._effects.extend(effects)

    def _dispatch(self, events: list[Event]) -> None:
        self._effects.extend(Dispatched(event) for event in events)

    # Joining

    def _connect(self, input: Connect, now: float) -> None:
        self.state = State.CONNECTING
        self._token = input.token
        self._open_socket(now)

    def _connect_again(self, input: Connect, now: float) -> None:
        self._emit(ConnectDone())

    def _connect_while_leaving(self, input: Connect, now: float) -> None:
        self._emit(ConnectDone(connect_failed("The session is being left; connect again when that is done.")))

    def _join(self, input: SocketOpened, now: float) -> None:
        self._opened = True
        self._emit(Send(0, 0, self._opening(self._token)))

    def _joined(self, joined: wire.Joined, now: float) -> None:
        self.state = State.CONNECTED
        self._token = ""
        self._last_id = 0
        self._last_number = joined.number
        self._connection_id = joined.connection.id
        self._resume_key = joined.resume_key
        self._heartbeat_s = max(joined.heartbeat_s, 0.1)
        self._window_s = max(joined.reconnect_window_s, 0.0)
        self._tries = 0
        self._steady_at = now
        self._timers = {Timer.SILENCE: now + 2 * self._heartbeat_s}
        events = self.presence.enter(joined)
        self._emit(ForMedia(joined), ConnectDone())
        self._dispatch(events)

    def _refused(self, refused: wire.Refused, now: float) -> None:
        self._connect_failed(_error(refused.error))

    def _ended_while_joining(self, message: wire.Disconnected, now: float) -> None:
        self._connect_failed(connect_failed("The server ended the connection while it was being made."))

    def _lost_while_joining(self, input: SocketLost, now: float) -> None:
        self._connect_failed(connect_failed(f"The server cannot be reached: {input.why}."))

    def _connect_failed(self, error: SessionError) -> None:
        self._let_go()
        self._emit(ConnectDone(error))

    def _give_up_joining(self, input: Disconnect, now: float) -> None:
        if self._opened:
            # The server may have given us a seat by now: without a goodbye it would hold it for a whole window.
            self._emit(Send(1, 0, wire.Leave()))
        self._let_go()
        self._emit(ConnectDone(disconnected()), DisconnectDone())

    # While connected

    def _happened(self, fact: Fact, now: float) -> None:
        if isinstance(fact, wire.ConnectionInterrupted | wire.ConnectionRestored | wire.StreamMuted) or (
            isinstance(fact, wire.StreamDestroyed) and self.presence.is_own(fact.connection_id)
        ):
            self._emit(ForMedia(fact))
        self._dispatch(self.presence.apply(fact))

    def _noticed(self, notice: MediaNotice, now: float) -> None:
        self._emit(ForMedia(notice))

    def _ping(self, message: wire.Ping, now: float) -> None:
        self._emit(Send(0, self._last_number, wire.Pong()))

    def _ask(self, input: Ask, now: float) -> None:
        if len(self._pending) >= UNANSWERED_REQUESTS:
            self._emit(Answered(input.ticket, too_many_requests(UNANSWERED_REQUESTS)))
            return
        self._last_id += 1
        self._pending[self._last_id] = _Pending(input.ticket, input.request, None)
        if self.state is State.CONNECTED:
            self._held.append(self._last_id)
            self._send_held(now)

    def _send_request(self, request_id: int, now: float) -> None:
        pending = self._pending[request_id]
        pending.deadline = now + REQUEST_S
        self._timers.setdefault(Timer.REQUEST, pending.deadline)
        if Timer.SILENCE in self._timers:  # else nobody listens
            self._timers.setdefault(Timer.DOUBT, now + DOUBT_S)
        self._emit(Send(request_id, self._last_number, pending.request))

    def _ask_in_vain(self, input: Ask, now: float) -> None:
        self._emit(Answered(input.ticket, not_connected()))

    def _reply(self, reply: wire.Reply, now: float) -> None:
        if reply.id == self._leave_id:
            self._end(DisconnectReason.CLIENT_DISCONNECTED)
            return
        pending = self._pending.pop(reply.id, None)
        if pending is None:
            return
        if pending.deadline is None:  # the server had it from the socket before
            self._held.remove(reply.id)
        self._emit(Answered(pending.ticket, None if reply.error is None else _error(reply.error), reply))
        self._send_held(now)

    def _pause_or_read_on(self, input: Reading, now: float) -> None:
        """A server that we do not listen to is not silent."""
        self._timers.pop(Timer.SILENCE, None)
        self._trust()
        if input.on:
            self._timers[Timer.SILENCE] = now + 2 * self._heartbeat_s

    def _disconnected(self, message: wire.Disconnected, now: float) -> None:
        self._end(disconnect_reason(message.reason))

    # Resuming

    def _lose_socket(self, input: SocketLost, now: float) -> None:
        if input.code in POINTLESS_TO_RESUME:
            self._end(DisconnectReason.NETWORK_DISCONNECTED)
        else:
            self._reconnect(now, input.jitter)

    def _reconnect(self, now: float, jitter: float) -> None:
        self.state = State.RECONNECTING
        self._tries = self._tries + 1 if now < self._steady_at else 0
        self._timers = {Timer.WINDOW: now + self._window_s}
        self._held.clear()
        for pending in self._pending.values():
            pending.deadline = None
        self._emit(Dispatched(Event("sessionReconnecting")))
        self._try_to_resume(now, jitter)

    def _try_to_resume(self, now: float, jitter: float) -> None:
        delay_s = retry_delay_s(self._tries, jitter)
        if delay_s == 0.0:
            self._open_socket(now)
        else:
            self._close_socket()
            self._timers[Timer.RETRY] = now + delay_s

    def _resume(self, input: SocketOpened, now: float) -> None:
        self._opened = True
        resume = wire.Resume(self._connection_id, self._resume_key, self._last_number, audio_slots=True)
        self._emit(Send(0, self._last_number, resume))

    def _resumed(self, resumed: wire.Resumed, now: float) -> None:
        self.state = State.CONNECTED
        self._resume_key = resumed.resume_key
        self._steady_at = now + STEADY_S
        self._timers = {Timer.SILENCE: now + 2 * self._heartbeat_s}
        self._emit(Dispatched(Event("sessionReconnected")))
        if resumed.snapshot is not None:
            self._last_number = max(self._last_number, resumed.snapshot.number)
            self._dispatch(self.presence.reconcile(resumed.snapshot))
        self._emit(ForMedia(resumed))
        self._held = deque(self._pending)
        if self._held:
            self._timers[Timer.PACE] = now + PACE_S

    def _send_held(self, now: float, most: int = ON_SOCKET) -> None:
        """Sends the requests that wait, as far as they may go."""
        while self._held and most > 0 and (Timer.PACE not in self._timers) and self._on_socket() < ON_SOCKET:
            request_id = self._held.popleft()
            if request_id in self._pending:
                self._send_request(request_id, now)
                most -= 1
        self._watch_oldest_request()

    def _on_socket(self) -> int:
        return len(self._pending) - len(self._held)

    def _resume_refused(self, refused: wire.Refused, now: float) -> None:
        if refused.error.name == "OT_CONNECT_FAILED":
            return  # it cannot take us now; it closes the socket, and that leads to the next try
        self._end(DisconnectReason.NETWORK_DISCONNECTED)

    def _lost_while_resuming(self, input: SocketLost, now: float) -> None:
        if input.code in POINTLESS_TO_RESUME:
            self._end(DisconnectReason.NETWORK_DISCONNECTED)
            return
        self._tries += 1
        self._try_to_resume(now, input.jitter)

    # Leaving

    def _leave(self, input: Disconnect, now: float) -> None:
        self.state = State.DISCONNECTING
        self._timers[Timer.LEAVE] = now + LEAVE_S
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        self._last_id += 1
        self._leave_id = self._last_id
        self._emit(Send(self._leave_id, self._last_number, wire.Leave()))

    def _leave_when_back(self, input: Disconnect, now: float) -> None:
        """Makes one attempt at a goodbye, else the server would hold the seat, and the others see us, for a window."""
        self.state = State.DISCONNECTING
        if not self._socket:
            self._open_socket(now)
        self._timers = {Timer.LEAVE: now + LEAVE_S}

    def _back_to_leave(self, resumed: wire.Resumed, now: float) -> None:
        if resumed.snapshot is not None:
            self._last_number = max(self._last_number, resumed.snapshot.number)
            self._dispatch(self.presence.reconcile(resumed.snapshot))
        self._say_goodbye()

    def _refused_while_leaving(self, refused: wire.Refused, now: float) -> None:
        self._end(DisconnectReason.CLIENT_DISCONNECTED)

    def _lost_while_leaving(self, input: SocketLost, now: float) -> None:
        self._end(DisconnectReason.CLIENT_DISCONNECTED)

    def _nothing_to_leave(self, input: Disconnect, now: float) -> None:
        self._emit(DisconnectDone())

    def _end(self, reason: DisconnectReason) -> None:
        """Ends the connection. What the program sees of the session is empty before it hears of it."""
        pending, self._pending = self._pending, {}
        self._held.clear()
        self._let_go()
        self._emit(*(Answered(request.ticket, disconnected()) for request in pending.values()))
        self._emit(MediaOver(reason), DisconnectDone(), Dispatched(SessionDisconnectEvent(reason)))

    def _let_go(self) -> None:
        self.state = State.DISCONNECTED
        self._token = self._resume_key = ""
        self._leave_id = 0
        self._timers = {}
        self._close_socket()
        self.presence.clear()

    # Sockets and deadlines

    def _open_socket(self, now: float) -> None:
        self._close_socket()
        self._sockets += 1
        self._socket = self._sockets
        self._timers[Timer.ANSWER] = now + ANSWER_S
        self._emit(OpenSocket(self._socket))

    def _close_socket(self) -> None:
        """Closes the newest socket, if there is one, and makes everything that still comes from it stale."""
        if self._socket:
            self._emit(CloseSocket(self._socket))
        self._socket = 0
        self._opened = False
        self._timers.pop(Timer.ANSWER, None)

    def _watch_oldest_request(self) -> None:
        """Sets the timer by the oldest request: they are kept in their order, so none has an earlier deadline."""
        self._timers.pop(Timer.REQUEST, None)
        oldest = next(iter(self._pending.values()), None)
        if oldest is not None and oldest.deadline is not None:
            self._timers[Timer.REQUEST] = oldest.deadline

    def _answer_late(self, now: float) -> None:
        if self.state is State.CONNECTING:
            self._connect_failed(connect_timed_out(f"The server did not answer within {ANSWER_S:.0f} s."))
        else:
            self._tries += 1
            self._try_to_resume(now, jitter=0.0)

    def _silent(self, now: float) -> None:
        if self.state is State.CONNECTED:
            self._reconnect(now, jitter=0.0)

    def _trust(self) -> None:
        """The server lives, or nobody listens to it."""
        self._timers.pop(Timer.DOUBT, None)
        self._timers.pop(Timer.PROBE, None)

    def _doubt(self, now: float) -> None:
        self._timers[Timer.PROBE] = now + PROBE_S
        self._emit(Send(0, self._last_number, wire.Ping()))

    def _next_held(self, now: float) -> None:
        self._send_held(now, PACE_NEXT)
        if self._held:
            self._timers[Timer.PACE] = now + PACE_S

    def _retry(self, now: float) -> None:
        self._open_socket(now)

    def _window_over(self, now: float) -> None:
        self._end(DisconnectReason.NETWORK_DISCONNECTED)

    def _request_late(self, now: float) -> None:
        late = [i for i, pending in self._pending.items() if pending.deadline is not None and pending.deadline <= now]
        for request_id in late:
            pending = self._pending.pop(request_id)
            self._emit(Answered(pending.ticket, timed_out(f"The server did not answer within {REQUEST_S:.0f} s.")))
        self._watch_oldest_request()

    def _leave_late(self, now: float) -> None:
        self._end(DisconnectReason.CLIENT_DISCONNECTED)


def _error(error: wire.Error) -> SessionError:
    return error_from(error.name, error.code, error.message)


_Row = Callable[[Core, Any, float], None]

_ROWS: dict[tuple[State, type[object]], _Row] = {
    (State.DISCONNECTED, Connect): Core._connect,
    (State.DISCONNECTED, Disconnect): Core._nothing_to_leave,
    (State.DISCONNECTED, Ask): Core._ask_in_vain,
    (State.CONNECTING, Disconnect): Core._give_up_joining,
    (State.CONNECTING, Ask): Core._ask_in_vain,
    (State.CONNECTING, SocketOpened): Core._join,
    (State.CONNECTING, SocketLost): Core._lost_while_joining,
    (State.CONNECTING, wire.Joined): Core._joined,
    (State.CONNECTING, wire.Refused): Core._refused,
    (State.CONNECTING, wire.Disconnected): Core._ended_while_joining,
    (State.CONNECTED, Connect): Core._connect_again,
    (State.CONNECTED, Disconnect): Core._leave,
    (State.CONNECTED, Ask): Core._ask,
    (State.CONNECTED, SocketLost): Core._lose_socket,
    (State.CONNECTED, Reading): Core._pause_or_read_on,
    (State.CONNECTED, wire.Reply): Core._reply,
    (State.CONNECTED, wire.Ping): Core._ping,
    (State.CONNECTED, wire.Disconnected): Core._disconnected,
    (State.RECONNECTING, Connect): Core._connect_again,
    (State.RECONNECTING, Disconnect): Core._leave_when_back,
    (State.RECONNECTING, Ask): Core._ask,
    (State.RECONNECTING, SocketOpened): Core._resume,
    (State.RECONNECTING, SocketLost): Core._lost_while_resuming,
    (State.RECONNECTING, wire.Resumed): Core._resumed,
    (State.RECONNECTING, wire.Refused): Core._resume_refused,
    (State.RECONNECTING, wire.Disconnected): Core._disconnected,
    (State.DISCONNECTING, Connect): Core._connect_while_leaving,
    (State.DISCONNECTING, Ask): Core._ask_in_vain,
    (State.DISCONNECTING, SocketOpened): Core._resume,
    (State.DISCONNECTING, wire.Resumed): Core._back_to_leave,
    (State.DISCONNECTING, wire.Refused): Core._refused_while_leaving,
    (State.DISCONNECTING, SocketLost): Core._lost_while_leaving,
    (State.DISCONNECTING, wire.Reply): Core._reply,
    (State.DISCONNECTING, wire.Ping): Core._ping,
    (State.DISCONNECTING, wire.Disconnected): Core._disconnected,
    **{(state, event): Core._happened for state in (State.CONNECTED, State.DISCONNECTING) for event in get_args(Fact)},
    **{(State.CONNECTED, notice): Core._noticed for notice in get_args(MediaNotice)},
}
"""What each input does in each state. One without a row is late, doubled or for a later version: it has no effect."""

_TIMEOUTS: dict[Timer, Callable[[Core, float], None]] = {
    Timer.ANSWER: Core._answer_late,
    Timer.SILENCE: Core._silent,
    Timer.RETRY: Core._retry,
    Timer.WINDOW: Core._window_over,
    Timer.REQUEST: Core._request_late,
    Timer.LEAVE: Core._leave_late,
    Timer.DOUBT: Core._doubt,
    Timer.PROBE: Core._silent,
    Timer.PACE: Core._next_held,
}
