"""Rules of subscriptions and slot pairs: who gets which pair when, and how a pair is let go."""

from dataclasses import replace

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import (
    ChangeCodecSupport,
    ChangeVideoFallback,
    ReleaseSlot,
    ReportStalledVideo,
    SettleBind,
    SettleUnbind,
    Subscribe,
    Unsubscribe,
    UpdateSubscription,
)
from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.events import (
    Answered,
    Binding,
    BindSlot,
    Done,
    LayersPaused,
    PauseSlot,
    PreferSlot,
    RequestKeyFrame,
    SlotBound,
    SlotsNeeded,
    SlotUnbound,
    Subscribed,
    SubscriptionVideoChanged,
    SubscriptionVideoWarned,
    UnbindSlot,
)
from tertulia.domain.roles import Capability, require
from tertulia.domain.speakers import arrange, free_pairs, pairs_wanted, remind_audio_slots
from tertulia.domain.state import SessionState
from tertulia.domain.stream import StreamSource
from tertulia.domain.subscription import (
    MAX_SUBSCRIPTIONS,
    PairState,
    SlotPair,
    Subscription,
    VideoFallback,
    best_free_pair,
    next_pool_size,
)
from tertulia.errors import InvalidParameterError, StreamLimitError, StreamNotFoundError
from tertulia.ids import ConnectionId, Generation, SlotIndex, SubscriptionId, TransportId

__all__ = [
    "assign_pairs",
    "bindings_of",
    "change_codec_support",
    "change_video_fallback",
    "end_subscription",
    "release_slot",
    "remind",
    "report_stalled_video",
    "settle_bind",
    "settle_unbind",
    "subscribe",
    "unsubscribe",
    "update_subscription",
    "withdraw",
]

_MAX_FAILED_BINDS = 3
"""After that many refusals a subscription waits until its stream's source or its own transport changes."""


def subscribe(state: SessionState, command: Subscribe, now: MonotonicTime) -> None:
    """Answer with a new subscription and give it a pair as soon as one is free."""
    connection = state.connections[command.origin.connection_id]
    require(connection.role, Capability.SUBSCRIBE)
    if command.stream_id not in state.streams:
        raise StreamNotFoundError()
    if len(state.subscriptions_of(connection.connection_id)) >= MAX_SUBSCRIPTIONS:
        raise StreamLimitError(f"A connection may subscribe to {MAX_SUBSCRIPTIONS} streams at a time.")
    subscription_id = connection.next_subscription_id
    state.save_connection(replace(connection, next_subscription_id=SubscriptionId(subscription_id + 1)))
    state.save_subscription(
        Subscription(
            subscription_id=subscription_id,
            connection_id=connection.connection_id,
            stream_id=command.stream_id,
            audio=command.audio,
            video=command.video,
            wishes=command.wishes,
        )
    )
    state.emit(Answered(command.origin, Subscribed(subscription_id)))
    assign_pairs(state, connection.connection_id)


def update_subscription(state: SessionState, command: UpdateSubscription, now: MonotonicTime) -> None:
    """Hold back or let through what the subscriber turned off or on, and pass on which picture it would like."""
    before = _find_subscription(state, command.origin.connection_id, command.subscription_id)
    state.emit(Answered(command.origin, Done()))
    if before is None:
        return
    subscription = replace(before, audio=command.audio, video=command.video, wishes=command.wishes)
    if subscription == before:
        return
    state.save_subscription(subscription)
    connection = state.connections[subscription.connection_id]
    if subscription.slot is None or connection.transport_id is None:
        return
    pair = state.pairs[connection.connection_id][subscription.slot]
    binding = (connection.connection_id, connection.transport_id, pair.slot, pair.generation)
    # Wishes first: what is resumed begins with the picture that is wanted.
    if subscription.wishes != before.wishes:
        prefer(state, subscription)
    if (subscription.audio, subscription.video) != (before.audio, before.video):
        state.emit(PauseSlot(*binding, audio_paused=not subscription.audio, video_paused=not subscription.video))


