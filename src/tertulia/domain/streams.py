"""Rules of streams: their properties and their ends. How they begin is in `transports`, for it takes an offer."""

from dataclasses import replace

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import (
    ForceUnpublish,
    PauseLayers,
    ReportSenderStats,
    SetLayoutClasses,
    Unpublish,
    UpdateStream,
)
from tertulia.domain.events import (
    All,
    Answered,
    Done,
    LayersPaused,
    Recipients,
    SenderStatsTold,
    StreamDestroyed,
    StreamPropertyChanged,
)
from tertulia.domain.limits import MAX_LAYOUT_CLASS_CHARACTERS, SENDER_STATS_S
from tertulia.domain.roles import Capability, Reason, require
from tertulia.domain.slots import assign_pairs, end_subscription, prefer, withdraw
from tertulia.domain.state import SessionState
from tertulia.domain.stream import PropertyValue, Stream, StreamProperty, StreamSource
from tertulia.errors import (
    ForceUnpublishInvalidStreamError,
    InvalidParameterError,
    PermissionDeniedError,
    StreamNotFoundError,
)
from tertulia.ids import ConnectionId, StreamId

__all__ = [
    "attach",
    "detach",
    "end_stream",
    "force_unpublish",
    "own_stream",
    "pause_layers",
    "report_sender_stats",
    "set_layout_classes",
    "unpublish",
    "update_stream",
]


def own_stream(state: SessionState, connection_id: ConnectionId, stream_id: StreamId) -> Stream:
    """Return a stream that the connection publishes.

    Raises:
        StreamNotFoundError: If the session has no such stream.
        PermissionDeniedError: If it is another connection's.
    """
    stream = state.streams.get(stream_id)
    if stream is None:
        raise StreamNotFoundError()
    if stream.connection_id != connection_id:
        raise PermissionDeniedError("The stream belongs to another connection.")
    return stream


def unpublish(state: SessionState, command: Unpublish, now: MonotonicTime) -> None:
    """End an own stream."""
    if command.reason not in (Reason.CLIENT_DISCONNECTED, Reason.MEDIA_STOPPED):
        raise InvalidParameterError("The reason of unpublish is clientDisconnected or mediaStopped.")
    stream = own_stream(state, command.origin.connection_id, command.stream_id)
    state.emit(Answered(command.origin, Done()))
    end_stream(state, stream, command.reason, All())


def force_unpublish(state: SessionState, command: ForceUnpublish, now: MonotonicTime) -> None:
    """End anybody's stream on behalf of a moderator or of the server's API."""
    if command.origin is not None:
        require(state.connections[command.origin.connection_id].role, Capability.FORCE_UNPUBLISH)
    stream = state.streams.get(command.stream_id)
    if stream is None:
        raise ForceUnpublishInvalidStreamError()
    if command.origin is not None:
        state.emit(Answered(command.origin, Done()))
    end_stream(state, stream, Reason.FORCE_UNPUBLISHED, All())


def set_layout_classes(state: SessionState, command: SetLayoutClasses, now: MonotonicTime) -> None:
    """Replace the layout classes of streams, of all that are named or, if one is unknown, of none."""
    for stream_id, classes in command.classes.items():
        if stream_id not in state.streams:
            raise InvalidParameterError("A stream of the list is not in the session.")
        if len(" ".join(classes)) > MAX_LAYOUT_CLASS_CHARACTERS:
            raise InvalidParameterError(
                f"The layout classes of a stream have more than {MAX_LAYOUT_CLASS_CHARACTERS} characters."
            )
    for stream_id, classes in command.classes.items():
        if state.streams[stream_id].layout_classes != classes:
            state.save_stream(replace(state.streams[stream_id], layout_classes=classes))


