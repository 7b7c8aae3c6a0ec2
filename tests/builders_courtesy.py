"""Builders for the courtesy budget."""

from shopify_upsell.customers.courtesy_store import Swap, swap_states


def swap_state(session, shop_id, subject, before, after, *, now):
    """Swap one state alone; tell whether it was made."""
    return swap_states(session, shop_id, [Swap(subject, before, after)], now=now)[0]