def prefer(state: SessionState, subscription: Subscription) -> None:
    """Say anew which picture a bound subscription would like, and whether it is of a screen."""
    connection = state.connections[subscription.connection_id]
    if subscription.slot is None or connection.transport_id is None:
        return
    pair = state.pairs[connection.connection_id][subscription.slot]
    stream = state.streams[subscription.stream_id]
    state.emit(
        PreferSlot(
            connection_id=connection.connection_id,
            transport_id=connection.transport_id,
            slot=pair.slot,
            generation=pair.generation,
            wishes=subscription.wishes,
            is_screen=stream.is_screen,
        )
    )


def report_stalled_video(state: SessionState, command: ReportStalledVideo, now: MonotonicTime) -> None:
    """Ask for a key frame of the video that a subscriber cannot decode, if it is to get any."""
    subscriptions = state.subscriptions.get(command.connection_id, {})
    subscription = subscriptions.get(command.subscription_id)
    if subscription is None or not subscription.video or subscription.slot is None:
        return
    source = state.streams[subscription.stream_id].source
    if source is not None and source.lines.video_mid is not None:
        state.emit(RequestKeyFrame(command.connection_id, source.transport_id, source.lines.video_mid))


def unsubscribe(state: SessionState, command: Unsubscribe, now: MonotonicTime) -> None:
    """End a subscription; one that ended by itself meanwhile is no error."""
    subscription = _find_subscription(state, command.origin.connection_id, command.subscription_id)
    state.emit(Answered(command.origin, Done()))
    if subscription is not None:
        end_subscription(state, subscription)


def release_slot(state: SessionState, command: ReleaseSlot, now: MonotonicTime) -> None:
    """Note that the client has let go of a binding; one that is over already is no error.

    Raises:
        InvalidParameterError: If the binding is alive: nobody asked the client to let go.
    """
    connection_id = command.origin.connection_id
    pair = _find_pair(state, connection_id, command.slot, command.generation)
    if pair is not None and pair.state in (PairState.BINDING, PairState.BOUND):
        raise InvalidParameterError("The slot is bound; only an unbound slot is released.")
    state.emit(Answered(command.origin, Done()))
    if pair is not None and pair.state is PairState.RELEASING and not pair.client_released:
        _settle(state, connection_id, replace(pair, client_released=True))


def settle_bind(state: SessionState, command: SettleBind, now: MonotonicTime) -> None:
    """Tell the client what is bound, or take the pair back after a refusal."""
    connection = state.connections[command.connection_id]
    pair = _find_pair(state, connection.connection_id, command.slot, command.generation)
    if connection.transport_id != command.transport_id or pair is None or pair.state is not PairState.BINDING:
        return
    if command.accepted:
        pair = replace(
            pair,
            state=PairState.BOUND,
            audio_rtp_timestamp=command.audio_rtp_timestamp,
            video_rtp_timestamp=command.video_rtp_timestamp,
        )
        state.save_pair(connection.connection_id, pair)
        state.emit(SlotBound(connection.connection_id, _binding(connection.epoch, pair)))
        return
    assert pair.subscription_id is not None, "a pair being bound names its subscription"
    subscription = state.subscriptions[connection.connection_id][pair.subscription_id]
    withdraw(state, replace(subscription, failed_binds=subscription.failed_binds + 1))
    assign_pairs(state, connection.connection_id)


def settle_unbind(state: SessionState, command: SettleUnbind, now: MonotonicTime) -> None:
    """Note that the router has let go of a binding."""
    pair = _find_pair(state, command.connection_id, command.slot, command.generation)
    same_transport = state.connections[command.connection_id].transport_id == command.transport_id
    if same_transport and pair is not None and pair.state is PairState.RELEASING and not pair.router_released:
        _settle(state, command.connection_id, replace(pair, router_released=True))


