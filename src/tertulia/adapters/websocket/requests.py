"""Messages of the signalling wire to domain commands."""

from tertulia.clock import WallTime
from tertulia.domain import commands
from tertulia.domain.connection import NewPair, Origin
from tertulia.domain.roles import Reason
from tertulia.domain.stream import Dimensions, Lines, VideoType
from tertulia.domain.subscription import PictureWishes
from tertulia.ids import (
    ConnectionId,
    Generation,
    IdSource,
    SlotIndex,
    StreamId,
    SubscriptionId,
)
from tertulia.wire import signalling

__all__ = ["RequestMessage", "command_of", "report_of"]

RequestMessage = (
    signalling.Negotiate
    | signalling.Publish
    | signalling.Republish
    | signalling.Unpublish
    | signalling.UpdateStream
    | signalling.Subscribe
    | signalling.UpdateSubscription
    | signalling.Unsubscribe
    | signalling.ReleaseSlot
    | signalling.SendSignal
    | signalling.SetState
    | signalling.ForceDisconnect
    | signalling.ForceUnpublish
    | signalling.ForceMuteStream
    | signalling.ForceMuteAll
    | signalling.DisableForceMute
    | signalling.Leave
)
"""The messages that are requests."""


def command_of(message: RequestMessage, origin: Origin, ids: IdSource, now: WallTime) -> commands.Request:
    """Return what a message asks; a new stream gets its id and time here."""
    match message:
        case signalling.Negotiate(epoch, offer, slots):
            return commands.Negotiate(origin, epoch, offer, _pairs(slots))
        case signalling.Publish():
            return _publish(message, origin, ids.stream_id(), now)
        case signalling.Republish(epoch, offer, slots, stream_id, audio_mid, video_mid):
            lines = Lines(audio_mid, video_mid)
            return commands.Republish(origin, epoch, offer, _pairs(slots), StreamId(stream_id), lines)
        case signalling.Unpublish(stream_id, reason):
            return commands.Unpublish(origin, StreamId(stream_id), Reason(reason or "clientDisconnected"))
        case signalling.UpdateStream(
            stream_id, has_audio, has_video, has_captions, dimensions, video_type, for_quality
        ):
            return commands.UpdateStream(
                origin=origin,
                stream_id=StreamId(stream_id),
                has_audio=has_audio,
                has_video=has_video,
                has_captions=has_captions,
                video_dimensions=_dimensions(dimensions) if dimensions else None,
                video_type=VideoType(video_type) if video_type else None,
                for_quality=for_quality or False,
            )
        case signalling.Subscribe(stream_id, audio, video, size, rate):
            return commands.Subscribe(origin, StreamId(stream_id), audio, video, _wishes(size, rate))
        case signalling.UpdateSubscription(subscription_id, audio, video, size, rate):
            wishes = _wishes(size, rate)
            return commands.UpdateSubscription(origin, SubscriptionId(subscription_id), audio, video, wishes)
        case signalling.Unsubscribe(subscription_id):
            return commands.Unsubscribe(origin, SubscriptionId(subscription_id))
        case signalling.ReleaseSlot(slot, generation):
            return commands.ReleaseSlot(origin, SlotIndex(slot), Generation(generation))
        case signalling.SendSignal(to, signal_type, data):
            receiver = None if to is None else ConnectionId(to)
            return commands.SendSignal(origin, receiver, signal_type, data)
        case signalling.SetState(values):
            return commands.SetState(origin, values)
        case signalling.ForceDisconnect(connection_id):
            return commands.ForceDisconnect(origin, ConnectionId(connection_id))
        case signalling.ForceUnpublish(stream_id):
            return commands.ForceUnpublish(origin, StreamId(stream_id))
        case signalling.ForceMuteStream(stream_id):
            return commands.ForceMuteStream(origin, StreamId(stream_id))
        case signalling.ForceMuteAll(excluded):
            return commands.ForceMuteAll(origin, frozenset(StreamId(stream_id) for stream_id in excluded))
        case signalling.DisableForceMute():
            return commands.DisableForceMute(origin)
        case signalling.Leave():
            return commands.Leave(origin)


def report_of(
    message: signalling.ReportSenderStats | signalling.ReportStalledVideo, connection_id: ConnectionId
) -> commands.ReportSenderStats | commands.ReportStalledVideo:
    """Return what a message that has no answer reports."""
    if isinstance(message, signalling.ReportStalledVideo):
        return commands.ReportStalledVideo(connection_id, SubscriptionId(message.subscription_id))
    return commands.ReportSenderStats(
        connection_id, StreamId(message.stream_id), message.max_allocated_bitrate, message.estimated_bandwidth
    )


def _publish(message: signalling.Publish, origin: Origin, stream_id: StreamId, now: WallTime) -> commands.Publish:
    return commands.Publish(
        origin=origin,
        epoch=message.epoch,
        offer=message.offer,
        pairs=_pairs(message.slots),
        stream_id=stream_id,
        created_at_ms=now,
        lines=Lines(message.audio_mid, message.video_mid),
        name=message.name,
        initials=message.initials,
        has_audio=message.has_audio,
        has_video=message.has_video,
        has_captions=message.has_captions or False,
        video_type=VideoType(message.video_type) if message.video_type else None,
        video_dimensions=_dimensions(message.video_dimensions),
        frame_rate=message.frame_rate,
        audio_fallback=message.audio_fallback is not False,
    )


def _pairs(slots: list[signalling.SlotPair]) -> tuple[NewPair, ...]:
    return tuple(NewPair(pair.slot, pair.audio_mid, pair.video_mid) for pair in slots)


def _wishes(size: signalling.Dimensions | None, frame_rate: float | None) -> PictureWishes:
    return PictureWishes(None if size is None else _dimensions(size), frame_rate)


def _dimensions(dimensions: signalling.Dimensions) -> Dimensions:
    return Dimensions(dimensions.width, dimensions.height)
