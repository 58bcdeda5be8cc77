"""Domain objects to rows and back."""

from typing import Any

import msgspec
import sqlalchemy

from tertulia.domain.connection import Connection, SeatState
from tertulia.domain.events import All, AllBut, One, Recipients
from tertulia.domain.project import Project, ProjectStatus
from tertulia.domain.roles import Role
from tertulia.domain.stream import Dimensions, Lines, Stream, StreamSource, VideoType
from tertulia.domain.subscription import PairState, PictureWishes, SlotPair, Subscription, VideoFallback
from tertulia.ids import (
    ApiKey,
    ConnectionId,
    Generation,
    SessionId,
    SlotIndex,
    StreamId,
    SubscriptionId,
    TransportId,
)
from tertulia.services.ports import LogRow, SessionRecord

__all__ = [
    "Row",
    "connection_of",
    "connection_row",
    "log_row",
    "log_row_of",
    "pair_of",
    "pair_row",
    "project_of",
    "project_row",
    "session_of",
    "session_row",
    "stream_of",
    "stream_row",
    "subscription_of",
    "subscription_row",
]

Row = dict[str, object]
SqlRow = sqlalchemy.Row[Any]


def project_row(project: Project) -> Row:
    """Return the row of a project."""
    return {
        "api_key": project.api_key,
        "api_secret": project.api_secret,
        "name": project.name,
        "status": project.status.value,
        "created_at_ms": project.created_at_ms,
        "accept_known_keys": project.accept_known_keys,
    }


def project_of(row: SqlRow) -> Project:
    """Return the project of a row."""
    return Project(
        api_key=ApiKey(row.api_key),
        api_secret=row.api_secret,
        name=row.name,
        status=ProjectStatus(row.status),
        created_at_ms=row.created_at_ms,
        accept_known_keys=row.accept_known_keys,
    )


def session_row(record: SessionRecord) -> Row:
    """Return the row of a session."""
    return {
        "session_id": record.session_id,
        "api_key": record.api_key,
        "media_mode": record.media_mode,
        "archive_mode": record.archive_mode,
        "created_at_ms": record.created_at_ms,
        "e2ee": record.e2ee,
        "location": record.location,
        "archive_name": record.archive_name,
        "archive_resolution": record.archive_resolution,
    }


def session_of(row: SqlRow) -> SessionRecord:
    """Return the session of a row."""
    return SessionRecord(
        session_id=SessionId(row.session_id),
        api_key=ApiKey(row.api_key),
        media_mode=row.media_mode,
        archive_mode=row.archive_mode,
        created_at_ms=row.created_at_ms,
        e2ee=row.e2ee,
        location=row.location,
        archive_name=row.archive_name,
        archive_resolution=row.archive_resolution,
    )


def connection_row(session_id: SessionId, connection: Connection) -> Row:
    """Return the row of a connection."""
    return {
        "connection_id": connection.connection_id,
        "session_id": session_id,
        "created_at_ms": connection.created_at_ms,
        "role": connection.role.value,
        "data": connection.data,
        "expires_at_s": connection.expires_at_s,
        "state": connection.state.value,
        "joined_number": connection.joined_number,
        "connection_events_suppressed": connection.connection_events_suppressed,
        "key_confirmed": connection.key_confirmed,
        "key_issued": connection.key_issued,
        "epoch": connection.epoch,
        "transport_id": _transport_text(connection.transport_id),
        "next_subscription_id": connection.next_subscription_id,
        "layout_classes": _texts_column(connection.layout_classes),
        "client_data": connection.client_data,
    }


def connection_of(row: SqlRow) -> Connection:
    """Return the connection of a row."""
    return Connection(
        connection_id=ConnectionId(row.connection_id),
        created_at_ms=row.created_at_ms,
        role=Role(row.role),
        data=row.data,
        expires_at_s=row.expires_at_s,
        state=SeatState(row.state),
        joined_number=row.joined_number,
        connection_events_suppressed=row.connection_events_suppressed,
        key_confirmed=row.key_confirmed,
        key_issued=row.key_issued,
        epoch=row.epoch,
        transport_id=_transport_id(row.transport_id),
        next_subscription_id=SubscriptionId(row.next_subscription_id),
        layout_classes=_texts(row.layout_classes),
        client_data=row.client_data,
    )


def stream_row(session_id: SessionId, stream: Stream) -> Row:
    """Return the row of a stream."""
    source = stream.source
    return {
        "stream_id": stream.stream_id,
        "session_id": session_id,
        "connection_id": stream.connection_id,
        "created_at_ms": stream.created_at_ms,
        "name": stream.name,
        "initials": stream.initials,
        "has_audio": stream.has_audio,
        "has_video": stream.has_video,
        "has_captions": stream.has_captions,
        "video_type": stream.video_type.value if stream.video_type else None,
        "video_width": stream.video_dimensions.width,
        "video_height": stream.video_dimensions.height,
        "frame_rate": stream.frame_rate,
        "transport_id": _transport_text(source.transport_id) if source else None,
        "audio_mid": source.lines.audio_mid if source else None,
        "video_mid": source.lines.video_mid if source else None,
        "layout_classes": _texts_column(stream.layout_classes),
        "audio_fallback": stream.audio_fallback,
    }


