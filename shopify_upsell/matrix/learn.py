"""Use case: learn what goes with what from everything a shop has sold, and put it in the place of the last build."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from shopify_upsell.core import ShopId
from shopify_upsell.database import Database, bind_shop
from shopify_upsell.jobs.queue import Job
from shopify_upsell.jobs.schedule import bring_forward
from shopify_upsell.ledger.store import baskets
from shopify_upsell.matrix.association import Association, learn_companions
from shopify_upsell.matrix.store import MatrixBuild, latest_build, replace_rows

log = logging.getLogger(__name__)

FRESHNESS = timedelta(minutes=5)
"""How long a new order may wait to be learned from: one run answers all the orders of that time."""

LEARNING = "learn_matrix"


class Learning:
    """The job of learning: it reads first, counts in no transaction, and writes last."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def learn(self, job: Job) -> Callable[[Session], None]:
        """Learn from what the shop has sold; return what is to be written."""
        with self._database.read() as session:
            bind_shop(session, job.shop_id)
            sold = baskets(session, job.shop_id)
        learned = learn_companions(basket.product_ids for basket in sold)

        def write(session: Session) -> None:
            _store(session, job.shop_id, learned, job.now)

        return write


def note_order(session: Session, job: Job) -> None:
    """Job: an order came in, so the next learning run comes soon instead of tomorrow."""
    bring_forward(session, job.shop_id, LEARNING, job.now + FRESHNESS)


def learn_shop(session: Session, shop_id: ShopId, now: datetime) -> MatrixBuild:
    """Rebuild the shop's matrix from its booked orders at once; every run has a version of its own."""
    learned = learn_companions(basket.product_ids for basket in baskets(session, shop_id))
    return _store(session, shop_id, learned, now)


def _store(session: Session, shop_id: ShopId, learned: Association, now: datetime) -> MatrixBuild:
    """Write a build. Two at once would write the same version: the second fails on the key and is tried again."""
    last = latest_build(session, shop_id)
    build = MatrixBuild(
        version=last.version + 1 if last else 1,
        learned_at=now,
        order_count=learned.basket_count,
        product_count=learned.product_count,
        pair_count=learned.pair_count,
    )
    replace_rows(session, shop_id, build, learned.companions)
    counts = {"order_count": build.order_count, "pair_count": build.pair_count}
    log.info("matrix_learned", extra={"shop_id": shop_id, "version": build.version, **counts})
    return build
