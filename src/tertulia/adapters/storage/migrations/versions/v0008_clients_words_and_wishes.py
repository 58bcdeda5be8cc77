"""What clients say of themselves, and which picture a subscriber would like."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("client_data", sa.Text, nullable=False, server_default=""))
    op.add_column("subscriptions", sa.Column("preferred_width", sa.Integer))
    op.add_column("subscriptions", sa.Column("preferred_height", sa.Integer))
    op.add_column("subscriptions", sa.Column("preferred_frame_rate", sa.Float))
