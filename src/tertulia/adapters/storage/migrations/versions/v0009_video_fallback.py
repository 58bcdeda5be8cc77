"""Whether a stream's video may be left out for bandwidth, and where it is."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a default of the database: a server of the version before goes on storing streams meanwhile.
    op.add_column("streams", sa.Column("audio_fallback", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("slots", sa.Column("video_fallback", sa.String(8)))
