"""Jobs and one verb that keep courtesy true: throttle, forget, and carry a visitor's past over to the customer."""

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from shopify_upsell.core import CustomerId, ShopId
from shopify_upsell.customers.courtesy import NOTHING_SHOWN, merged_state
from shopify_upsell.customers.courtesy_store import (
    Swap,
    erase_states,
    forget_old_states,
    read_states,
    rules_of,
    save_throttle,
    swap_state,
)
from shopify_upsell.customers.dismissals_store import erase_dismissals, forget_old_dismissals, move_dismissals
from shopify_upsell.customers.preferences_store import copy_preference, erase_preference
from shopify_upsell.customers.subjects import customer_subject, visitor_subject
from shopify_upsell.customers.throttle import UNTHROTTLED, judge
from shopify_upsell.customers.throttle_store import day_of, forget_old_reactions, reactions_by_offer
from shopify_upsell.jobs.queue import Job

log = logging.getLogger(__name__)


def review_courtesy(session: Session, job: Job) -> None:
    """Job: lower caps where shoppers turn away more than they used to, and give them back where they no longer do."""
    held = rules_of(session, job.shop_id).throttles
    for offer_id, days in reactions_by_offer(session, job.shop_id).items():
        before = held.get(offer_id, UNTHROTTLED)
        after = judge(before, days, today=day_of(job.now))
        if after == before:
            continue
        save_throttle(session, job.shop_id, offer_id, after)
        if after.level != before.level:
            fields = {"shop_id": job.shop_id, "offer_id": offer_id, "level": after.level, "before": before.level}
            counts = {"show_count": after.show_count, "refusal_count": after.refusal_count}
            log.info("courtesy_throttled", extra={**fields, **counts, "limit": after.limit})


def retain_courtesy(session: Session, job: Job) -> None:
    """Job: delete what nothing looks at any more."""
    forget_old_states(session, job.shop_id, now=job.now)
    forget_old_dismissals(session, job.shop_id, now=job.now)
    forget_old_reactions(session, job.shop_id, now=job.now)


def merge_courtesy(session: Session, shop_id: ShopId, visitor_id: str, customer_id: CustomerId, now: datetime) -> bool:
    """Give a customer what their browser was shown and asked for before they logged in.

    Counts and dismissals move, as wishes do: the next person at the browser starts anew. A word about being asked is
    copied: whoever said "none" there is not asked there again after logging out. False when somebody else changed one
    of the two budgets meanwhile; then nothing has moved of them, they still add up, and the next request tries again.
    """
    visitor, customer = visitor_subject(visitor_id), customer_subject(customer_id)
    copy_preference(session, shop_id, visitor, customer)
    move_dismissals(session, shop_id, visitor, customer)
    theirs = read_states(session, shop_id, [visitor]).own
    if not theirs.shown:
        return True
    own = read_states(session, shop_id, [customer]).own
    swaps = [
        Swap(customer, own, merged_state([own, theirs])),
        Swap(visitor, theirs, NOTHING_SHOWN),
    ]
    savepoint = session.begin_nested()
    is_done = all(swap_state(session, shop_id, swap, now=now) for swap in swaps)
    if is_done:
        savepoint.commit()
    else:
        savepoint.rollback()
    return is_done


def erase_courtesy(session: Session, shop_id: ShopId, subject: str) -> int:
    """Forget how a person was asked and what they answered; how many rows there were."""
    return (
        erase_states(session, shop_id, subject)
        + erase_preference(session, shop_id, subject)
        + erase_dismissals(session, shop_id, subject)
    )
