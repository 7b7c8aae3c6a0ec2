"""Use case: count again what cards came to in the last quarter; the table it is kept in, and how ranking reads it.

The counts are a function of touches, credits, orders and decisions: counting twice gives the same. They name nobody.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shopify_upsell.attribution.store import cards_shown, cards_taken
from shopify_upsell.core import CustomerId, OfferId, ProductId, ShopId
from shopify_upsell.database import Base, Database, ExternalId, bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.tables import KNOWN_ORDER, OrderLineRow, OrderRow, batches, put_rows
from shopify_upsell.offers.acceptance import Bought, Card, Withheld, acceptance_counts, count_anyway
from shopify_upsell.offers.decisions import DecisionRow
from shopify_upsell.offers.snapshot import AcceptanceCount
from shopify_upsell.offers.snapshot_json import answer_from_json, request_from_json

COUNTED_FOR = timedelta(days=90)
"""How far back cards are counted. Source: our choice; as long as decisions are kept and a holdout runs."""

SLICE = timedelta(days=3)
"""Days of touches and orders that one statement sums up, well below 4 s."""

PAGE = 1_000
"""Decisions of the holdout read at once."""

MOST_WITHHELD = 100_000
"""Cards withheld that are looked at, the latest first: far more than a rate needs, few enough for memory."""

MOST_CARDS = 50_000
"""Cards kept, those shown most often: the others have next to nothing counted."""


class AcceptanceRow(Base):
    """What the cards of one offer with one product came to. See `snapshot.AcceptanceCount`."""

    __tablename__ = "acceptance_count"

    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.shop_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    offer_id: Mapped[int] = mapped_column(ExternalId, primary_key=True)
    shown_count: Mapped[int] = mapped_column(BigInteger)
    taken_count: Mapped[int] = mapped_column(BigInteger)
    expected_anyway: Mapped[float] = mapped_column()


class AcceptanceLearning:
    """The job of counting: it reads in no transaction that anybody waits for, and writes last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def learn(self, job: Job) -> Callable[[Session], None]:
        """Count the cards of the shop; return what is to be written."""
        with self._database.read() as session:
            bind_shop(session, job.shop_id)
            counts = count_cards(session, job.shop_id, now=job.now)
        return lambda session: put_acceptance(session, job.shop_id, counts)


def acceptance_for(
    session: Session, shop_id: ShopId, offer_ids: Collection[OfferId] | None, product_ids: Collection[ProductId]
) -> tuple[AcceptanceCount, ...]:
    """What is counted of cards with these products, of these offers or of all, by offer and product. One read by key.

    Shape: products as many as a decision looks at; below both databases' limit of parameters.
    """
    if not product_ids or (offer_ids is not None and not offer_ids):
        return ()
    row = AcceptanceRow
    wanted = select(row.offer_id, row.product_id, row.shown_count, row.taken_count, row.expected_anyway).where(
        row.shop_id == shop_id, row.product_id.in_(sorted(set(product_ids)))
    )
    if offer_ids is not None:
        wanted = wanted.where(row.offer_id.in_(sorted(set(offer_ids))))
    found = session.execute(wanted.order_by(row.offer_id, row.product_id))
    return tuple(AcceptanceCount(OfferId(one[0]), ProductId(one[1]), *one[2:]) for one in found)


def put_acceptance(session: Session, shop_id: ShopId, counts: Collection[AcceptanceCount]) -> None:
    """Keep counts in the place of the last ones."""
    session.execute(delete(AcceptanceRow).where(AcceptanceRow.shop_id == shop_id))
    rows = [
        {
            "shop_id": shop_id,
            "product_id": one.product_id,
            "offer_id": one.offer_id,
            "shown_count": one.shown_count,
            "taken_count": one.taken_count,
            "expected_anyway": one.expected_anyway,
        }
        for one in counts
    ]
    put_rows(session, shop_id, AcceptanceRow, rows)


def count_cards(session: Session, shop_id: ShopId, *, now: datetime) -> tuple[AcceptanceCount, ...]:
    """Count cards shown and taken since `COUNTED_FOR` before now, and what the holdout bought without them."""
    shown: Counter[Card] = Counter()
    taken: Counter[Card] = Counter()
    for since, until in _slices(now):
        shown.update(cards_shown(session, shop_id, since=since, until=until))
        taken.update(cards_taken(session, shop_id, since=since, until=until))
    most = dict(sorted(shown.items(), key=lambda each: (-each[1], each[0]))[:MOST_CARDS])
    withheld = _withheld(session, shop_id, now=now)
    bought = _bought(session, shop_id, withheld)
    return acceptance_counts(most, taken, count_anyway(withheld, bought))


def _slices(now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Cut the time that counts into pieces, the latest first. The last moment itself is inside."""
    until, start = now + timedelta(microseconds=1), now - COUNTED_FOR
    while until > start:
        since = max(start, until - SLICE)
        yield since, until
        until = since


def _withheld(session: Session, shop_id: ShopId, *, now: datetime) -> list[Withheld]:
    """Cards that customers of the holdout were not shown, the latest first, page by page."""
    row = DecisionRow
    found: list[Withheld] = []
    last: tuple[datetime, str] | None = None
    while len(found) < MOST_WITHHELD:
        about = [row.shop_id == shop_id, row.decided_at >= now - COUNTED_FOR, row.decided_at <= now]
        about += [row.is_holdout.is_(True), row.offer_count > 0]
        if last is not None:
            # The first condition is what an index can use.
            is_older = or_(row.decided_at < last[0], row.decision_id < last[1])
            about += [row.decided_at <= last[0], is_older]
        rows = select(row.decided_at, row.decision_id, row.inputs, row.answer).where(*about)
        page = session.execute(rows.order_by(row.decided_at.desc(), row.decision_id.desc()).limit(PAGE)).all()
        for decision in page:
            found += _cards_of(decision.inputs, decision.answer, decision.decided_at)
        if len(page) < PAGE:
            return found
        last = (page[-1].decided_at, page[-1].decision_id)
    return found


def _cards_of(inputs: str, answer: str, at: datetime) -> list[Withheld]:
    customer_id = request_from_json(inputs).customer_id
    if customer_id is None:
        return []
    offers = answer_from_json(answer).would_have_shown
    return [Withheld(customer_id, (offer.offer_id, offer.items[-1].product_id), at) for offer in offers]


def _bought(session: Session, shop_id: ShopId, withheld: Collection[Withheld]) -> list[Bought]:
    """What these customers bought since the first of the cards."""
    if not withheld:
        return []
    since, products = min(each.at for each in withheld), {each.card[1] for each in withheld}
    same = (OrderLineRow.shop_id == OrderRow.shop_id) & (OrderLineRow.order_id == OrderRow.order_id)
    found: list[Bought] = []
    for customers in batches(sorted({each.customer_id for each in withheld})):
        kept = (OrderRow.ordered_at >= since, OrderRow.is_booked, KNOWN_ORDER, OrderLineRow.net_quantity > 0)
        rows = (
            select(OrderRow.customer_id, OrderLineRow.product_id, OrderRow.ordered_at)
            .join(OrderLineRow, same)
            .where(OrderRow.shop_id == shop_id, OrderRow.customer_id.in_(customers), *kept)
        )
        for customer_id, product_id, ordered_at in session.execute(rows):
            if customer_id is not None and product_id in products:
                found.append(Bought(CustomerId(customer_id), ProductId(product_id), ordered_at))
    return found
