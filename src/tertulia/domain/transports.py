"""Rules of transports: offers and what they make, the ends of transports, and finding them again after a restart."""

from collections.abc import Sequence
from dataclasses import replace

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import (
    ChangeVideoFallback,
    EndTransport,
    FailOffer,
    FindTransport,
    Negotiate,
    Publish,
    Republish,
    SettleOffer,
)
from tertulia.domain.connection import Connection
from tertulia.domain.events import (
    All,
    Answered,
    CloseTransport,
    Failed,
    MediaFailed,
    Negotiated,
    OpenTransport,
    Published,
    RenegotiateTransport,
    StreamCreated,
    UnbindSlot,
)
from tertulia.domain.limits import MAX_MID_BYTES, MAX_NAME_CHARACTERS
from tertulia.domain.muting import mute_new
from tertulia.domain.roles import Capability, require
from tertulia.domain.slots import assign_pairs, change_video_fallback, withdraw
from tertulia.domain.speakers import find_audio_slots
from tertulia.domain.state import PendingOffer, SessionState
from tertulia.domain.stream import Lines, Stream, StreamSource
from tertulia.domain.streams import attach, detach, own_stream
from tertulia.domain.subscription import MAX_PAIRS, PairState, SlotPair
from tertulia.errors import InvalidParameterError, StreamLimitError, UnavailableError
from tertulia.ids import SlotIndex, TransportId

__all__ = [
    "close_orphan",
    "drop_transport",
    "end_transport",
    "fail_offer",
    "find_transport",
    "negotiate",
    "publish",
    "republish",
    "settle_offer",
]


def negotiate(state: SessionState, command: Negotiate, now: MonotonicTime) -> None:
    """Give the client's offer to the router."""
    _offer(state, command)


def publish(state: SessionState, command: Publish, now: MonotonicTime) -> None:
    """Give the client's offer with a new stream's lines to the router; the stream exists once the router answered."""
    connection_id = command.origin.connection_id
    require(state.connections[connection_id].role, Capability.PUBLISH)
    if len(state.streams) >= state.limits.streams:
        raise StreamLimitError()
    if len(state.streams_of(connection_id)) >= state.limits.streams_per_connection:
        raise StreamLimitError(f"A connection may publish {state.limits.streams_per_connection} streams at a time.")
    if max(len(command.name), len(command.initials or "")) > MAX_NAME_CHARACTERS:
        raise InvalidParameterError(f"A stream's name has at most {MAX_NAME_CHARACTERS} characters.")
    _check_lines(command.lines)
    _offer(state, command)


def republish(state: SessionState, command: Republish, now: MonotonicTime) -> None:
    """Give the client's offer with the new lines of an own stream to the router."""
    own_stream(state, command.origin.connection_id, command.stream_id)
    _check_lines(command.lines)
    _offer(state, command)


def settle_offer(state: SessionState, command: SettleOffer, now: MonotonicTime) -> None:
    """Take over what the router accepted, and answer the client."""
    connection = state.connections[command.connection_id]
    pending = state.offers.get(command.connection_id)
    if pending is None or pending.ticket != command.ticket:
        if command.transport_id != connection.transport_id:
            state.emit(CloseTransport(command.connection_id, command.transport_id))
        return
    del state.offers[command.connection_id]
    request = pending.request
    if (connection.epoch, connection.transport_id) != (request.epoch, command.transport_id):
        connection = replace(connection, epoch=request.epoch, transport_id=command.transport_id)
        state.save_connection(connection)
    for pair in request.pairs:
        state.save_pair(connection.connection_id, SlotPair(SlotIndex(pair.slot), pair.audio_mid, pair.video_mid))
    match request:
        case Negotiate():
            state.emit(Answered(request.origin, Negotiated(command.answer)))
        case Publish():
            stream = _stream_of(request, command.transport_id, connection.layout_classes, silent=state.muted)
            state.save_stream(stream)
            state.emit(Answered(request.origin, Published(command.answer, stream)))
            state.happen(StreamCreated(stream), All())
            mute_new(state, stream)
        case Republish():
            state.emit(Answered(request.origin, Negotiated(command.answer)))
            # Ended meanwhile: the client learns that by streamDestroyed, and needs the answer all the same.
            if (known := state.streams.get(request.stream_id)) is not None:
                attach(state, known, StreamSource(command.transport_id, request.lines))
    assign_pairs(state, connection.connection_id)


def fail_offer(state: SessionState, command: FailOffer, now: MonotonicTime) -> None:
    """Tell the client; if nobody knows what the router did with the offer, end the transport."""
    connection = state.connections[command.connection_id]
    pending = state.offers.get(command.connection_id)
    if pending is None or pending.ticket != command.ticket:
        return
    del state.offers[command.connection_id]
    state.emit(Failed(pending.request.origin, command.error))
    if isinstance(command.error, UnavailableError) and connection.transport_id is not None:
        _fail_media(state, connection, "The media router did not answer.")


def end_transport(state: SessionState, command: EndTransport, now: MonotonicTime) -> None:
    """Drop a transport and tell its client to make another."""
    connection = state.connections[command.connection_id]
    if connection.transport_id == command.transport_id:
        _fail_media(state, connection, command.message)


