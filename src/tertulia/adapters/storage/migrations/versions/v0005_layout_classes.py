"""Layout classes of streams and of the tokens they come from, and tokens that are good once."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With defaults of the database: a server of the version before goes on storing seats meanwhile.
    for table in ("connections", "streams"):
        op.add_column(table, sa.Column("layout_classes", sa.Text, nullable=False, server_default="[]"))
    op.create_table(
        "spent_tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("expires_at_s", sa.BigInteger, nullable=False),
    )
