"""Callbacks, and the outbox of what they are to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("callback_id", sa.String(36), primary_key=True),
        sa.Column("api_key", sa.String(10), nullable=False),
        sa.Column("event_group", sa.String(16), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("receiver_id", sa.String(36), nullable=False),
        sa.Column("secret", sa.String(40), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("callbacks_by_project", "callbacks", ["api_key", "created_at_ms"])
    op.create_table(
        "callback_lanes",
        sa.Column("session_id", sa.String(255), primary_key=True),
        sa.Column("receiver_id", sa.String(36), primary_key=True),
        sa.Column("api_key", sa.String(10), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger, nullable=False),
        sa.Column("leased_by", sa.String(36)),
        sa.Column("leased_until_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("callback_lanes_by_time", "callback_lanes", ["due_at_ms"])
    op.create_table(
        "callback_deliveries",
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
        ),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("callback_id", sa.String(36), nullable=False),
        sa.Column("receiver_id", sa.String(36), nullable=False),
        sa.Column("api_key", sa.String(10), nullable=False),
        sa.Column("session_id", sa.String(255), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("retry_until_ms", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("refusals", sa.Integer, nullable=False),
        sa.Column("last_attempt_at_ms", sa.BigInteger),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
    )
    op.create_index(
        "callback_deliveries_by_lane", "callback_deliveries", ["session_id", "receiver_id", "status", "delivery_id"]
    )
    op.create_index("callback_deliveries_by_project", "callback_deliveries", ["api_key", "delivery_id"])
    op.create_index("callback_deliveries_by_time", "callback_deliveries", ["status", "created_at_ms"])
