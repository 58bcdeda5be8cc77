"""The mute state of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session_states",
        sa.Column("session_id", sa.String(255), primary_key=True),
        sa.Column("muted", sa.Boolean, nullable=False),
    )
