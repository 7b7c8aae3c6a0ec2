"""May an offer go live: everything that can be known to be wrong with it before a shopper sees it, by name.

Pure. Comes in: the offer as written, and the shop as a decision would see it. Goes out: one `Check` a claim. Products
are tried out by the very rules that decisions use: what passes here is refused there for a shopper's reasons only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta

from shopify_upsell.core import OfferId, ProductId
from shopify_upsell.ledger.owned import OwnedProduct
from shopify_upsell.offers import eligibility, money_rules
from shopify_upsell.offers.candidate import Candidate, Rejection
from shopify_upsell.offers.claims import benefit_problems
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.offer import (
    BUNDLE,
    FREE_SHIPPING,
    GIFT,
    QUANTITY,
    REPLENISH,
    SUBSCRIBE,
    UP_SELL,
    Offer,
    OfferDraft,
)
from shopify_upsell.offers.snapshot import CartLine, OfferRequest, Snapshot
from shopify_upsell.offers.texts import AFTER_PURCHASE, HEADLINES, WHY, headline_of, reason_of

CHECKS = {
    "purpose": "The offer says what it is for, what is expected of it and which metric decides.",
    "placements": "Every placement is one that this app serves.",
    "products_known": "Every product that the offer names is in the catalogue.",
    "something_to_offer": "There is a product to offer beside the products that the offer is meant for.",
    "product_status": "What is offered is active, published and can be added with one click.",
    "stock": "Something that is offered can be bought now.",
    "margin_floor": "Nothing that is offered leaves the shop less than the offer's floor.",
    "discount_backed": "Whatever price is promised is charged at every placement of the offer.",
    "discount_conflict": "No other discount of the shop changes the promised price.",
    "negative_edges": "No pair that the offer would make is one that buyers turn away from.",
    "product_health": "No product that is offered is sent back or rated badly by many.",
    "schedule": "The offer does not end before it begins to be shown.",
    "translations": "Everything on the card is there in every language of the shop.",
    "claims": "No line claims a number that is not computed, shames or presses.",
    "text_lengths": "The card can be read, and read out, in one breath.",
    "holdout": "Some shoppers never see an offer, so that its effect can be told.",
    "stop_rule": "The offer would pause itself if it were regretted, and has no incident waiting for a word.",
}
"""Every check: its stable code and what is true when it passes."""

MOST_PROBES = 20
"""Products beside which an offer is tried out at each placement."""

MOST_EXAMPLES = 3

LONGEST_CARD = 300
"""Characters of headline, reason and lines together. Source: our choice; twenty seconds of a screen reader at an
ordinary 15 characters a second."""

NEVER_FIRES = 1.0
"""A limit of regret that can not be passed: where half of everything is given back, nothing stops an offer."""

IN_CART_KINDS = frozenset({UP_SELL, QUANTITY, SUBSCRIBE, FREE_SHIPPING, GIFT})
"""Kinds that are about what is in the cart: they are tried out with their anchor in it."""

Rule = Callable[[Candidate, Snapshot], Rejection | None]
Tried = Sequence[tuple[Candidate, Snapshot]]


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """What the checks read.

    `shop`: the shop as a decision would see it, with every product the offer names. `anchors`: products beside which an
    offer for any product is tried out. `placements`: those that are served. `locales`: languages a card must speak.
    Units: `regret_limit` a rate, above which the offer would pause itself.
    """

    shop: Snapshot
    anchors: tuple[ProductId, ...]
    placements: frozenset[str]
    locales: tuple[str, ...] = ("en",)
    regret_limit: float = NEVER_FIRES
    has_open_incident: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about an offer. `detail`: what is wrong, with numbers, empty when it passed.

    `is_blocking`: the offer may not go live unless it passes; else it is advice.
    """

    code: str
    passed: bool
    detail: str
    is_blocking: bool


def launch_checks(offer: OfferDraft | Offer, facts: LaunchFacts) -> tuple[Check, ...]:
    """Check an offer for everything that is known to be wrong before the first shopper, in the order of `CHECKS`."""
    whole = as_live(offer)
    tried = tuple(_tried(whole, facts))
    checks = (
        _purpose(whole),
        _placements(whole, facts),
        _products_known(whole, facts),
        _something_to_offer(whole, tried, facts),
        *_rule_checks(whole, tried),
        _schedule(whole, facts),
        _translations(whole, tried, facts),
        _claims(whole),
        _text_lengths(whole, tried, facts),
        _holdout(facts),
        _stop_rule(facts),
    )
    return tuple(checks)


