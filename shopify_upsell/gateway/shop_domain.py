"""The one shape a shop's address may have; everything that reaches a URL, a header or a row passes through here."""

import re

_SHOP_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com")


def is_shop_domain(text: object) -> bool:
    """Tell whether this is exactly `{shop}.myshopify.com`: no scheme, port, path, upper case or line end.

    Source: shopify-api `shop-validator.ts`, narrowed to what Shopify sends; matched whole, since `$` lets a newline by.
    """
    return isinstance(text, str) and _SHOP_DOMAIN.fullmatch(text) is not None
