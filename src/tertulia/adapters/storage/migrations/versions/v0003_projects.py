"""When a project was made, whether it takes old session ids in, and finding a project's sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With defaults of the database: a server of the version before goes on making projects meanwhile.
    op.add_column("projects", sa.Column("created_at_ms", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("projects", sa.Column("accept_known_keys", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("sessions_by_project", "sessions", ["api_key", "created_at_ms"])