def failing(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that keep an offer from going live."""
    return tuple(check for check in checks if check.is_blocking and not check.passed)


def as_live(offer: OfferDraft | Offer) -> Offer:
    """The offer as it would be if it were live. A draft without a number gets 0."""
    known = {field.name: getattr(offer, field.name) for field in fields(OfferDraft)}
    offer_id, version = (offer.offer_id, offer.version) if isinstance(offer, Offer) else (OfferId(0), 1)
    return Offer(**known | {"state": "live"}, offer_id=offer_id, version=version)


def listed_products(offer: OfferDraft | Offer) -> tuple[ProductId, ...]:
    """The products that an offer names, each once."""
    return tuple(dict.fromkeys((*(offer.anchors or ()), *(offer.companions or ()))))


def _tried(offer: Offer, facts: LaunchFacts) -> Iterator[tuple[Candidate, Snapshot]]:
    """Ask at every placement beside every anchor, as somebody who is due for everything."""
    anchors = (offer.anchors or facts.anchors)[:MOST_PROBES]
    for placement in offer.placements:
        for anchor in anchors:
            probe = _probe(offer, placement, anchor, facts.shop)
            yield from ((candidate, probe) for candidate in KINDS[offer.kind](offer, probe))


def _probe(offer: Offer, placement: str, anchor: ProductId, shop: Snapshot) -> Snapshot:
    product = shop.products.get(anchor)
    variant = product.first_variant() if product is not None else None
    is_in_cart = placement != "theme/product_page" or offer.kind in IN_CART_KINDS
    is_line = variant is not None and is_in_cart and offer.kind != BUNDLE
    cart = (CartLine(variant.variant_id, anchor, 1),) if variant is not None and is_line else ()
    asked = OfferRequest(shop.request.shop_id, placement, (anchor,), cart=cart, currency=shop.currency or None)
    # What may be tried without evidence is not what an offer is launched for.
    return replace(shop, request=asked, offers=(offer,), owned=_owned(offer, anchor, shop), untried={})


def _owned(offer: Offer, anchor: ProductId, shop: Snapshot) -> dict[ProductId, OwnedProduct]:
    if offer.kind != REPLENISH:
        return {}
    products = offer.companions or offer.anchors or (anchor,)
    before = shop.now - timedelta(days=30)
    return {one: OwnedProduct(one, 1, 1, before, before, delivered_is_estimate=True) for one in products}


def _purpose(offer: Offer) -> Check:
    missing = [name for name in ("objective", "hypothesis", "primary_metric") if not getattr(offer.terms, name).strip()]
    return _check("purpose", [f"{name} is missing" for name in missing])


def _placements(offer: Offer, facts: LaunchFacts) -> Check:
    unknown = [f"{one} is not served" for one in offer.placements if one not in facts.placements]
    return _check("placements", unknown or ([] if offer.placements else ["there is none"]))


def _products_known(offer: Offer, facts: LaunchFacts) -> Check:
    return _check(
        "products_known", [f"product {one}" for one in listed_products(offer) if one not in facts.shop.products]
    )


def _something_to_offer(offer: Offer, tried: Tried, facts: LaunchFacts) -> Check:
    """An automatic offer in a shop that has not learned yet may wait; one whose merchant named products may not."""
    if tried:
        return _check("something_to_offer", [])
    is_automatic = offer.anchors is None and offer.companions is None
    anchors = len((offer.anchors or facts.anchors)[:MOST_PROBES])
    return _check("something_to_offer", [f"none found beside {anchors} products"], is_blocking=not is_automatic)


RULES: dict[str, tuple[Rule, ...]] = {
    "product_status": (
        eligibility.bundle_component_missing,
        eligibility.product_not_active,
        eligibility.not_published,
        eligibility.gift_card,
        eligibility.needs_selling_plan,
        eligibility.requires_components,
        money_rules.no_selling_plan,
    ),
    "stock": (eligibility.out_of_stock, money_rules.too_few_in_stock),
    "margin_floor": (money_rules.below_margin_floor,),
    "discount_backed": (money_rules.discount_not_backed,),
    "discount_conflict": (money_rules.discount_unpredictable, money_rules.discount_conflict),
    "negative_edges": (eligibility.negative_edge,),
    "product_health": (eligibility.unhealthy_product,),
}
"""Rules of decisions that a check consists of, by check."""

PASSING_CODES = frozenset({"stock"})
"""What may be true of some products without a fault in the offer: stock comes and goes."""


def _rule_checks(offer: Offer, tried: Tried) -> Iterator[Check]:
    is_picked = offer.companions is not None
    for code, rules in RULES.items():
        broken = [why for one, probe in tried if (why := eligibility.refusal(one, probe, rules)) is not None]
        # Of what the matrix picks, a decision strikes out the bad ones by itself; what a merchant names is meant.
        needs_all = is_picked and code not in PASSING_CODES
        is_blocking = needs_all or len(broken) == len(tried)
        yield _check(code, list(dict.fromkeys(map(_told, broken))), is_blocking=is_blocking)


def _told(why: Rejection) -> str:
    numbers = "".join(f", {name} {value}" for name, value in sorted(why.detail.items()))
    return f"product {why.product_id}: {why.code}{numbers}"


def _schedule(offer: Offer, facts: LaunchFacts) -> Check:
    ends_at = offer.terms.schedule.ends_at
    is_over = ends_at is not None and ends_at <= facts.shop.now
    return _check("schedule", [f"it ended at {ends_at.isoformat()}"] if ends_at is not None and is_over else [])


def _translations(offer: Offer, tried: Tried, facts: LaunchFacts) -> Check:
    missing: list[str] = []
    languages = tuple(dict.fromkeys(locale.replace("_", "-").split("-")[0].lower() for locale in facts.locales))
    reasons = dict.fromkeys(candidate.reason_code for candidate, _ in tried)
    for language in languages:
        headlines, why = HEADLINES.get(language, {}), WHY.get(language, {})
        missing += [f"{language}: headline {key}" for key in (offer.kind, AFTER_PURCHASE) if key not in headlines]
        missing += [f"{language}: reason {code}" for code in reasons if code not in why]
    if offer.terms.benefits and len(languages) > 1:
        missing.append(f"the lines are written in one language, the shop speaks {len(languages)}")
    return _check("translations", missing)


def _claims(offer: Offer) -> Check:
    is_reserved = bool(offer.terms.audience.stages)
    return _check("claims", list(benefit_problems(offer.terms.benefits, is_reserved=is_reserved)))


def _text_lengths(offer: Offer, tried: Tried, facts: LaunchFacts) -> Check:
    """A screen reader spells out lines in capitals letter by letter, so they count as too long as well."""
    reasons = list(dict.fromkeys(candidate.reason_code for candidate, _ in tried)) or ["picked_by_shop"]
    lines = offer.terms.benefits
    cards = [
        (locale, sum(map(len, (headline_of(offer.kind, placement, locale), reason_of(reason, locale), *lines))))
        for locale in facts.locales
        for placement in offer.placements
        for reason in reasons
    ]
    long = [
        f"{locale}: {length} characters of at most {LONGEST_CARD}" for locale, length in cards if length > LONGEST_CARD
    ]
    shouted = [f"{line[:30]!r} is written in capitals" for line in lines if len(line) > 3 and line.isupper()]
    return _check("text_lengths", list(dict.fromkeys(long)) + shouted)


def _holdout(facts: LaunchFacts) -> Check:
    """Advice: it is the operator's to set, and nothing a merchant can mend."""
    is_on = facts.shop.holdout_basis_points > 0
    return _check("holdout", [] if is_on else ["HOLDOUT_BASIS_POINTS is 0"], is_blocking=False)


def _stop_rule(facts: LaunchFacts) -> Check:
    wrong = []
    if facts.has_open_incident:
        wrong.append("the offer paused itself and nobody has said why it may go on")
    if facts.regret_limit >= NEVER_FIRES:
        wrong.append("so much is given back in this shop that nothing would stop the offer")
    return _check("stop_rule", wrong)


def _check(code: str, wrong: Sequence[str], *, is_blocking: bool = True) -> Check:
    told = "; ".join(wrong[:MOST_EXAMPLES])
    more = f"; and {len(wrong) - MOST_EXAMPLES} more" if len(wrong) > MOST_EXAMPLES else ""
    return Check(code, not wrong, told + more, is_blocking)
