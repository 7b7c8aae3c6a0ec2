"""How long one piece of a product lasts this customer: what all buyers taught, drawn towards the customer's own rhythm.

Pure.
"""

from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.offers.snapshot import CatalogProduct

SHOP_GAPS = 2.0
"""Gaps of one customer's that all buyers' rhythm is worth. Source: our choice; a household that took twice as long
three times in a row is believed more than the rest of the shop."""


def supply_days_for(product: CatalogProduct, owned: OwnedProduct | None) -> float | None:
    """Days that one piece lasts; None for a product that is not known to be used up, whoever bought it twice.

    Source: mean of the customer's gaps and `SHOP_GAPS` gaps of the product's.
    """
    days = product.supply_days
    if days is None or owned is None or owned.days_a_piece is None or owned.order_count < 2:
        return days
    gaps = owned.order_count - 1
    return (SHOP_GAPS * days + gaps * owned.days_a_piece) / (SHOP_GAPS + gaps)
