"""Domain events to messages of the signalling wire."""

from collections.abc import Sequence

from tertulia.domain import events
from tertulia.domain.connection import Connection
from tertulia.domain.roles import Capability, capabilities_of
from tertulia.domain.stream import Dimensions, PropertyValue, Stream
from tertulia.errors import TertuliaError
from tertulia.observability.metrics import Metrics
from tertulia.services.ports import Welcome
from tertulia.wire import signalling

__all__ = ["SignallingCodec", "error_part"]


def error_part(error: TertuliaError) -> signalling.Error:
    """Return an error as clients read it."""
    return signalling.Error(name=error.kind.sent_name, code=error.kind.code, message=error.message)


class SignallingCodec:
    """The codec port on JSON. Counts what passes: each signal and each refusal is encoded once."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()

    def frame(self, number: int, body: str) -> str:
        """Put a body into its envelope; number 0 for everything that is not in the log."""
        return signalling.server_frame(number, body)

    def fact(self, fact: events.Fact) -> str:
        """Encode a fact's body."""
        if isinstance(fact, events.SignalSent):
            self._metrics.signals.inc()
        return signalling.encode_body(_fact(fact))

    def result(self, request_id: int, result: events.Result) -> str:
        """Encode a reply that says yes."""
        return signalling.reply_body(request_id, _result(result))

    def error(self, request_id: int, error: TertuliaError) -> str:
        """Encode a reply that says no."""
        self._metrics.requests_refused.labels(error.kind.name, str(error.kind.code)).inc()
        return signalling.reply_body(request_id, error_part(error))

    def notice(self, notice: events.Notice, welcome: Welcome | None, snapshot: events.Joined | None) -> str:
        """Encode a notice's body; Joined and Resumed take a welcome, Resumed perhaps a Joined as its snapshot."""
        return signalling.encode_body(_notice(notice, welcome, snapshot))


def _fact(fact: events.Fact) -> signalling.ServerMessage:
    match fact:
        case events.ConnectionCreated(connection):
            return signalling.ConnectionCreated(_connection(connection))
        case events.ConnectionDestroyed(connection_id, reason):
            return signalling.ConnectionDestroyed(connection_id, reason.value)
        case events.ConnectionInterrupted(connection_id):
            return signalling.ConnectionInterrupted(connection_id)
        case events.ConnectionRestored(connection_id):
            return signalling.ConnectionRestored(connection_id)
        case events.StreamCreated(stream):
            return signalling.StreamCreated(_stream(stream))
        case events.StreamDestroyed(stream_id, connection_id, reason):
            return signalling.StreamDestroyed(stream_id, connection_id, reason.value)
        case events.StreamPropertyChanged(stream_id, changed, old, new, for_quality):
            return signalling.StreamPropertyChanged(
                stream_id, changed.value, _value(old), _value(new), for_quality or None
            )
        case events.MuteForced(active):
            return signalling.MuteForced(active)
        case events.StreamMuted(stream_id):
            return signalling.StreamMuted(stream_id)
        case events.StateChanged(values):
            return signalling.StateChanged(dict(values))
        case events.SignalSent(sender, signal_type, data):
            return signalling.Signal(sender, signal_type, data)


def _notice(notice: events.Notice, welcome: Welcome | None, snapshot: events.Joined | None) -> signalling.ServerMessage:
    match notice:
        case events.Joined():
            assert welcome is not None, "a client that joins is welcomed"
            return _joined(notice, welcome)
        case events.Resumed(_, _, epoch, bindings):
            assert welcome is not None, "a client that resumes is welcomed"
            return signalling.Resumed(
                resume_key=welcome.resume_key,
                epoch=epoch,
                bindings=[_binding(binding) for binding in bindings],
                snapshot=_snapshot(snapshot) if snapshot else None,
            )
        case events.SlotBound(_, binding):
            return signalling.Bound(_binding(binding))
        case events.SlotUnbound(_, subscription_id, slot, generation):
            return signalling.Unbound(subscription_id, slot, generation)
        case events.SlotsNeeded(_, pairs):
            return signalling.SlotsNeeded(pairs)
        case events.AudioSlotChanged(_, epoch, slot, subscription_id, timestamp):
            return signalling.AudioSlot(epoch, slot, subscription_id, timestamp)
        case events.LayersPaused(_, stream_id, rids):
            return signalling.LayersPaused(stream_id, list(rids))
        case events.SubscriptionVideoChanged(_, subscription_id, enabled, reason):
            return signalling.SubscriptionVideo(subscription_id, enabled, reason)
        case events.SubscriptionVideoWarned(_, subscription_id, active):
            return signalling.SubscriptionVideoWarning(subscription_id, active)
        case events.SenderStatsTold(_, subscription_id, max_allocated_bps, estimated_bps):
            return signalling.SenderStats(subscription_id, max_allocated_bps, estimated_bps)
        case events.MediaFailed(_, epoch, message):
            return signalling.MediaFailed(epoch, message)
        case events.SeatEnded(_, ended_for):
            assert ended_for is not None, "a client that left is not told why"
            return signalling.Disconnected(ended_for.value)


