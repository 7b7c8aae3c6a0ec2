"""How a person is named here: `c:{customer id}` once Shopify knows them, else `v:{our own visitor id}`.

Pure. The same words name the unit of an experiment and the owner of a suppression.
"""

import re
from functools import lru_cache

from shopify_upsell.core import CustomerId, InvalidInput

_VISITOR_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def customer_subject(customer_id: CustomerId) -> str:
    """Name a known customer."""
    return f"c:{customer_id}"


def visitor_subject(visitor_id: str) -> str:
    """Name an unknown visitor. Raises: InvalidInput for an id that our own script could not have made."""
    if _VISITOR_ID.fullmatch(visitor_id) is None:
        raise InvalidInput("not a visitor id")
    return f"v:{visitor_id}"


@lru_cache(maxsize=4096)
def subjects_of(customer_id: CustomerId | None, visitor_id: str | None) -> tuple[str, ...]:
    """Every name this shopper goes by, the best known first; empty for somebody without any.

    What a visitor asked for before logging in still holds afterwards, so both names are looked up.
    """
    known = (customer_subject(customer_id),) if customer_id is not None else ()
    return known + ((visitor_subject(visitor_id),) if visitor_id else ())
