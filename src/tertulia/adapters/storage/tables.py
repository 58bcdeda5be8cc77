"""The tables, as the newest migration leaves them. Identifiers are text, times milliseconds since the epoch.

No foreign keys: one writer keeps the rows consistent, batch by batch, and every signal would pay for the checks.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
    true,
)

__all__ = [
    "callback_deliveries",
    "callback_lanes",
    "callbacks",
    "connections",
    "issues",
    "kept_replies",
    "metadata",
    "projects",
    "secrets",
    "session_log",
    "session_states",
    "session_values",
    "sessions",
    "slots",
    "spent_tokens",
    "streams",
    "subscriptions",
]

metadata = MetaData()


class ForeignText(TypeDecorator[str]):
    """Text that comes from outside: PostgreSQL has no NUL in text, so it becomes U+FFFD, as in HTML."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace each NUL."""
        return value.replace("\0", "\ufffd") if value is not None and "\0" in value else value


projects = Table(
    "projects",
    metadata,
    Column("api_key", String(10), primary_key=True),
    Column("api_secret", String(40), nullable=False),
    Column("name", ForeignText, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False, server_default="0"),
    Column("accept_known_keys", Boolean, nullable=False, server_default=false()),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(255), primary_key=True),
    Column("api_key", String(10), nullable=False),
    Column("media_mode", String(16), nullable=False),
    Column("archive_mode", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("e2ee", Boolean, nullable=False),
    Column("location", String(45)),
    Column("archive_name", ForeignText),
    Column("archive_resolution", String(16)),
    Index("sessions_by_project", "api_key", "created_at_ms"),
)

session_states = Table(  # what changes about a session as a whole; sessions in their first state have no row
    "session_states",
    metadata,
    Column("session_id", String(255), primary_key=True),
    Column("muted", Boolean, nullable=False),
)

session_values = Table(  # the shared state of sessions
    "session_values",
    metadata,
    Column("session_id", String(255), primary_key=True),
    Column("key", ForeignText, primary_key=True),
    Column("value", ForeignText, nullable=False),
)

connections = Table(
    "connections",
    metadata,
    Column("connection_id", String(36), primary_key=True),
    Column("session_id", String(255), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("role", String(16), nullable=False),
    Column("data", ForeignText, nullable=False),
    Column("expires_at_s", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("joined_number", BigInteger, nullable=False),
    Column("connection_events_suppressed", Boolean, nullable=False),
    Column("key_confirmed", Integer, nullable=False),
    Column("key_issued", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("transport_id", String(20)),  # the router counts in 64 unsigned bits, which no SQL integer holds
    Column("next_subscription_id", Integer, nullable=False),
    Column("layout_classes", Text, nullable=False, server_default="[]"),  # a JSON list
    Column("client_data", ForeignText, nullable=False, server_default=""),
    Index("connections_by_session", "session_id"),
)

streams = Table(
    "streams",
    metadata,
    Column("stream_id", String(36), primary_key=True),
    Column("session_id", String(255), nullable=False),
    Column("connection_id", String(36), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("name", ForeignText, nullable=False),
    Column("initials", ForeignText),
    Column("has_audio", Boolean, nullable=False),
    Column("has_video", Boolean, nullable=False),
    Column("has_captions", Boolean, nullable=False),
    Column("video_type", String(16)),
    Column("video_width", Integer, nullable=False),
    Column("video_height", Integer, nullable=False),
    Column("frame_rate", Float),
    Column("transport_id", String(20)),
    Column("audio_mid", String(16)),
    Column("video_mid", String(16)),
    Column("layout_classes", Text, nullable=False, server_default="[]"),  # a JSON list
    Column("audio_fallback", Boolean, nullable=False, server_default=true()),
    Index("streams_by_session", "session_id"),
)

spent_tokens = Table(  # of servers where a token is good once
    "spent_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("expires_at_s", BigInteger, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("connection_id", String(36), primary_key=True),
    Column("subscription_id", Integer, primary_key=True, autoincrement=False),
    Column("session_id", String(255), nullable=False),
    Column("stream_id", String(36), nullable=False),
    Column("audio", Boolean, nullable=False),
    Column("video", Boolean, nullable=False),
    Column("preferred_width", Integer),
    Column("preferred_height", Integer),
    Column("preferred_frame_rate", Float),
    Column("slot", Integer),
    Index("subscriptions_by_session", "session_id"),
)

slots = Table(
    "slots",
    metadata,
    Column("connection_id", String(36), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("session_id", String(255), nullable=False),
    Column("audio_mid", String(16), nullable=False),
    Column("video_mid", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("subscription_id", Integer),
    Column("audio_rtp_timestamp", BigInteger),
    Column("video_rtp_timestamp", BigInteger),
    Column("router_released", Boolean, nullable=False),
    Column("client_released", Boolean, nullable=False),
    Column("video_supported", Boolean, nullable=False),
    Column("video_fallback", String(8)),
    Index("slots_by_session", "session_id"),
)

session_log = Table(
    "session_log",
    metadata,
    Column("session_id", String(255), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("recipients", String(8), nullable=False),  # all, all_but, one
    Column("connection_id", String(36)),
    Column("about_connections", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Index("session_log_by_time", "at_ms"),
)

kept_replies = Table(
    "kept_replies",
    metadata,
    Column("connection_id", String(36), primary_key=True),
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("session_id", String(255), nullable=False),
    Column("body", Text, nullable=False),
    Index("kept_replies_by_session", "session_id"),
)

callbacks = Table(
    "callbacks",
    metadata,
    Column("callback_id", String(36), primary_key=True),
    Column("api_key", String(10), nullable=False),
    Column("event_group", String(16), nullable=False),
    Column("event", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("receiver_id", String(36), nullable=False),
    Column("secret", String(40), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Index("callbacks_by_project", "api_key", "created_at_ms"),
)

callback_lanes = Table(  # one row for each session and receiver with something pending
    "callback_lanes",
    metadata,
    Column("session_id", String(255), primary_key=True),
    Column("receiver_id", String(36), primary_key=True),
    Column("api_key", String(10), nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("leased_by", String(36)),
    Column("leased_until_ms", BigInteger, nullable=False),
    Index("callback_lanes_by_time", "due_at_ms"),
)

callback_deliveries = Table(  # the outbox, and for some time what became of it
    "callback_deliveries",
    metadata,
    Column("delivery_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("event_id", String(36), nullable=False),
    Column("callback_id", String(36), nullable=False),
    Column("receiver_id", String(36), nullable=False),
    Column("api_key", String(10), nullable=False),
    Column("session_id", String(255), nullable=False),
    Column("url", Text, nullable=False),
    Column("name", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("retry_until_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("last_attempt_at_ms", BigInteger),
    Column("last_status", Integer),
    Column("last_error", ForeignText),
    Index("callback_deliveries_by_lane", "session_id", "receiver_id", "status", "delivery_id"),
    Index("callback_deliveries_by_project", "api_key", "delivery_id"),
    Index("callback_deliveries_by_time", "status", "created_at_ms"),
)

issues = Table(  # what pages report to the operator
    "issues",
    metadata,
    Column("issue_id", String(36), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("session_id", String(255)),
    Column("connection_id", String(255)),
    Column("client", ForeignText, nullable=False),
    Column("description", ForeignText, nullable=False),
    Column("statistics", Text, nullable=False),
    Index("issues_by_time", "at_ms"),
)
