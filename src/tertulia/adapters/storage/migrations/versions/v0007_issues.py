"""What pages report to the operator."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issues",
        sa.Column("issue_id", sa.String(36), primary_key=True),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("session_id", sa.String(255)),
        sa.Column("connection_id", sa.String(255)),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("statistics", sa.Text, nullable=False),
    )
    op.create_index("issues_by_time", "issues", ["at_ms"])