def change_codec_support(state: SessionState, command: ChangeCodecSupport, now: MonotonicTime) -> None:
    """Tell the subscriber that the video of a binding cannot, or can again, be decoded by it."""
    pair = _find_pair(state, command.connection_id, command.slot, command.generation)
    same_transport = state.connections[command.connection_id].transport_id == command.transport_id
    alive = pair is not None and pair.state in (PairState.BINDING, PairState.BOUND)
    if pair is None or not alive or not same_transport or pair.video_supported == command.supported:
        return
    state.save_pair(command.connection_id, replace(pair, video_supported=command.supported))
    _tell_video(state, command.connection_id, pair, enabled=command.supported)


def change_video_fallback(state: SessionState, command: ChangeVideoFallback, now: MonotonicTime) -> None:
    """Tell the subscriber that the video of a binding is, soon may be, or is no longer left out for bandwidth."""
    pair = _find_pair(state, command.connection_id, command.slot, command.generation)
    same_transport = state.connections[command.connection_id].transport_id == command.transport_id
    alive = pair is not None and pair.state in (PairState.BINDING, PairState.BOUND)
    if pair is None or not alive or not same_transport or pair.fallback == command.fallback:
        return
    state.save_pair(command.connection_id, replace(pair, fallback=command.fallback))
    before = pair.fallback or VideoFallback.SENT
    _tell_fallback(state, command.connection_id, pair, command.fallback, before)


def assign_pairs(state: SessionState, connection_id: ConnectionId) -> None:
    """Bind waiting subscriptions while pairs are free, oldest first, and ask for more pairs if they are too few."""
    connection = state.connections[connection_id]
    subscriptions = state.subscriptions_of(connection_id)
    if connection.transport_id is not None:
        for subscription in subscriptions:
            source = state.streams[subscription.stream_id].source
            if subscription.slot is not None or source is None or subscription.failed_binds >= _MAX_FAILED_BINDS:
                continue
            pair = best_free_pair(free_pairs(state, connection_id))
            if pair is None:
                break
            _bind(state, connection.transport_id, subscription, pair, source)
    wanted = pairs_wanted(state, connection_id)
    if wanted > len(state.pairs_of(connection_id)) and connection.state is SeatState.CONNECTED:
        size = next_pool_size(wanted)
        if size > state.pairs_asked.get(connection_id, 0):
            state.pairs_asked[connection_id] = size
            state.emit(SlotsNeeded(connection_id, size))
    arrange(state, connection_id)


def withdraw(state: SessionState, subscription: Subscription) -> None:
    """Take a subscription out of its pair, so that it waits for one again."""
    slot = subscription.slot
    assert slot is not None, "only a subscription in a pair is withdrawn"
    state.save_subscription(replace(subscription, slot=None))
    _release(state, state.connections[subscription.connection_id], slot)


def end_subscription(state: SessionState, subscription: Subscription) -> None:
    """Remove a subscription and release its pair."""
    state.remove_subscription(subscription)
    if subscription.slot is not None:
        _release(state, state.connections[subscription.connection_id], subscription.slot)


def bindings_of(state: SessionState, connection_id: ConnectionId) -> tuple[Binding, ...]:
    """Return what is bound on a connection's transport, by slot."""
    epoch = state.connections[connection_id].epoch
    return tuple(_binding(epoch, pair) for pair in state.pairs_of(connection_id) if pair.state is PairState.BOUND)


def remind(state: SessionState, connection_id: ConnectionId) -> None:
    """Say again what a client may have missed while it had no socket, for notices are not logged."""
    for stream in state.streams_of(connection_id):
        if (rids := state.paused_layers.get(stream.stream_id)) is not None:
            state.emit(LayersPaused(connection_id, stream.stream_id, rids))
    for pair in state.pairs_of(connection_id):
        if pair.state is PairState.RELEASING and not pair.client_released and pair.subscription_id is not None:
            state.emit(SlotUnbound(connection_id, pair.subscription_id, pair.slot, pair.generation))
        elif pair.state is PairState.BOUND and not pair.video_supported:
            _tell_video(state, connection_id, pair, enabled=False)
        if pair.state is PairState.BOUND and pair.fallback is not None:
            _tell_fallback(state, connection_id, pair, pair.fallback)
    remind_audio_slots(state, connection_id)
    state.pairs_asked.pop(connection_id, None)
    assign_pairs(state, connection_id)


