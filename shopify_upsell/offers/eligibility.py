"""May this shopper see this candidate now: product, cart, wishes, currency, evidence, stock.

Pure. Each rule returns a `Rejection` or None; the first that fires ends the check. A rule is one function and one
entry in `RULES`. Stock is checked last: it is the rule that changes most often, so a merchant who reads
"out of stock" knows that every other rule passed.
"""

from collections.abc import Callable, Iterator, Sequence

from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.exploring import COLD_START, Exploration
from shopify_upsell.matrix.said import APART, LEARNED, PairWord
from shopify_upsell.offers.candidate import Candidate, CandidateItem, Rejection
from shopify_upsell.offers.health import is_poor
from shopify_upsell.offers.money_rules import FIRST_MONEY_RULES, LAST_MONEY_RULES
from shopify_upsell.offers.offer import BUNDLE, QUANTITY, SUBSCRIBE, UP_SELL
from shopify_upsell.offers.personal import PERSONAL_RULES
from shopify_upsell.offers.rejecting import reject
from shopify_upsell.offers.snapshot import CatalogProduct, Snapshot

Rule = Callable[[Candidate, Snapshot], Rejection | None]

LINE_KINDS = frozenset({QUANTITY, SUBSCRIBE})
"""Kinds that change the line in the cart: more pieces of it, or the same on a plan."""

SMALLEST_PAIR_COUNT = 2

NOT_EXPLORED = "not_explored"