def _result(result: events.Result) -> signalling.Result:
    match result:
        case events.Done():
            return signalling.Empty()
        case events.Negotiated(answer):
            return signalling.Negotiated(answer)
        case events.Published(answer, stream):
            return signalling.Published(answer, _stream(stream))
        case events.Subscribed(subscription_id):
            return signalling.Subscribed(subscription_id)


def _joined(joined: events.Joined, welcome: Welcome) -> signalling.Joined:
    role = joined.connection.role
    rights = capabilities_of(role)
    return signalling.Joined(
        connection=_connection(joined.connection),
        connections=_connections(joined.connections),
        streams=_streams(joined.streams),
        number=joined.number,
        role=role.value,
        capabilities=signalling.Capabilities(
            publish=1 if Capability.PUBLISH in rights else 0,
            subscribe=1 if Capability.SUBSCRIBE in rights else 0,
            signal=1 if Capability.SIGNAL in rights else 0,
            force_disconnect=1 if Capability.FORCE_DISCONNECT in rights else 0,
            force_unpublish=1 if Capability.FORCE_UNPUBLISH in rights else 0,
            force_mute=1 if Capability.FORCE_MUTE in rights else 0,
        ),
        resume_key=welcome.resume_key,
        heartbeat_s=welcome.heartbeat_s,
        reconnect_window_s=welcome.reconnect_window_s,
        ice_servers=[
            signalling.IceServer(list(server.urls), server.username, server.credential)
            for server in welcome.ice_servers
        ],
        muted=joined.muted or None,
        state=dict(joined.shared) or None,
    )


def _snapshot(joined: events.Joined) -> signalling.Snapshot:
    return signalling.Snapshot(
        connections=_connections(joined.connections),
        streams=_streams(joined.streams),
        number=joined.number,
        muted=joined.muted or None,
        state=dict(joined.shared) or None,
    )


def _connections(connections: Sequence[Connection]) -> list[signalling.Connection]:
    return [_connection(connection) for connection in connections]


def _connection(connection: Connection) -> signalling.Connection:
    return signalling.Connection(
        connection.connection_id, connection.created_at_ms, connection.data, connection.client_data or None
    )


def _streams(streams: Sequence[Stream]) -> list[signalling.Stream]:
    return [_stream(stream) for stream in streams]


def _stream(stream: Stream) -> signalling.Stream:
    return signalling.Stream(
        id=stream.stream_id,
        connection_id=stream.connection_id,
        creation_time=stream.created_at_ms,
        name=stream.name,
        has_audio=stream.has_audio,
        has_video=stream.has_video,
        has_captions=stream.has_captions,
        video_dimensions=_dimensions(stream.video_dimensions),
        initials=stream.initials,
        video_type=stream.video_type.value if stream.video_type else None,
        frame_rate=stream.frame_rate,
    )


def _dimensions(dimensions: Dimensions) -> signalling.Dimensions:
    return signalling.Dimensions(dimensions.width, dimensions.height)


def _value(value: PropertyValue) -> bool | str | signalling.Dimensions | None:
    return _dimensions(value) if isinstance(value, Dimensions) else value


def _binding(binding: events.Binding) -> signalling.Binding:
    return signalling.Binding(
        subscription_id=binding.subscription_id,
        epoch=binding.epoch,
        slot=binding.slot,
        generation=binding.generation,
        audio_rtp_timestamp=binding.audio_rtp_timestamp,
        video_rtp_timestamp=binding.video_rtp_timestamp,
    )
