"""Experiments, who is who, exposures, what units amount to."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "experiment", "unit_link", "experiment_unit", "experiment_arm", "experiment_watch", "exposure_mark", "order_cost",
)  # fmt: skip
IS_OWN = "shop_id = NULLIF(current_setting('app.shop_id', true), '')::bigint"


def upgrade() -> None:
    _create_experiment()
    op.create_table(
        "unit_link",
        _shop(),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        _moment("met_at", nullable=True),
        *_keys("unit_link", "subject"),
    )
    op.create_index("ix_unit_link_person", "unit_link", ["shop_id", "person_id"], unique=False)
    _create_units()
    op.create_table(
        "experiment_arm",
        _shop(),
        *_phase(),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("crossed", sa.Integer(), nullable=False),
        sa.Column("moments", sa.Text(), nullable=False),
        *_keys("experiment_arm", "experiment_id", "phase", "arm"),
    )
    op.create_table(
        "experiment_watch",
        _shop(),
        *_phase(),
        sa.Column("notes", sa.Text(), nullable=False),
        *_keys("experiment_watch", "experiment_id", "phase"),
    )
    op.create_table("exposure_mark", _shop(), _moment("counted_until"), *_keys("exposure_mark"))
    op.create_table(
        "order_cost",
        _shop(),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("variant_id", sa.BigInteger(), nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=False),
        sa.Column("is_assumed", sa.Boolean(), nullable=False),
        *_keys("order_cost", "order_id", "variant_id"),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own_shop ON {table} USING ({IS_OWN}) WITH CHECK ({IS_OWN})")


def downgrade() -> None:
    for table in reversed(TENANT_TABLES):
        op.drop_table(table)


def _create_experiment() -> None:
    op.create_table(
        "experiment",
        sa.Column(
            "experiment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        _shop(),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("traffic_basis_points", sa.Integer(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=True),
        sa.Column("arms", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("paused_arms", sa.Text(), nullable=False),
        sa.Column("intervals", sa.Text(), nullable=False),
        _moment("created_at"),
        _moment("started_at", nullable=True),
        _moment("ended_at", nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f("fk_experiment_shop_id_shop")),
        sa.PrimaryKeyConstraint("experiment_id", name=op.f("pk_experiment")),
    )
    op.create_index("ix_experiment_state", "experiment", ["shop_id", "state"], unique=False)


def _create_units() -> None:
    amounts = ("net", "margin", "attributed", "refunded", "prior_net", "prior_margin")
    counts = ("order_count", "offer_order_count", "refunded_order_count", "dismissal_count", "prior_order_count")
    op.create_table(
        "experiment_unit",
        _shop(),
        *_phase(),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        _moment("first_at"),
        _moment("counts_from"),
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("is_crossed", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in amounts),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        _moment("first_ordered_at", nullable=True),
        *_keys("experiment_unit", "experiment_id", "phase", "person_id"),
    )
    op.create_index("ix_experiment_unit_person", "experiment_unit", ["shop_id", "person_id"], unique=False)
    op.create_index(
        "ix_experiment_unit_first_at",
        "experiment_unit",
        ["shop_id", "experiment_id", "phase", "first_at"],
        unique=False,
    )


def _moment(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _phase() -> tuple[sa.Column, ...]:
    return (
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
    )


def _shop() -> sa.Column:
    return sa.Column("shop_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _keys(table: str, *columns: str) -> tuple[sa.Constraint, ...]:
    return (
        sa.ForeignKeyConstraint(["shop_id"], ["shop.shop_id"], name=op.f(f"fk_{table}_shop_id_shop")),
        sa.PrimaryKeyConstraint("shop_id", *columns, name=op.f(f"pk_{table}")),
    )
