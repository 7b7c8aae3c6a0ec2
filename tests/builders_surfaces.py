"""Builders of a shop that has something to offer, and of what its theme and post-purchase page would ask."""

import json
from itertools import count

from builders_apps import an_application, parts_of, real_now
from builders_database import NOW, add_shop
from builders_offers import BOOTS, LACES, SOCKS, WAX, a_companion, a_product, add_products, variant_id_of
from builders_proofs import post_purchase_token, signed_proxy_query
from sqlalchemy import func, select

from shopify_upsell.core import CustomerId
from shopify_upsell.customers.subjects import customer_subject, visitor_subject
from shopify_upsell.database import bind_shop
from shopify_upsell.experiments.assignment import is_in_holdout
from shopify_upsell.experiments.layers import quarter_holdout
from shopify_upsell.matrix.store import MatrixBuild, replace_rows
from shopify_upsell.offers.decisions import DecisionRow, read_decision
from shopify_upsell.offers.offer import OfferDraft
from shopify_upsell.offers.store import save_offer

ONE, TWO = "one.myshopify.com", "two.myshopify.com"
HOLDOUT = 1000
"""Basis points, the default of the settings."""

NOTHING = {"offers": []}
"""The answer of every failure, exactly."""


def plant(session, shop_id, *, title="", drafts=None):
    """Boots with socks (0.3) and wax (0.2) beside them, laces beside nothing; one offer for the theme, one after."""
    bind_shop(session, shop_id)
    products = [
        a_product(number, title=f"{title}Product {number}", image_url=f"https://cdn.test/{number}.png")
        for number in (BOOTS, SOCKS, WAX, LACES)
    ]
    add_products(session, shop_id, *products)
    rows = {BOOTS: (a_companion(SOCKS, 0.3), a_companion(WAX, 0.2))}
    replace_rows(session, shop_id, MatrixBuild(1, NOW, 1000, 4, 2), rows)
    offers = [save_offer(session, shop_id, draft, now=NOW) for draft in drafts or default_drafts()]
    return [offer.offer_id for offer in offers]


def default_drafts():
    """A cross-sell for the theme, and one with a tenth off after the purchase."""
    return [
        OfferDraft("cross_sell", "Beside it", ("theme/product_page", "theme/cart")),
        OfferDraft("cross_sell", "After it", ("post_purchase/offer",), discount_basis_points=1000),
    ]


def a_planted_application(database, folder, **environment):
    """An application with two shops that have the same product ids and titles of their own."""
    with database.write() as session:
        two, one = add_shop(session, TWO), add_shop(session, ONE)
        plant(session, two, title="Foreign ")
        plant(session, one)
    return an_application(database, folder, **environment)


def a_visitor(*, held_out, shop=ONE):
    """A visitor id that the shop's salt puts into the holdout, or does not."""
    return next(name for name in map("visitor-{:04}".format, count()) if _is_out(shop, visitor_subject(name), held_out))


def a_customer(*, held_out, shop=ONE, at_least=1):
    """A customer id that the shop's salt puts into the holdout, or does not."""
    numbers = count(at_least)
    return next(n for n in numbers if _is_out(shop, customer_subject(CustomerId(n)), held_out))


def _is_out(shop, unit, held_out):
    return is_in_holdout(quarter_holdout(f"salt-{shop}", real_now()).salt, unit, HOLDOUT) == held_out


def theme_query(shop=ONE, customer_id="", now=None, **parameters):
    """A signed query of the storefront, signed now."""
    return signed_proxy_query(
        {name: str(value) for name, value in parameters.items()},
        shop=shop,
        customer_id=customer_id,
        now=now or real_now(),
    )


def ask_theme(application, *, headers=None, **wanted):
    """Ask for offers beside the boots on a product page, unless told otherwise."""
    query = theme_query(**({"placement": "theme/product_page", "product": BOOTS} | wanted))
    return application.test_client().get(f"/proxy/offers?{query}", headers=headers)


def say(application, body, *, shop=ONE, **options):
    """Send an event as the storefront does."""
    return application.test_client().post(f"/proxy/events?{theme_query(shop=shop)}", json=body, **options)


def a_purchase(*products, currency="USD", shown="USD", customer_id=None):
    """`initialPurchase` of the page after somebody bought these products; the boots by default."""
    amount = {"amount": "20.00", "currencyCode": currency}
    lines = [
        {"product": {"id": number, "title": "t", "variant": {"id": variant_id_of(number)}}, "quantity": 1}
        for number in products or (BOOTS,)
    ]
    purchase = {
        "lineItems": lines,
        "totalPriceSet": {"shopMoney": amount, "presentmentMoney": amount | {"currencyCode": shown}},
    }
    return purchase | ({"customerId": customer_id} if customer_id else {})


def purchase_token(purchase=None, *, shop=ONE, reference_id="ref-1", now=None):
    """The page's input token, issued now."""
    return post_purchase_token(
        shop=shop, reference_id=reference_id, purchase=purchase or a_purchase(), now=now or real_now()
    )


def call_page(application, path, body=None, *, token=None, **options):
    """Call a route of the post-purchase page as its extension does."""
    headers = {"Authorization": f"Bearer {token or purchase_token()}"}
    return application.test_client().post(
        f"/ext/post-purchase/{path}", json={"reference_id": "ref-1"} | (body or {}), headers=headers, **options
    )


def decisions(application):
    """Stored decisions of every shop, the earliest first, as rows."""
    with parts_of(application).database.read() as session:
        return list(session.scalars(select(DecisionRow).order_by(DecisionRow.decided_at, DecisionRow.decision_id)))


def count_rows(application, row, *conditions):
    """How many rows of a table hold."""
    with parts_of(application).database.read() as session:
        return session.scalar(select(func.count()).select_from(row).where(*conditions))


def read_rows(application, row, *columns):
    """Some columns of every row of a table, sorted."""
    with parts_of(application).database.read() as session:
        return sorted(tuple(found) for found in session.execute(select(*(getattr(row, name) for name in columns))))


def an_unreachable_url(folder):
    """The address of a database that is away: a folder where a file should be."""
    away = folder / "away"
    away.mkdir()
    return f"sqlite:///{away}"


def inputs_of(row):
    """What a decision row says of the shopper and the question, as plain values."""
    return json.loads(row.inputs)


def stored_decision(application, row):
    """A stored decision with all it was made from, put together again."""
    with parts_of(application).database.read() as session:
        return read_decision(session, row.shop_id, row.decision_id)
