"""Annotations of episodes, groups and who is in them, silences; the outbox is ordered by what a message is about. Frozen."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("episodes", sa.Column("annotations", sa.Text, nullable=False, server_default="{}"))
    op.add_column("episodes", sa.Column("ends_at", sa.DateTime(timezone=True)))
    op.create_index("ix_episodes_ends_at", "episodes", ["ends_at"])
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("receiver", sa.String(100), nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("receiver", "key_hash"),
    )
    op.create_index("ix_groups_look_at", "groups", ["look_at"])
    op.create_table(
        "members",
        sa.Column("group_id", sa.Integer, sa.ForeignKey("groups.id"), primary_key=True),
        sa.Column("episode_id", sa.Integer, sa.ForeignKey("episodes.id"), primary_key=True),
        sa.Column("routed", sa.Boolean, nullable=False),
    )
    op.create_index("ix_members_episode_id", "members", ["episode_id"])
    op.create_table(
        "silences",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expired_by", sa.Text),
    )
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("subject", sa.String(100), nullable=False, server_default=""))
        outbox.add_column(sa.Column("queued_at", sa.DateTime(timezone=True)))
        outbox.add_column(sa.Column("claimed_by", sa.String(64)))
        outbox.add_column(sa.Column("urgent", sa.Boolean, nullable=False, server_default=sa.false()))
        outbox.alter_column("episode_id", existing_type=sa.Integer, nullable=True)
        outbox.alter_column("transition_id", existing_type=sa.Integer, nullable=True)
        outbox.create_index("ix_outbox_subject", ["subject", "target"])
    # What was queued before is still sent in the order of its episode.
    op.execute("UPDATE outbox SET subject = 'episode:' || episode_id")
