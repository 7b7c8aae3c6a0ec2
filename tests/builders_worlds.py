"""Random shops and shoppers for property tests: seeded, plain `random`, quick enough for a hundred thousand decisions.

A `World` is a shop with its offers, evidence and questions; a `Visit` is one shopper living through weeks in it.
Numbers are small on purpose, so that caps fill, windows open and close, and wishes meet what they are about.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from builders_database import NOW
from builders_offers import (
    a_cart,
    a_companion,
    a_product,
    a_request,
    a_snapshot,
    a_variant,
    a_word,
    an_edge,
    an_offer,
    variant_id_of,
)
from builders_signals import a_shopper

from shopify_upsell.core import CustomerId, OfferId, ProductId
from shopify_upsell.customers.courtesy import NOTHING_SHOWN, Caps
from shopify_upsell.customers.dismissals import Dismissal, Scope
from shopify_upsell.customers.shopper import ANONYMOUS, in_order
from shopify_upsell.customers.signal import Signal
from shopify_upsell.customers.signals import SIGNALS, offer_reason
from shopify_upsell.customers.stage import STAGES
from shopify_upsell.customers.suppression import Suppression
from shopify_upsell.ledger.catalog import SellingPlan
from shopify_upsell.ledger.owned import OwnedProduct, ProductHealth
from shopify_upsell.money import Money
from shopify_upsell.offers.costs import Costs
from shopify_upsell.offers.discounts import ActiveDiscount
from shopify_upsell.offers.drawing import Drawn, draw
from shopify_upsell.offers.snapshot import AcceptanceCount, OfferRequest, Snapshot, ThrottledOffer
from shopify_upsell.offers.terms import Audience, Floor, Incentive, RequiredAttribute, Schedule, Terms

IDS = [ProductId(number) for number in range(1, 13)]
GOLD = ProductId(99)
"""A product that costs a fortune and has nothing to do with any other."""

PAGES = [
    # page, path, whether somebody would be disturbed
    *[(None, None, False)] * 30,
    ("product", "/products/return-address-stamp", False),
    ("cart", "/cart", False),
    ("customers/login", "/account/login", True),
    ("page", "/pages/returns", True),
    ("page", "/de/pages/widerruf", True),
    ("page", "/policies/refund-policy", True),
]
PLACEMENTS = [
    *["theme/product_page"] * 5, *["theme/cart"] * 2, "post_purchase/offer", "thank_you/page", *["account/page"] * 3,
    "email/picks",
]  # fmt: skip
KINDS = [
    *["cross_sell"] * 6, "bundle", "bundle", "up_sell", "up_sell", "quantity", "replenish", "replenish", "subscribe",
    "free_shipping", "gift",
]  # fmt: skip
FLOORS = [*[Floor()] * 8, Floor(400), Floor(-400), Floor(0, 3000)]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class World:
    """A shop and what it may be asked. `quiet`: questions, by their place, of pages where nothing may be shown."""

    template: Snapshot
    questions: tuple[OfferRequest, ...]
    quiet: tuple[bool, ...]
    drawn: tuple[Drawn, ...]
    has_personal_kinds: bool


def a_world(source: Random) -> World:
    """A shop of a dozen products with a handful of offers."""
    offers = tuple(_an_offer(source, number) for number in range(1, source.randint(4, 8)))
    pages = [source.choice(PAGES) for _ in range(5)]
    questions = tuple(_a_question(source, page, path) for page, path, _ in pages)
    companions = {number: _companions(source, number) for number in IDS}
    pairs = [(source.choice(IDS), source.choice(IDS)) for _ in range(20)]
    template = a_snapshot(
        offers=offers,
        companions=companions,
        products=(*(_a_product(source, number) for number in IDS), a_product(GOLD, sizes=(("", 9_999_999),))),
        negative_edges=tuple(_an_edge(source, *pair) for pair in pairs[: source.choice([0, 0, 2, 6])]),
        timing=tuple(_a_word(source, *pair) for pair in dict.fromkeys(pairs[5:])),
        health={number: _health(source) for number in source.sample(IDS, 3)},
        costs=source.choice([Costs(), Costs(goods_basis_points=3000, refund_basis_points=500, app_basis_points=100)]),
        discounts=source.choice([(), (), _discounts(source, offers)]),
        knows_discounts=source.random() < 0.7,
        caps=_caps(source),
        throttles=tuple(
            ThrottledOffer(OfferId(source.choice([0, 1, 2])), source.choice([0, 0, 1, 2])) for _ in range(2)
        ),
        acceptance=tuple(
            AcceptanceCount(OfferId(source.randint(1, 6)), source.choice(IDS), 100, source.randint(0, 30), 2.0)
            for _ in range(4)
        ),
        holdout_basis_points=source.choice([0, 0, 2000]),
    )
    drawn = tuple(draw(replace(template, request=question)) for question in questions)
    is_personal = any(offer.kind in ("replenish", "subscribe") for offer in offers)
    return World(template, questions, tuple(page[2] for page in pages), drawn, is_personal)


def visits(source: Random, world: World, count: int) -> Iterator[tuple[Snapshot, int]]:
    """Weeks of one shopper: snapshots in the order of time, each with the number of the question it asks.

    The caller sends back the courtesy state that its answer leaves; the first is that nothing was shown.
    """
    known: dict[str, Any] = {"shopper": _a_shopper(source)}
    known |= {"owned": _owned(source), "preference": source.choice([*["all"] * 8, "fewer", "restock_only"])}
    names = {"customer_id": CustomerId(source.randint(1, 999)) if known["shopper"].is_known else None}
    now, courtesy = NOW, NOTHING_SHOWN
    for _ in range(count):
        now += timedelta(seconds=source.choice([1, 40, 200, 900, 1799, 1800, 4000, 40_000, 86_400, 300_000]))
        number = source.randrange(len(world.questions))
        request = replace(world.questions[number], visitor_id="abc", **names)
        courtesy = yield replace(world.template, now=now, request=request, courtesy=courtesy, **known), number
        if source.random() < 0.1:
            known |= _something_new(source, known, now)


def _something_new(source: Random, known: dict[str, Any], now: Any) -> dict[str, Any]:
    """A signal, a wish, or another word about how much to be asked."""
    what = source.randrange(6)
    if what <= 1 and known["shopper"] is not ANONYMOUS:
        told = in_order([*known["shopper"].signals, _a_signal(source, now)])
        return {"shopper": replace(known["shopper"], signals=told)}
    if what == 2:
        wish = Suppression(
            "v:abc", source.choice([ProductId(0), *IDS]), source.choice(["dismissed", "snoozed"]),
            now + source.choice([1, 7]) * DAY,
        )  # fmt: skip
        return {"suppressions": (*known.get("suppressions", ()), wish)}
    if what <= 4:
        scope = source.choice([Scope(OfferId(source.randint(1, 6))), Scope(product_id=source.choice(IDS)), Scope(
            anchor_product_id=source.choice(IDS), product_id=source.choice(IDS))])  # fmt: skip
        dismissal = Dismissal("v:abc", scope, 1, now, now + source.choice([2, 30]) * DAY)
        return {"dismissals": (*known.get("dismissals", ()), dismissal)}
    return {"preference": source.choice([*["all"] * 6, "fewer", "fewer", "restock_only", "none"])}


def _a_shopper(source: Random) -> Any:
    if source.random() < 0.3:
        return ANONYMOUS
    signals = [_a_signal(source, NOW - timedelta(hours=source.randint(1, 2400))) for _ in range(source.randint(0, 4))]
    return a_shopper(
        *signals,
        *[_good(source)] * source.choice([0, 1, 1]),
        stage=source.choice(STAGES),
        marketing_consent=source.choice([None, True, False]),
        attributes=source.choice([{}, {"tier": "gold"}, {"tier": "silver"}]),
        affinities=source.choice([{}, {}, {"Wool": 0.5, "Alp": 0.3}]),
    )


def _good(source: Random) -> Signal:
    return Signal("review", "c:5", NOW - source.randint(0, 20) * DAY, "test", "good", 5.0)


def _a_signal(source: Random, moment: Any) -> Signal:
    kind = source.choice(QUIET_KINDS if source.random() < 0.85 else TROUBLES)
    value_range = SIGNALS[kind].value_range
    value = None if value_range is None else float(source.randint(*map(int, value_range)))
    if kind == "delivery_estimated":
        value = (moment + source.randint(-1, 9) * DAY).timestamp()
    thing = source.choice("abc")
    about = offer_reason(source.randint(1, 9)) if kind == "offer_accepted" else None
    return Signal(kind, "c:5", moment, "test", thing, value, order_id=source.choice([None, 1, 2, 3]), reason=about)


TROUBLES = sorted(name for name, kind in SIGNALS.items() if kind.opens or any(one.cool_off for one in kind.effects))
QUIET_KINDS = sorted(set(SIGNALS) - set(TROUBLES))


def _owned(source: Random) -> dict[ProductId, OwnedProduct]:
    found = {}
    for number in source.sample(IDS, source.choice([0, 0, 2, 4])):
        at = NOW - timedelta(hours=source.randint(-48, 24 * 90))
        found[number] = OwnedProduct(number, 1, source.randint(1, 2), at - 3 * DAY, at, source.random() < 0.5)
    return found


def _a_question(source: Random, page: str | None, path: str | None) -> OfferRequest:
    anchors = source.sample(IDS, source.choice([1, 1, 1, 2]))
    in_cart = source.sample(IDS, source.choice([0, 0, 1, 3])) + anchors[: source.choice([0, 0, 1])]
    return a_request(
        anchor_product_ids=tuple(anchors),
        placement=source.choice(PLACEMENTS),
        cart=a_cart(*dict.fromkeys(in_cart), quantity=source.randint(1, 2)),
        currency=source.choice([None, *["USD"] * 20, "EUR"]),
        limit=source.choice([1, 2, 3, 3, 6]),
        page=page,
        path=path,
        market=source.choice([None, "eu", "us"]),
        country=source.choice([None, "DE", "DE", "US"]),
        is_b2b=source.choice([None, False, True]),
    )


def _a_product(source: Random, number: ProductId) -> Any:
    prices = [source.randint(300, 5000)]
    prices += [prices[0] + source.randint(1, 2000)] if source.random() < 0.6 else []
    variants = tuple(
        a_variant(
            number,
            position,
            title=f"{250 * position} g" if len(prices) > 1 else "",
            price=Money(price, "USD"),
            is_available=source.random() < 0.9,
            requires_components=source.random() < 0.04,
            unit_cost_minor_units=source.choice([None, *[price // 3, price // 2] * 4, price + 10]),
            inventory_policy=source.choice(["deny", "deny", "continue"]),
            quantity=source.choice([None, None, 0, 1, 2, 50]),
        )
        for position, price in enumerate(prices, 1)
    )
    return a_product(
        number,
        variants=variants,
        status=source.choice(["ACTIVE"] * 30 + ["DRAFT", "ARCHIVED", "UNLISTED"]),
        is_published=source.random() < 0.95,
        is_gift_card=source.random() < 0.03,
        requires_selling_plan=source.random() < 0.03,
        is_deleted=source.random() < 0.03,
        product_type=source.choice(["", "Wool", "Wax"]),
        vendor=source.choice(["", "Alp"]),
        refund_rate=source.choice([None, 0.0, 0.1]),
        supply_days=source.choice([None, 10.0, 30.0]),
        selling_plans=source.choice([(), (SellingPlan(7, "Monthly", "recurring", source.choice([None, 1000])),)]),
    )


def _an_offer(source: Random, number: int) -> Any:
    kind = source.choice(KINDS)
    terms = Terms(
        incentive=_incentive(source, kind),
        schedule=source.choice([Schedule()] * 9 + [
            Schedule(NOW + 3 * DAY), Schedule(None, NOW + 3 * DAY), Schedule(lasts_hours=1), Schedule(lasts_hours=30),
        ]),
        max_per_customer=source.choice([None] * 9 + [1]),
        audience=source.choice([Audience()] * 14 + [
            Audience(stages=("delivered", "established")), Audience(markets=("eu",)), Audience(countries=("DE",)),
            Audience(attributes=(RequiredAttribute("tier", "gold"),)), Audience(b2b="only"), Audience(b2b="never"),
        ]),
        floor=Floor(-9000) if kind == "gift" else source.choice(FLOORS),
        window_days=source.choice([None] * 6 + [(0, 30), (7, 40)]),
        needs_positive_signal=source.random() < 0.5,
        quantity=3 if kind == "quantity" else None,
        supply_days=20 if kind == "replenish" else None,
    )  # fmt: skip
    is_listed = kind in ("cross_sell", "bundle", "free_shipping") and source.random() < 0.3
    listed = tuple(source.sample(IDS, 2)) if is_listed else None
    return an_offer(
        number,
        kind,
        state=source.choice(["live"] * 30 + ["paused"]),
        placements=tuple(sorted({*source.sample(PLACEMENTS, 11)})),
        companions=(ProductId(terms.incentive.gift_variant_id // 10),) if kind == "gift" else listed,
        anchors=source.choice([*[None] * 7, tuple(source.sample(IDS, 6))]),
        terms=terms,
    )


def _incentive(source: Random, kind: str) -> Incentive:
    if kind == "gift":
        return Incentive("gift", gift_variant_id=variant_id_of(source.choice(IDS)))
    if kind == "free_shipping":
        return Incentive("free_shipping", threshold_minor_units=6000, currency="USD", is_shop_rate=True)
    if kind in ("cross_sell", "bundle") and source.random() < 0.2:
        return Incentive("percentage", basis_points=1000)
    return Incentive()


def _companions(source: Random, number: ProductId) -> tuple[Any, ...]:
    others = [one for one in source.sample(IDS, 6) if one != number]
    rows = [a_companion(one, round(source.random(), 6), pair_count=source.choice([1, *[30] * 9])) for one in others]
    return tuple(sorted(rows, key=lambda one: (-one.score, one.product_id)))


def _an_edge(source: Random, anchor: ProductId, companion: ProductId) -> Any:
    edge = an_edge(anchor, companion, source=source.choice(["learned", "merchant"]))
    return replace(edge, reason="blocked" if edge.source == "merchant" else source.choice(["pair", "kind", "apart"]))


def _a_word(source: Random, anchor: ProductId, companion: ProductId) -> Any:
    return a_word(
        anchor,
        companion,
        window=source.choice([None, (0, 270), (0, 30), (5, 20), (7, 270), (14, 60)]),
        blocked=source.choice([(), (), ((0, 2),), ((10, 15), (18, 25))]),
        source=source.choice(["learned", "learned", "prior", "merchant"]),
        level=source.choice(["shop", "kind", "pair"]),
        peaks_at_zero=source.random() < 0.2,
        relation=source.choice(["complement", "consumable", "accessory", "refill"]),
    )


def _health(source: Random) -> ProductHealth:
    return ProductHealth(
        sold=source.choice([10, 100]),
        refunded=source.choice([0, 2, 14, 20]),
        rating=source.choice([None, None, 2.0, 4.5]),
        rating_count=source.choice([3, 40]),
    )


def _discounts(source: Random, offers: tuple[Any, ...]) -> tuple[ActiveDiscount, ...]:
    """A percentage, sometimes the one that an offer promises, and what makes gifts free."""
    gifts = tuple(product for offer in offers if offer.kind == "gift" for product in offer.companions)
    free = ActiveDiscount(
        "free", "product", "percentage", 10_000, combines_with=("product", "order"), product_ids=gifts
    )
    named = source.choice([None, tuple(source.sample(IDS, 5))])
    share = source.choice([1000, 1000, 500])
    some = ActiveDiscount("some", "product", "percentage", share, combines_with=("product", "order"), product_ids=named)
    return (free, some)[: source.choice([1, 2])]


def _caps(source: Random) -> Caps:
    session = source.randint(1, 8)
    day = session + source.randint(0, 8)
    offer_day = source.randint(1, 5)
    return Caps(session, day, day + source.randint(6, 30), offer_day, offer_day + source.randint(0, 6))
