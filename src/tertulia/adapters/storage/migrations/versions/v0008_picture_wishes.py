"""Which picture a subscriber would like."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("preferred_width", sa.Integer))
    op.add_column("subscriptions", sa.Column("preferred_height", sa.Integer))
    op.add_column("subscriptions", sa.Column("preferred_frame_rate", sa.Float))