def stream_of(row: SqlRow) -> Stream:
    """Return the stream of a row."""
    transport_id = _transport_id(row.transport_id)
    lines = Lines(row.audio_mid, row.video_mid)
    return Stream(
        stream_id=StreamId(row.stream_id),
        connection_id=ConnectionId(row.connection_id),
        created_at_ms=row.created_at_ms,
        name=row.name,
        initials=row.initials,
        has_audio=row.has_audio,
        has_video=row.has_video,
        has_captions=row.has_captions,
        video_type=VideoType(row.video_type) if row.video_type else None,
        video_dimensions=Dimensions(row.video_width, row.video_height),
        frame_rate=row.frame_rate,
        source=None if transport_id is None else StreamSource(transport_id, lines),
        layout_classes=_texts(row.layout_classes),
        audio_fallback=row.audio_fallback,
    )


def subscription_row(session_id: SessionId, subscription: Subscription) -> Row:
    """Return the row of a subscription; how often its bind failed is not worth keeping."""
    size = subscription.wishes.size
    return {
        "connection_id": subscription.connection_id,
        "subscription_id": subscription.subscription_id,
        "session_id": session_id,
        "stream_id": subscription.stream_id,
        "audio": subscription.audio,
        "video": subscription.video,
        "preferred_width": None if size is None else size.width,
        "preferred_height": None if size is None else size.height,
        "preferred_frame_rate": subscription.wishes.frame_rate,
        "slot": subscription.slot,
    }


def subscription_of(row: SqlRow) -> Subscription:
    """Return the subscription of a row."""
    return Subscription(
        subscription_id=SubscriptionId(row.subscription_id),
        connection_id=ConnectionId(row.connection_id),
        stream_id=StreamId(row.stream_id),
        audio=row.audio,
        video=row.video,
        wishes=PictureWishes(
            None if row.preferred_width is None else Dimensions(row.preferred_width, row.preferred_height),
            row.preferred_frame_rate,
        ),
        slot=None if row.slot is None else SlotIndex(row.slot),
    )


def pair_row(session_id: SessionId, connection_id: ConnectionId, pair: SlotPair) -> Row:
    """Return the row of a slot pair."""
    return {
        "connection_id": connection_id,
        "slot": pair.slot,
        "session_id": session_id,
        "audio_mid": pair.audio_mid,
        "video_mid": pair.video_mid,
        "state": pair.state.value,
        "generation": pair.generation,
        "subscription_id": pair.subscription_id,
        "audio_rtp_timestamp": pair.audio_rtp_timestamp,
        "video_rtp_timestamp": pair.video_rtp_timestamp,
        "router_released": pair.router_released,
        "client_released": pair.client_released,
        "video_supported": pair.video_supported,
        "video_fallback": pair.fallback.value if pair.fallback else None,
    }


def pair_of(row: SqlRow) -> SlotPair:
    """Return the slot pair of a row."""
    return SlotPair(
        slot=SlotIndex(row.slot),
        audio_mid=row.audio_mid,
        video_mid=row.video_mid,
        state=PairState(row.state),
        generation=Generation(row.generation),
        subscription_id=None if row.subscription_id is None else SubscriptionId(row.subscription_id),
        audio_rtp_timestamp=row.audio_rtp_timestamp,
        video_rtp_timestamp=row.video_rtp_timestamp,
        router_released=row.router_released,
        client_released=row.client_released,
        video_supported=row.video_supported,
        fallback=VideoFallback(row.video_fallback) if row.video_fallback else None,
    )


def log_row(session_id: SessionId, at_ms: int, row: LogRow) -> Row:
    """Return the row of a logged fact."""
    recipients, connection_id = _recipients_columns(row.recipients)
    return {
        "session_id": session_id,
        "number": row.number,
        "at_ms": at_ms,
        "recipients": recipients,
        "connection_id": connection_id,
        "about_connections": row.about_connections,
        "body": row.body,
    }


def log_row_of(row: SqlRow) -> LogRow:
    """Return the logged fact of a row."""
    recipients: Recipients
    if row.recipients == "all":
        recipients = All()
    elif row.recipients == "all_but":
        recipients = AllBut(ConnectionId(row.connection_id))
    else:
        recipients = One(ConnectionId(row.connection_id))
    return LogRow(row.number, recipients, row.about_connections, row.body)


def _recipients_columns(recipients: Recipients) -> tuple[str, ConnectionId | None]:
    match recipients:
        case All():
            return "all", None
        case AllBut(connection_id):
            return "all_but", connection_id
        case One(connection_id):
            return "one", connection_id


def _texts_column(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode() if texts else "[]"


def _texts(column: str) -> tuple[str, ...]:
    return msgspec.json.decode(column, type=tuple[str, ...]) if column != "[]" else ()


def _transport_text(transport_id: TransportId | None) -> str | None:
    return None if transport_id is None else str(transport_id)


def _transport_id(text: str | None) -> TransportId | None:
    return None if text is None else TransportId(int(text))
