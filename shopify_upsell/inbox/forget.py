"""Forget a customer everywhere in one transaction: ledger links, suppressions, decisions' inputs, raw bodies."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from shopify_upsell.attribution.journeys import forget_touches_of
from shopify_upsell.core import Announcement, CustomerId, gid
from shopify_upsell.customers.store import erase_subject
from shopify_upsell.customers.subjects import customer_subject
from shopify_upsell.customers.upkeep import erase_courtesy
from shopify_upsell.inbox.store import erase_bodies_of
from shopify_upsell.jobs.queue import Job
from shopify_upsell.ledger.store import forget_customer, order_ids_of_customer
from shopify_upsell.offers.decisions import erase_decisions_of
from shopify_upsell.offers.unit_store import person_names
from shopify_upsell.reports.outcomes import forget_in_experiments
from shopify_upsell.sends.store import erase_sends
from shopify_upsell.shops.store import complete_privacy_request, erase_exports_naming


def forget(session: Session, job: Job) -> Sequence[Announcement]:
    """Erase what is held of the customer. Amounts and products stay: they no longer name anyone."""
    customer_id = CustomerId(int(job.payload["subject_id"]))
    orders = {*order_ids_of_customer(session, job.shop_id, customer_id), *job.payload.get("order_ids", ())}
    subjects = [f"order:{order_id}" for order_id in sorted(orders)] + [f"customer:{customer_id}"]
    erase_bodies_of(session, job.shop_id, subjects)
    for name in person_names(session, job.shop_id, customer_subject(customer_id)):
        erase_decisions_of(session, job.shop_id, name)
    forget_in_experiments(session, job.shop_id, customer_id)
    forget_customer(session, job.shop_id, customer_id)
    erase_subject(session, job.shop_id, customer_subject(customer_id))
    erase_courtesy(session, job.shop_id, customer_subject(customer_id))
    forget_touches_of(session, job.shop_id, [customer_subject(customer_id)])
    erase_sends(session, job.shop_id, customer_id)
    erase_exports_naming(session, job.shop_id, f'"{gid("Customer", customer_id)}"')
    complete_privacy_request(
        session, job.shop_id, job.payload["kind"], job.payload["request_key"], completed_at=job.now
    )
    return ()