def bundle_component_missing(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A bundle is at least two products, each with a variant."""
    if candidate.offer.kind != BUNDLE:
        return None
    if len(candidate.items) < 2:
        return reject(candidate, "bundle_component_missing", candidate.items[0])
    missing = (item for item in candidate.items if item.product_id not in snapshot.products or not item.variant_id)
    return _first(candidate, "bundle_component_missing", missing)


def product_not_active(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Only ACTIVE products. Shopify also has DRAFT, ARCHIVED and, since 2025, UNLISTED, which must not be found."""
    for item in candidate.items:
        product = snapshot.products.get(item.product_id)
        status = "unknown" if product is None else "deleted" if product.is_deleted else product.status.lower()
        if status != "active":
            return reject(candidate, "product_not_active", item, status=status)
    return None


def not_published(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A product page that does not exist cannot be linked to."""
    return _first(
        candidate, "not_published", (i for i, product in _known(candidate, snapshot) if not product.is_published)
    )


def gift_card(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Gift cards are money."""
    return _first(candidate, "gift_card", (i for i, product in _known(candidate, snapshot) if product.is_gift_card))


def needs_selling_plan(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Adding such a product without a plan fails at the cart."""
    known = _known(candidate, snapshot)
    bound = (item for item, product in known if product.requires_selling_plan and item.selling_plan_id is None)
    return _first(candidate, "needs_selling_plan", bound)


def is_anchor(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Nobody is offered what they look at, unless it is a part of the bundle or the thing to replace."""
    own = {candidate.anchor_product_id} if candidate.includes_anchor else set()
    anchors = set(snapshot.request.anchor_product_ids) - own
    return _first(candidate, "is_anchor", (item for item in candidate.items if item.product_id in anchors))


def already_in_cart(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Nothing is offered twice. An upgrade may share its product with the line it replaces, not its variant."""
    changes_line = candidate.replaces_variant_id is not None or candidate.offer.kind in LINE_KINDS
    replaced = {candidate.anchor_product_id} if changes_line else set()
    products = snapshot.cart_product_ids - replaced
    is_same_line = candidate.offer.kind in LINE_KINDS
    variants = set() if is_same_line else {line.variant_id for line in snapshot.request.cart}
    held = (item for item in candidate.items if item.product_id in products or item.variant_id in variants)
    return _first(candidate, "already_in_cart", held)


def replaces_nothing(candidate: Candidate, _snapshot: Snapshot) -> Rejection | None:
    """An upgrade without the smaller variant in the cart would add a product the shopper has not chosen."""
    is_upgrade = candidate.offer.kind == UP_SELL
    if not is_upgrade or candidate.replaces_variant_id is not None:
        return None
    return reject(candidate, "replaces_nothing", candidate.items[0])


def currency_not_supported(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """Prices are known in the shop's currency only, and a converted guess is not what will be charged."""
    asked = snapshot.request.currency
    if asked is not None and asked != snapshot.currency:
        return reject(candidate, "currency_not_supported", candidate.items[0], asked=asked)
    for item, product in _known(candidate, snapshot):
        variant = product.variant(item.variant_id)
        if variant is not None and variant.price.currency != snapshot.currency:
            return reject(candidate, "currency_not_supported", item, asked=variant.price.currency)
    return None


def negative_edge(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """What owners of an anchor turn away from is not put before them, whoever picked it. The merchant can lift it.

    Pairs that merely do not meet are no reason against a merchant's own pick.
    """
    beside = {*snapshot.request.anchor_product_ids, *snapshot.cart_product_ids, candidate.anchor_product_id}
    for edge in snapshot.negative_edges:
        item = next((one for one in candidate.items if one.product_id == edge.companion_product_id), None)
        is_picked = edge.reason == APART and candidate.offer.companions is not None
        if item is not None and edge.anchor_product_id in beside and not is_picked:
            return reject(candidate, "negative_edge", item, **_evidence_against(edge))
    return None


def weak_evidence(candidate: Candidate, _snapshot: Snapshot) -> Rejection | None:
    """Products that avoid each other, or met once, are not shown together, even if somebody picked them."""
    weak = next((pair for pair in candidate.evidence if _is_weak(pair)), None)
    if weak is None:
        return None
    item = next((one for one in candidate.items if one.product_id == weak.product_id), candidate.items[0])
    lift = round(weak.association_lift, 3)
    return reject(candidate, "weak_evidence", item, pair_count=weak.pair_count, association_lift=lift)


def unhealthy_product(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """What many send back, or rate badly, is neither offered nor a reason to offer: mend it first."""
    for product_id in (*(item.product_id for item in candidate.items), candidate.anchor_product_id):
        health = snapshot.health.get(product_id)
        if health is not None and is_poor(health, snapshot.health_limits):
            item = next((one for one in candidate.items if one.product_id == product_id), candidate.items[0])
            rate, rating = round(health.refund_rate, 4), health.rating or 0.0
            told = {"refund_rate": rate, "sold": health.sold, "rating": rating, "poor_product_id": product_id}
            return reject(candidate, "unhealthy_product", item, **told)
    return None


def requires_components(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """A variant made of components needs choices that one click cannot make."""
    return _first(candidate, "requires_components", _items_with(candidate, snapshot, "requires_components"))


def out_of_stock(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """What cannot be bought is not offered; a product without any variant cannot be bought either."""
    available = set(_items_with(candidate, snapshot, "is_available"))
    return _first(candidate, "out_of_stock", (item for item in candidate.items if item not in available))


def not_explored(candidate: Candidate, snapshot: Snapshot) -> Rejection | None:
    """What nobody knows to go together is tried on few shoppers, drawn by lot for the day, once all else allows it."""
    if candidate.reason_code != COLD_START:
        return None
    lot = snapshot.exploration or Exploration(is_allowed=False, propensity=0.0)
    return None if lot.is_allowed else reject(candidate, NOT_EXPLORED, candidate.items[0], propensity=lot.propensity)


FIRST_RULES: tuple[Rule, ...] = (
    bundle_component_missing,
    product_not_active,
    not_published,
    gift_card,
    needs_selling_plan,
    is_anchor,
    already_in_cart,
    replaces_nothing,
    currency_not_supported,
    *FIRST_MONEY_RULES,
    negative_edge,
    weak_evidence,
    unhealthy_product,
)
"""Asked before anything personal. They read the question and what is known of the shop, never who asks or when."""

LAST_RULES: tuple[Rule, ...] = (
    requires_components,
    *LAST_MONEY_RULES,
    out_of_stock,
    not_explored,
)
"""As the first, asked last: a merchant who reads "out of stock" knows that every other rule passed.

The lot is the only thing of these that is a person's, and comes after everything, so that whom it refused is counted as
somebody who could have been shown the card.
"""

RULES = (*FIRST_RULES, *PERSONAL_RULES, *LAST_RULES)


def refusal(candidate: Candidate, snapshot: Snapshot, rules: Sequence[Rule] = RULES) -> Rejection | None:
    """The first of the rules that the candidate breaks, or None when it breaks none."""
    for rule in rules:
        rejection = rule(candidate, snapshot)
        if rejection is not None:
            return rejection
    return None


def _first(candidate: Candidate, code: str, items: Iterator[CandidateItem]) -> Rejection | None:
    item = next(items, None)
    return reject(candidate, code, item) if item is not None else None


def _known(candidate: Candidate, snapshot: Snapshot) -> Iterator[tuple[CandidateItem, CatalogProduct]]:
    for item in candidate.items:
        if item.product_id in snapshot.products:
            yield item, snapshot.products[item.product_id]


def _items_with(candidate: Candidate, snapshot: Snapshot, claim: str) -> Iterator[CandidateItem]:
    """Items whose variant is known and of which the claim (a boolean attribute) holds."""
    for item, product in _known(candidate, snapshot):
        variant = product.variant(item.variant_id)
        if variant is not None and getattr(variant, claim):
            yield item


def _evidence_against(edge: PairWord) -> dict[str, str | int | float]:
    said: dict[str, str | int | float] = {
        "anchor_product_id": edge.anchor_product_id,
        "source": edge.source,
        "reason": edge.reason,
    }
    if edge.review_at is not None:
        said["review_at"] = edge.review_at.isoformat()
    if edge.source == LEARNED:
        said |= {"observed": edge.observed, "expected": edge.expected, "upper_bound": edge.upper_bound, "n": edge.n}
    return said


def _is_weak(pair: Companion) -> bool:
    return pair.pair_count < SMALLEST_PAIR_COUNT or pair.association_lift <= 1