def update_stream(state: SessionState, command: UpdateStream, now: MonotonicTime) -> None:
    """Announce each property of an own stream that has a new value."""
    stream = own_stream(state, command.origin.connection_id, command.stream_id)
    state.emit(Answered(command.origin, Done()))
    changes: list[tuple[StreamProperty, PropertyValue, PropertyValue]] = [
        (StreamProperty.HAS_AUDIO, stream.has_audio, command.has_audio),
        (StreamProperty.HAS_VIDEO, stream.has_video, command.has_video),
        (StreamProperty.HAS_CAPTIONS, stream.has_captions, command.has_captions),
        (StreamProperty.VIDEO_DIMENSIONS, stream.video_dimensions, command.video_dimensions),
        (StreamProperty.VIDEO_TYPE, stream.video_type, command.video_type),
    ]
    changes = [(what, old, new) for what, old, new in changes if new is not None and new != old]
    if not changes:
        return
    changed = replace(
        stream,
        has_audio=stream.has_audio if command.has_audio is None else command.has_audio,
        has_video=stream.has_video if command.has_video is None else command.has_video,
        has_captions=stream.has_captions if command.has_captions is None else command.has_captions,
        video_dimensions=command.video_dimensions or stream.video_dimensions,
        video_type=command.video_type or stream.video_type,
    )
    state.save_stream(changed)
    if changed.is_screen != stream.is_screen:
        for subscription in state.subscriptions_to(stream.stream_id):
            prefer(state, subscription)
    for what, old, new in changes:
        for_quality = command.for_quality and what is StreamProperty.HAS_VIDEO
        state.happen(StreamPropertyChanged(stream.stream_id, what, old, new, for_quality), All())


def report_sender_stats(state: SessionState, command: ReportSenderStats, now: MonotonicTime) -> None:
    """Pass what a publisher says of its network to who subscribes to the stream, unless it comes too soon."""
    stream = state.streams.get(command.stream_id)
    if stream is None or stream.connection_id != command.connection_id:
        return
    told_at = state.sender_stats_at.get(stream.stream_id)
    if told_at is not None and now - told_at < SENDER_STATS_S:
        return
    state.sender_stats_at[stream.stream_id] = now
    for subscription in state.subscriptions_to(stream.stream_id):
        state.emit(
            SenderStatsTold(
                subscription.connection_id,
                subscription.subscription_id,
                command.max_allocated_bps,
                command.estimated_bps,
            )
        )


def pause_layers(state: SessionState, command: PauseLayers, now: MonotonicTime) -> None:
    """Tell the publisher which encodings of its stream nobody needs."""
    for stream in state.streams_of(command.connection_id):
        source = stream.source
        if source is not None and (source.transport_id, source.lines.video_mid) == (
            command.transport_id,
            command.video_mid,
        ):
            state.paused_layers[stream.stream_id] = command.rids
            state.emit(LayersPaused(command.connection_id, stream.stream_id, command.rids))


def end_stream(state: SessionState, stream: Stream, reason: Reason, recipients: Recipients) -> None:
    """Remove a stream and every subscription to it."""
    state.happen(StreamDestroyed(stream.stream_id, stream.connection_id, reason), recipients)
    for subscription in state.subscriptions_to(stream.stream_id):
        end_subscription(state, subscription)
    state.remove_stream(stream.stream_id)


def attach(state: SessionState, stream: Stream, source: StreamSource) -> None:
    """Name where a stream's media is, and bind everybody who waits for it."""
    if stream.source is not None and stream.source != source:
        detach(state, stream)
    state.save_stream(replace(stream, source=source))
    waiting: dict[ConnectionId, None] = {}
    for subscription in state.subscriptions_to(stream.stream_id):
        if subscription.failed_binds:
            state.save_subscription(replace(subscription, failed_binds=0))
        waiting[subscription.connection_id] = None
    for connection_id in waiting:
        assign_pairs(state, connection_id)


def detach(state: SessionState, stream: Stream) -> None:
    """Forget where a stream's media was; its subscriptions wait for the next source."""
    state.paused_layers.pop(stream.stream_id, None)
    state.save_stream(stream.without_source())
    for subscription in state.subscriptions_to(stream.stream_id):
        if subscription.slot is not None:
            withdraw(state, subscription)
