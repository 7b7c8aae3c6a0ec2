"""Tables of what experiments and the holdout led to. Rows stay here; `outcome_store` reads and writes them.

Everything in these tables can be counted again from exposures, the ledger and its credits, and comes out the same.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from shopify_upsell.database import Base, ExternalId, UtcDateTime


class ExperimentUnitRow(Base):
    """A person in one arm since the first trigger, and what they amount to. Experiment 0 is the holdout, by quarter.

    `counts_from`: orders count from then. `customer_id`: who they were known to be at the trigger, which alone gives
    them a past. `is_crossed`: met in two arms. Units: minor units of the shop's currency; `prior_` is before.
    """

    __tablename__ = "experiment_unit"
    __table_args__ = (
        Index("ix_experiment_unit_person", "shop_id", "person_id"),
        Index("ix_experiment_unit_first_at", "shop_id", "experiment_id", "phase", "first_at"),
    )

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    experiment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    phase: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    arm: Mapped[str] = mapped_column(Text)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    counts_from: Mapped[datetime] = mapped_column(UtcDateTime)
    surface: Mapped[str] = mapped_column(Text)
    customer_id: Mapped[int | None] = mapped_column(ExternalId)
    is_crossed: Mapped[bool] = mapped_column()
    net: Mapped[int] = mapped_column(BigInteger)
    margin: Mapped[int] = mapped_column(BigInteger)
    attributed: Mapped[int] = mapped_column(BigInteger)
    refunded: Mapped[int] = mapped_column(BigInteger)
    order_count: Mapped[int] = mapped_column()
    offer_order_count: Mapped[int] = mapped_column()
    refunded_order_count: Mapped[int] = mapped_column()
    dismissal_count: Mapped[int] = mapped_column()
    prior_net: Mapped[int] = mapped_column(BigInteger)
    prior_margin: Mapped[int] = mapped_column(BigInteger)
    prior_order_count: Mapped[int] = mapped_column()
    first_ordered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ExperimentArmRow(Base):
    """An arm's sufficient statistics by measure, as JSON of exact integers. Always the sums of its units."""

    __tablename__ = "experiment_arm"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    experiment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    phase: Mapped[int] = mapped_column(primary_key=True)
    arm: Mapped[str] = mapped_column(Text, primary_key=True)
    crossed: Mapped[int] = mapped_column()
    moments: Mapped[str] = mapped_column(Text)


class ExperimentWatchRow(Base):
    """What cannot be counted again: looks taken, alarms that were raised. `notes` is JSON."""

    __tablename__ = "experiment_watch"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    experiment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    phase: Mapped[int] = mapped_column(primary_key=True)
    notes: Mapped[str] = mapped_column(Text)


class ExposureMarkRow(Base):
    """Up to when decisions have been counted as exposures."""

    __tablename__ = "exposure_mark"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    counted_until: Mapped[datetime] = mapped_column(UtcDateTime)


class OrderCostRow(Base):
    """What one piece cost the shop when its order was first measured: later prices do not change old margins.

    `is_assumed`: the catalogue had told nothing; `unit_cost` then says nothing, the share in force is taken. Variant 0:
    lines without a variant.
    """

    __tablename__ = "order_cost"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    variant_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    unit_cost: Mapped[int] = mapped_column(BigInteger)
    is_assumed: Mapped[bool] = mapped_column()
