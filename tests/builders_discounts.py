"""Builders of discounts as the Admin API tells them."""

EVERYBODY = {"all": "ALL"}
STARTED = "2026-11-01T00:00:00Z"
NOTHING_MORE = {"hasNextPage": False, "endCursor": None}


def named(*products, variants=(), page_info=NOTHING_MORE):
    return {
        "products": {
            "nodes": [{"id": f"gid://shopify/Product/{one}"} for one in products],
            "pageInfo": page_info,
        },
        "productVariants": {
            "nodes": [{"id": f"gid://shopify/ProductVariant/{one}"} for one in variants],
            "pageInfo": NOTHING_MORE,
        },
    }


def gets(items=None, value=None, **changes):
    given = {"appliesOnOneTimePurchase": True, "appliesOnSubscription": False} | changes
    return given | {"items": items or {"allItems": True}, "value": value or {"percentage": 0.15}}


def usd(amount, currency="USD"):
    return {"amount": amount, "currencyCode": currency}


def a_node(number=1, kind="DiscountAutomaticBasic", **changes):
    told = {
        "__typename": kind,
        "title": "Autumn",
        "status": "ACTIVE",
        "discountClasses": ["PRODUCT"],
        "startsAt": STARTED,
        "endsAt": None,
        "combinesWith": {"productDiscounts": False, "orderDiscounts": True, "shippingDiscounts": False},
        "context": EVERYBODY,
        "minimumRequirement": None,
        "customerGets": gets(),
    }
    return {"id": f"gid://shopify/DiscountNode/{number}", "discount": told | changes}


def free_shipping(**changes):
    given = {
        "discountClasses": ["SHIPPING"],
        "appliesOnOneTimePurchase": True,
        "appliesOnSubscription": False,
        "destinationSelection": {"allCountries": True},
        "maximumShippingPrice": None,
    }
    return a_node(1, "DiscountAutomaticFreeShipping", **given | changes)
