"""Builders for the courtesy budget."""

from shopify_upsell.customers import courtesy_store
from shopify_upsell.customers.courtesy_store import Swap


def swap_state(session, shop_id, subject, before, after, *, now):
    """Swap one state alone; tell whether it was made."""
    return courtesy_store.swap_state(session, shop_id, Swap(subject, before, after), now=now)
