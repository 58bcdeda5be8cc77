"""Projects, sessions, seats and their logs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("api_key", sa.String(10), primary_key=True),
        sa.Column("api_secret", sa.String(40), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("secret", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(255), primary_key=True),
        sa.Column("api_key", sa.String(10), nullable=False),
        sa.Column("media_mode", sa.String(16), nullable=False),
        sa.Column("archive_mode", sa.String(16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("e2ee", sa.Boolean, nullable=False),
        sa.Column("location", sa.String(45)),
        sa.Column("archive_name", sa.Text),
        sa.Column("archive_resolution", sa.String(16)),
    )
    op.create_table(
        "connections",
        sa.Column("connection_id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("joined_number", sa.BigInteger, nullable=False),
        sa.Column("connection_events_suppressed", sa.Boolean, nullable=False),
        sa.Column("key_confirmed", sa.Integer, nullable=False),
        sa.Column("key_issued", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("transport_id", sa.String(20)),
        sa.Column("next_subscription_id", sa.Integer, nullable=False),
    )
    op.create_index("connections_by_session", "connections", ["session_id"])
    op.create_table(
        "streams",
        sa.Column("stream_id", sa.String(36), primary_key=True),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("connection_id", sa.String(36), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("initials", sa.Text),
        sa.Column("has_audio", sa.Boolean, nullable=False),
        sa.Column("has_video", sa.Boolean, nullable=False),
        sa.Column("has_captions", sa.Boolean, nullable=False),
        sa.Column("video_type", sa.String(16)),
        sa.Column("video_width", sa.Integer, nullable=False),
        sa.Column("video_height", sa.Integer, nullable=False),
        sa.Column("frame_rate", sa.Float),
        sa.Column("transport_id", sa.String(20)),
        sa.Column("audio_mid", sa.String(16)),
        sa.Column("video_mid", sa.String(16)),
    )
    op.create_index("streams_by_session", "streams", ["session_id"])
    op.create_table(
        "subscriptions",
        sa.Column("connection_id", sa.String(36), primary_key=True),
        sa.Column("subscription_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("stream_id", sa.String(36), nullable=False),
        sa.Column("audio", sa.Boolean, nullable=False),
        sa.Column("video", sa.Boolean, nullable=False),
        sa.Column("slot", sa.Integer),
    )
    op.create_index("subscriptions_by_session", "subscriptions", ["session_id"])
    op.create_table(
        "slots",
        sa.Column("connection_id", sa.String(36), primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("audio_mid", sa.String(16), nullable=False),
        sa.Column("video_mid", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("subscription_id", sa.Integer),
        sa.Column("audio_rtp_timestamp", sa.BigInteger),
        sa.Column("video_rtp_timestamp", sa.BigInteger),
        sa.Column("router_released", sa.Boolean, nullable=False),
        sa.Column("client_released", sa.Boolean, nullable=False),
        sa.Column("video_supported", sa.Boolean, nullable=False),
    )
    op.create_index("slots_by_session", "slots", ["session_id"])
    op.create_table(
        "session_log",
        sa.Column("session_id", sa.String(255), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("recipients", sa.String(8), nullable=False),
        sa.Column("connection_id", sa.String(36)),
        sa.Column("about_connections", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("session_log_by_time", "session_log", ["at_ms"])
    op.create_table(
        "kept_replies",
        sa.Column("connection_id", sa.String(36), primary_key=True),
        sa.Column("request_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("kept_replies_by_session", "kept_replies", ["session_id"])