def _find_subscription(
    state: SessionState, connection_id: ConnectionId, subscription_id: SubscriptionId
) -> Subscription | None:
    if not 0 < subscription_id < state.connections[connection_id].next_subscription_id:
        raise InvalidParameterError("No such subscription.")
    return state.subscriptions.get(connection_id, {}).get(subscription_id)


def _find_pair(
    state: SessionState, connection_id: ConnectionId, slot: SlotIndex, generation: Generation
) -> SlotPair | None:
    pair = state.pairs.get(connection_id, {}).get(slot)
    return pair if pair is not None and pair.generation == generation else None


def _bind(
    state: SessionState, transport_id: TransportId, subscription: Subscription, pair: SlotPair, source: StreamSource
) -> None:
    stream = state.streams[subscription.stream_id]
    pair = pair.bind(subscription.subscription_id)
    state.save_pair(subscription.connection_id, pair)
    state.save_subscription(replace(subscription, slot=pair.slot))
    state.emit(
        BindSlot(
            connection_id=subscription.connection_id,
            transport_id=transport_id,
            slot=pair.slot,
            generation=pair.generation,
            source=source,
            audio_paused=not subscription.audio,
            video_paused=not subscription.video,
            wishes=subscription.wishes,
            audio_fallback=stream.audio_fallback,
            is_screen=stream.is_screen,
        )
    )


def _release(state: SessionState, connection: Connection, slot: SlotIndex) -> None:
    pair = state.pairs[connection.connection_id][slot]
    told = pair.state is PairState.BOUND
    assert connection.transport_id is not None, "a pair belongs to a transport"
    assert pair.subscription_id is not None, "a bound pair names its subscription"
    state.save_pair(connection.connection_id, pair.release())
    state.emit(UnbindSlot(connection.connection_id, connection.transport_id, slot, pair.generation))
    if told:
        state.emit(SlotUnbound(connection.connection_id, pair.subscription_id, slot, pair.generation))


def _settle(state: SessionState, connection_id: ConnectionId, pair: SlotPair) -> None:
    pair = pair.settle()
    state.save_pair(connection_id, pair)
    if pair.state is PairState.FREE:
        assign_pairs(state, connection_id)


def _tell_video(state: SessionState, connection_id: ConnectionId, pair: SlotPair, *, enabled: bool) -> None:
    assert pair.subscription_id is not None, "a bound pair names its subscription"
    reason = "codecChanged" if enabled else "codecNotSupported"
    state.emit(SubscriptionVideoChanged(connection_id, pair.subscription_id, enabled, reason))


def _tell_fallback(
    state: SessionState,
    connection_id: ConnectionId,
    pair: SlotPair,
    now: VideoFallback,
    before: VideoFallback | None = None,
) -> None:
    """Say what is different from `before`; everything, if it is not known what the client knows."""
    assert pair.subscription_id is not None, "a bound pair names its subscription"
    stopped, warned = now is VideoFallback.STOPPED, now is VideoFallback.WARNED
    if before is None or stopped != (before is VideoFallback.STOPPED):
        state.emit(SubscriptionVideoChanged(connection_id, pair.subscription_id, not stopped, "quality"))
    if not stopped and (before is None or warned != (before is VideoFallback.WARNED)):
        state.emit(SubscriptionVideoWarned(connection_id, pair.subscription_id, warned))


def _binding(epoch: int, pair: SlotPair) -> Binding:
    assert pair.subscription_id is not None, "a bound pair names its subscription"
    return Binding(
        subscription_id=pair.subscription_id,
        epoch=epoch,
        slot=pair.slot,
        generation=pair.generation,
        audio_rtp_timestamp=pair.audio_rtp_timestamp,
        video_rtp_timestamp=pair.video_rtp_timestamp,
    )