def find_transport(state: SessionState, command: FindTransport, now: MonotonicTime) -> None:
    """Bring what the router has into line with what was decided; a transport that no seat owns is closed."""
    connection = state.connections[command.connection_id]
    if connection.transport_id != command.transport_id:
        state.emit(CloseTransport(command.connection_id, command.transport_id))
        return
    find_audio_slots(state, command, now)
    carriers = state.audio_slots.get(connection.connection_id, ())
    for subscription in state.subscriptions_of(connection.connection_id):
        if subscription.failed_binds:
            state.save_subscription(replace(subscription, failed_binds=0))
    for found in command.slots:
        pair = state.pairs.get(connection.connection_id, {}).get(found.slot)
        if pair is None or found.slot in carriers:
            continue
        same = found.bound and found.generation == pair.generation
        if pair.state is PairState.BOUND and not same and pair.subscription_id is not None:
            withdraw(state, state.subscriptions[connection.connection_id][pair.subscription_id])
        elif found.bound and pair.state is PairState.FREE:
            state.emit(UnbindSlot(connection.connection_id, command.transport_id, pair.slot, found.generation))
        elif pair.state is PairState.RELEASING and not pair.router_released:
            state.emit(UnbindSlot(connection.connection_id, command.transport_id, pair.slot, pair.generation))
        elif same and found.fallback is not None:
            change_video_fallback(
                state,
                ChangeVideoFallback(
                    connection.connection_id, command.transport_id, pair.slot, pair.generation, found.fallback
                ),
                now,
            )
    assign_pairs(state, connection.connection_id)


def close_orphan(state: SessionState, command: SettleOffer | FindTransport, now: MonotonicTime) -> None:
    """Close a transport whose seat is gone."""
    state.emit(CloseTransport(command.connection_id, command.transport_id))


def drop_transport(state: SessionState, connection: Connection) -> Connection:
    """Close a connection's transport: its streams lose their source, its subscriptions wait for another."""
    if connection.transport_id is None:
        return connection
    state.emit(CloseTransport(connection.connection_id, connection.transport_id))
    state.remove_pairs(connection.connection_id)
    state.pairs_asked.pop(connection.connection_id, None)
    for subscription in state.subscriptions_of(connection.connection_id):
        if subscription.slot is not None or subscription.failed_binds:
            state.save_subscription(replace(subscription, slot=None, failed_binds=0))
    connection = replace(connection, transport_id=None)
    state.save_connection(connection)
    for stream in state.streams_of(connection.connection_id):
        if stream.source is not None:
            detach(state, stream)
    return connection


def _fail_media(state: SessionState, connection: Connection, message: str) -> None:
    drop_transport(state, connection)
    state.emit(MediaFailed(connection.connection_id, connection.epoch, message))


def _offer(state: SessionState, request: Negotiate | Publish | Republish) -> None:
    connection = state.connections[request.origin.connection_id]
    if connection.connection_id in state.offers:
        raise InvalidParameterError("An earlier offer is still unanswered; one at a time.")
    is_new = request.epoch > connection.epoch
    if not is_new and (request.epoch < connection.epoch or connection.transport_id is None):
        raise InvalidParameterError(f"The transport of epoch {request.epoch} is over; use a higher epoch.")
    _check_pairs(request, () if is_new else state.pairs_of(connection.connection_id))
    ticket = state.new_ticket()
    if is_new:
        drop_transport(state, connection)
        state.emit(OpenTransport(connection.connection_id, ticket, request.epoch, request.offer, request.pairs))
    else:
        assert connection.transport_id is not None, "checked above"
        state.emit(
            RenegotiateTransport(
                connection.connection_id, ticket, connection.transport_id, request.offer, request.pairs
            )
        )
    state.offers[connection.connection_id] = PendingOffer(ticket, request)


def _check_pairs(request: Negotiate | Publish | Republish, present: Sequence[SlotPair]) -> None:
    if len(present) + len(request.pairs) > MAX_PAIRS:
        raise InvalidParameterError(f"A transport has at most {MAX_PAIRS} slot pairs.")
    mids = [mid for pair in present for mid in (pair.audio_mid, pair.video_mid)]
    for index, pair in enumerate(request.pairs, start=len(present)):
        if pair.slot != index:
            raise InvalidParameterError(f"Slot pairs are numbered in the order of adding; {index} is next.")
        mids += (pair.audio_mid, pair.video_mid)
    if isinstance(request, Publish | Republish):
        mids += (mid for mid in (request.lines.audio_mid, request.lines.video_mid) if mid is not None)
    if len(set(mids)) != len(mids) or not all(0 < len(mid.encode()) <= MAX_MID_BYTES for mid in mids):
        raise InvalidParameterError(f"Each mid is 1 to {MAX_MID_BYTES} bytes and names one media line.")


def _check_lines(lines: Lines) -> None:
    if lines.audio_mid is None and lines.video_mid is None:
        raise InvalidParameterError("A stream needs audioMid or videoMid.")


def _stream_of(request: Publish, transport_id: TransportId, layout_classes: tuple[str, ...], *, silent: bool) -> Stream:
    return Stream(
        stream_id=request.stream_id,
        connection_id=request.origin.connection_id,
        created_at_ms=request.created_at_ms,
        name=request.name,
        initials=request.initials,
        has_audio=request.has_audio and not silent,
        has_video=request.has_video,
        has_captions=request.has_captions,
        video_type=request.video_type,
        video_dimensions=request.video_dimensions,
        frame_rate=request.frame_rate,
        source=StreamSource(transport_id, request.lines),
        layout_classes=layout_classes,
        audio_fallback=request.audio_fallback,
    )
