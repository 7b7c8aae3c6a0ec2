"""Tables and queries of evidence: one packed row of companions a product, versioned so that decisions replay."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Text, and_, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.core import ProductId, ShopId, canonical_json
from shopify_upsell.database import Base, ExternalId, UtcDateTime
from shopify_upsell.matrix.companion import Companion

WITH, UPGRADE = "with", "upgrade"
KINDS = (WITH, UPGRADE)
"""`with`: bought in the same order. `upgrade` is kept for learned upgrades; today's come from `matrix.upgrade`."""


class MatrixRow(Base):
    """The best companions of one product, packed as JSON, best first."""

    __tablename__ = "matrix_row"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    companions: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column()


class MatrixBuildRow(Base):
    """One learning run of a shop: what it saw and when. Its version is on every row it wrote."""

    __tablename__ = "matrix_build"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    learned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    order_count: Mapped[int] = mapped_column()
    product_count: Mapped[int] = mapped_column()
    pair_count: Mapped[int] = mapped_column()


@dataclass(frozen=True, slots=True)
class MatrixBuild:
    """One learning run. Units: distinct orders, products sold, and directed pairs kept."""

    version: int
    learned_at: datetime
    order_count: int
    product_count: int
    pair_count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Companions by anchor, and the version of the build they come from; 0 when nothing was learned yet."""

    version: int
    companions: dict[ProductId, tuple[Companion, ...]]


def companions_of(
    session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], *, kind: str = WITH
) -> dict[ProductId, tuple[Companion, ...]]:
    """Companions of the anchors, best first. Anchors without evidence are absent."""
    return evidence_for(session, shop_id, anchor_ids, kind=kind).companions


def evidence_for(session: Session, shop_id: ShopId, anchor_ids: Sequence[ProductId], *, kind: str = WITH) -> Evidence:
    """Read companions and the version of their build in one query, so that both belong together."""
    newest = select(func.max(MatrixBuildRow.version)).where(MatrixBuildRow.shop_id == shop_id).scalar_subquery()
    joined = and_(
        MatrixRow.shop_id == shop_id,
        MatrixRow.kind == kind,
        MatrixRow.version == MatrixBuildRow.version,
        MatrixRow.product_id.in_(anchor_ids),
    )
    rows = session.execute(
        select(MatrixBuildRow.version, MatrixRow.product_id, MatrixRow.companions)
        .join(MatrixRow, joined, isouter=True)
        .where(MatrixBuildRow.shop_id == shop_id, MatrixBuildRow.version == newest)
        .order_by(MatrixRow.product_id)
    ).all()
    companions = {ProductId(row.product_id): _unpack(row.companions) for row in rows if row.product_id is not None}
    return Evidence(rows[0].version if rows else 0, companions)


def replace_rows(
    session: Session,
    shop_id: ShopId,
    build: MatrixBuild,
    companions: Mapping[ProductId, Sequence[Companion]],
    *,
    kind: str = WITH,
) -> None:
    """Put a new build in the place of the last one: readers see the old rows or the new ones, never a mixture."""
    session.execute(delete(MatrixRow).where(MatrixRow.shop_id == shop_id, MatrixRow.kind == kind))
    rows = [
        {
            "shop_id": shop_id,
            "kind": kind,
            "product_id": anchor_id,
            "companions": _pack(companions[anchor_id]),
            "version": build.version,
        }
        for anchor_id in sorted(companions)
        if companions[anchor_id]
    ]
    if rows:
        session.execute(insert(MatrixRow), rows)
    session.execute(insert(MatrixBuildRow).values(shop_id=shop_id, **asdict(build)))


def latest_build(session: Session, shop_id: ShopId) -> MatrixBuild | None:
    """The newest learning run, or None for a shop that never learned."""
    row = session.scalars(
        select(MatrixBuildRow).where(MatrixBuildRow.shop_id == shop_id).order_by(MatrixBuildRow.version.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return MatrixBuild(row.version, row.learned_at, row.order_count, row.product_count, row.pair_count)


def _pack(companions: Sequence[Companion]) -> str:
    """Write a row: what all companions share once, then four numbers each."""
    first = companions[0]
    listed = [[one.product_id, one.pair_count, one.companion_count, one.score] for one in companions]
    return canonical_json({"anchor": first.anchor_count, "baskets": first.basket_count, "companions": listed})


def _unpack(text: str) -> tuple[Companion, ...]:
    row = json.loads(text)
    return tuple(
        Companion(ProductId(product_id), pair_count, row["anchor"], companion_count, row["baskets"], score)
        for product_id, pair_count, companion_count, score in row["companions"]
    )
