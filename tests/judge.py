"""A second, slow reading of every promise: may this card be shown? It calls none of the rules that it judges.

Written from the product's words: what is read from the package is data only (the registry of signals, the shapes of
snapshots and offers). Each check yields a sentence when it finds a promise broken.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shopify_upsell.customers.signals import SIGNALS
from shopify_upsell.offers.candidate import ChosenOffer
from shopify_upsell.offers.snapshot import Snapshot

DAY = timedelta(days=1)
SESSION_PAUSE = timedelta(minutes=30)
STOREFRONT, PAID = ("theme", "checkout"), ("post_purchase", "thank_you")
FIXED_SETS = ("cross_sell", "bundle", "gift", "free_shipping")
ARRIVED = ("delivered", "delivered_on_time", "delivered_late", "order_cancelled")


@dataclass
class Diary:
    """Every card that one shopper was shown: when, and of which offer."""

    cards: list[tuple[datetime, int]] = field(default_factory=list)

    def write(self, moment: datetime, offers: Iterable[ChosenOffer]) -> None:
        """Note the cards of one answer."""
        self.cards.extend((moment, offer.offer_id) for offer in offers)

    def within(self, moment: datetime, length: timedelta, offer_id: int | None = None) -> int:
        """Cards shown in the time that ends now."""
        return sum(1 for at, offer in self.cards if moment - length < at and offer_id in (None, offer))

    def in_session(self, moment: datetime) -> int:
        """Cards since the last pause of half an hour."""
        count, later = 0, moment
        for at, _ in reversed(self.cards):
            if later - at >= SESSION_PAUSE:
                break
            count, later = count + 1, at
        return count


def broken_promises(snapshot: Snapshot, cards: tuple[ChosenOffer, ...], *, is_quiet: bool) -> Iterator[str]:
    """What is wrong with showing these cards now."""
    if not cards:
        return
    if is_quiet:
        yield "a quiet page"
    if snapshot.preference == "none":
        yield "wants none"
    if len(cards) > min(snapshot.request.limit, 1 if snapshot.preference == "fewer" else 6):
        yield "more cards than wanted"
    if snapshot.request.currency not in (None, "USD"):
        yield "a currency without prices"
    yield from _troubles(snapshot)
    for card in cards:
        for check in (_wishes, _products, _pairs, _moments, _people, _money):
            yield from check(snapshot, card)


def overspent(snapshot: Snapshot, diary: Diary, cards: Iterable[ChosenOffer]) -> Iterator[str]:
    """Which caps are exceeded once these cards are in the diary."""
    now = snapshot.now
    cap = {name: _divided(getattr(snapshot.caps, name), snapshot) for name in ("session", "day", "month")}
    counts = {"session": diary.in_session(now), "day": diary.within(now, DAY), "month": diary.within(now, 30 * DAY)}
    yield from (name for name in counts if counts[name] > cap[name])
    for card in cards:
        own = (
            _divided(snapshot.caps.offer_day, snapshot, card.offer_id),
            _divided(snapshot.caps.offer_month, snapshot, card.offer_id),
        )
        if diary.within(now, DAY, card.offer_id) > own[0] or diary.within(now, 30 * DAY, card.offer_id) > own[1]:
            yield f"offer {card.offer_id} too often"


def _divided(cap: int, snapshot: Snapshot, offer_id: int | None = None) -> int:
    divisor = 3 if snapshot.preference == "fewer" else 1
    for whom in {0, offer_id or 0}:
        divisor *= 2 ** max([one.level for one in snapshot.throttles if one.offer_id == whom], default=0)
    return -(-cap // divisor)


def cool_offs(snapshot: Snapshot) -> Iterator[tuple[str, datetime, datetime]]:
    """Times in which trouble forbids every offer, read from the registry: kind, begin, end."""
    told = [one for one in snapshot.shopper.signals if one.occurred_at <= snapshot.now]
    for signal in told:
        kind = SIGNALS[signal.kind]
        after = [one for one in told if _ends(one, signal)]
        if kind.opens is not None and not any(signal.kind in SIGNALS[one.kind].closes for one in after):
            length = kind.opens.stale_after or timedelta(days=100_000)
            yield kind.opens.gate, signal.occurred_at, signal.occurred_at + length
        effect = _effect(signal)
        if effect is not None and effect.cool_off and not any(effect.says in _frees(one) for one in after):
            yield effect.says, signal.occurred_at, signal.occurred_at + effect.cool_off


def _effect(signal: Any) -> Any:
    effects = SIGNALS[signal.kind].effects
    if len(effects) == 1:
        return effects[0]
    fitting = [one for number, one in enumerate(effects) if number == 0 or signal.value >= one.least]
    return fitting[-1]


def _frees(signal: Any) -> frozenset[str]:
    effect = _effect(signal)
    return effect.ends if effect is not None else frozenset()


def _ends(end: Any, beginning: Any) -> bool:
    reach = SIGNALS[end.kind].matches
    if reach == "person":
        return bool(end.occurred_at > beginning.occurred_at)
    is_after = end.occurred_at >= beginning.occurred_at
    if reach == "order":
        return bool(is_after and end.order_id is not None and end.order_id == beginning.order_id)
    return bool(is_after and (end.source, end.external_id) == (beginning.source, beginning.external_id))


def _troubles(snapshot: Snapshot) -> Iterator[str]:
    for gate, begins, ends in cool_offs(snapshot):
        if begins <= snapshot.now < ends:
            yield f"inside {gate}"
    if _is_later(snapshot) and _under_way(snapshot):
        yield "a parcel is under way"


def _under_way(snapshot: Snapshot) -> bool:
    told = [one for one in snapshot.shopper.signals if one.occurred_at <= snapshot.now]
    for order in (one for one in told if one.kind == "order_placed"):
        of_order = [one for one in told if one.order_id == order.order_id]
        if any(one.kind in ARRIVED for one in of_order):
            continue
        promised = [one for one in of_order if one.kind == "delivery_estimated"]
        sent = [one.occurred_at for one in of_order if one.kind == "shipped"]
        due = order.occurred_at + 10 * DAY
        if promised:
            last = max(promised, key=lambda one: (one.occurred_at, one.external_id))
            due = datetime.fromtimestamp(last.value or 0, UTC)
        elif sent:
            due = max(sent) + 7 * DAY
        if snapshot.now < due:
            return True
    return False


def _is_later(snapshot: Snapshot) -> bool:
    return snapshot.request.surface not in (*STOREFRONT, *PAID)


def _wishes(snapshot: Snapshot, card: ChosenOffer) -> Iterator[str]:
    anchors = {0, *snapshot.request.anchor_product_ids, *_anchor_of(snapshot, card)}
    for item in card.items:
        for wish in snapshot.suppressions:
            if wish.product_id in (0, item.product_id) and snapshot.now < wish.until:
                yield f"{wish.reason} product {item.product_id}"
        for one in snapshot.dismissals:
            is_meant = one.scope.offer_id in (0, card.offer_id) and one.scope.product_id in (0, item.product_id)
            if is_meant and one.scope.anchor_product_id in anchors and snapshot.now < one.until:
                yield f"dismissed {one.scope}"
    if snapshot.preference == "restock_only" and card.kind != "replenish":
        yield "wants to hear of restock only"


def _products(snapshot: Snapshot, card: ChosenOffer) -> Iterator[str]:
    in_cart = {line.product_id for line in snapshot.request.cart} - set(_anchor_of(snapshot, card))
    for item in card.items:
        product = snapshot.products[item.product_id]
        if not _is_on_sale(product, item):
            yield f"product {item.product_id} is not on sale, or not for one click"
        if not _is_in_stock(product, item):
            yield f"product {item.product_id} is out of stock"
        if item.product_id in in_cart:
            yield f"product {item.product_id} is in the cart"
        if item.product_id in snapshot.owned and card.kind in FIXED_SETS:
            yield from _still_has(snapshot, card, item.product_id)
    for product_id in {*(item.product_id for item in card.items), *_anchor_of(snapshot, card)}:
        if _fares_badly(snapshot.health.get(product_id)):
            yield f"product {product_id} should be mended first"


def _is_on_sale(product: Any, item: Any) -> bool:
    variant = next(one for one in product.variants if one.variant_id == item.variant_id)
    is_listed = product.status.upper() == "ACTIVE" and product.is_published and not product.is_deleted
    needs_plan = product.requires_selling_plan and item.selling_plan_id is None
    is_plain = not (product.is_gift_card or needs_plan or variant.requires_components)
    return bool(is_listed and is_plain)


def _is_in_stock(product: Any, item: Any) -> bool:
    variant = next(one for one in product.variants if one.variant_id == item.variant_id)
    is_counted = variant.quantity not in (None, 0) and variant.inventory_policy == "deny"
    return bool(variant.is_available and (not is_counted or variant.quantity >= item.quantity))


def _fares_badly(fares: Any) -> bool:
    if fares is None:
        return False
    is_sent_back = fares.sold >= 20 and fares.refunded / fares.sold > 0.15
    return is_sent_back or (fares.rating is not None and fares.rating_count >= 5 and fares.rating < 3)


def _still_has(snapshot: Snapshot, card: ChosenOffer, product_id: Any) -> Iterator[str]:
    if card.kind == "bundle" and product_id in _anchor_of(snapshot, card):
        return
    owned, lasts = snapshot.owned[product_id], snapshot.products[product_id].supply_days
    if lasts is None or snapshot.now < owned.delivered_at + 0.8 * lasts * owned.quantity_last * DAY:
        yield f"product {product_id} is owned"


def _anchor_of(snapshot: Snapshot, card: ChosenOffer) -> tuple[int, ...]:
    """What the card goes with: as its evidence says, or its own product, or the offer's first anchor."""
    if card.evidence:
        return (int(card.evidence["anchor_product_id"]),)
    if card.kind in ("up_sell", "quantity", "replenish", "subscribe", "bundle"):
        return (card.items[0].product_id,)
    offer = _offer_of(snapshot, card)
    return tuple(one for one in snapshot.request.anchor_product_ids if offer.anchors is None or one in offer.anchors)[
        :1
    ]


def _offer_of(snapshot: Snapshot, card: ChosenOffer) -> Any:
    return next(one for one in snapshot.offers if one.offer_id == card.offer_id)


def _pairs(snapshot: Snapshot, card: ChosenOffer) -> Iterator[str]:
    request, offer = snapshot.request, _offer_of(snapshot, card)
    beside = {*request.anchor_product_ids, *(line.product_id for line in request.cart), *_anchor_of(snapshot, card)}
    related = {one.product_id for anchor in request.anchor_product_ids for one in snapshot.companions.get(anchor, ())}
    related |= {*(offer.companions or ()), *request.anchor_product_ids, *snapshot.owned}
    for item in card.items:
        if item.product_id not in related:
            yield f"product {item.product_id} has nothing to do with what is there"
        for edge in snapshot.negative_edges:
            is_pick = edge.reason == "apart" and offer.companions is not None
            if edge.companion_product_id == item.product_id and edge.anchor_product_id in beside and not is_pick:
                yield f"never {item.product_id} beside {edge.anchor_product_id}"
    if card.evidence and (card.evidence["pair_count"] < 2 or card.evidence["association_lift"] <= 1):
        yield "no more than chance"


def _moments(snapshot: Snapshot, card: ChosenOffer) -> Iterator[str]:
    offer, anchors = _offer_of(snapshot, card), _anchor_of(snapshot, card)
    for item in card.items:
        if not anchors or item.product_id == anchors[0]:
            continue
        pair = (anchors[0], item.product_id)
        word = next((one for one in snapshot.timing if (one.anchor_product_id, one.companion_product_id) == pair), None)
        window, silent = (word.window, word.blocked) if word is not None else (None, ())
        source = word.source if word is not None else ""
        if offer.terms.window_days is not None:
            window, silent, source = offer.terms.window_days, (), "merchant"
        if _is_later(snapshot):
            yield from _waited(snapshot, anchors[0], window, silent)
        elif any(first <= 0 <= last for first, last in silent):
            yield f"{pair} is silent on the day of the purchase"
        elif window is not None and window[0] > 0 and source == "merchant":
            yield f"{pair} is for later, says the merchant"


def _waited(snapshot: Snapshot, anchor: Any, window: Any, silent: Any) -> Iterator[str]:
    if anchor not in snapshot.owned or (window is None and not silent):
        return
    day = (snapshot.now - snapshot.owned[anchor].delivered_at) // DAY
    if day < 0 or (window is not None and not window[0] <= day <= window[1]):
        yield f"day {day} is outside {window}"
    if any(first <= day <= last for first, last in silent):
        yield f"day {day} is silent"


def _people(snapshot: Snapshot, card: ChosenOffer) -> Iterator[str]:
    terms, shopper, asked = _offer_of(snapshot, card).terms, snapshot.shopper, snapshot.request
    begins, ends = terms.schedule.starts_at, terms.schedule.ends_at
    if (begins is not None and snapshot.now < begins) or (ends is not None and ends <= snapshot.now):
        yield "outside the schedule"
    hours, own = terms.schedule.lasts_hours, [h for h, offer, _ in snapshot.courtesy.shown if offer == card.offer_id]
    if hours is not None and own and snapshot.now.timestamp() >= (min(own) + hours) * 3600:
        yield "after the shopper's own time"
    if hours is not None and asked.customer_id is None and not asked.visitor_id:
        yield "a deadline nobody can keep"
    takings = [one for one in shopper.signals if (one.kind, one.reason) == ("offer_accepted", f"offer:{card.offer_id}")]
    if terms.max_per_customer is not None and len(takings) >= terms.max_per_customer:
        yield "taken too often"
    meant = terms.audience
    wanted = [(meant.stages, shopper.stage), (meant.markets, asked.market), (meant.countries, asked.country)]
    wanted += [((one.value,), shopper.attributes.get(one.name)) for one in meant.attributes]
    wanted += [((meant.b2b == "only",), asked.is_b2b)] if meant.b2b != "any" else []
    if any(allowed and value not in allowed for allowed, value in wanted):
        yield "meant for others"
    if asked.surface == "email" and shopper.marketing_consent is not True:
        yield "an e-mail without consent"
    if _is_later(snapshot) and terms.needs_positive_signal and not any(map(_is_good(snapshot), shopper.signals)):
        yield "out of nowhere"


def _is_good(snapshot: Snapshot) -> Any:
    def is_good(signal: Any) -> bool:
        effect, age = _effect(signal), snapshot.now - signal.occurred_at
        return bool(effect is not None and effect.is_satisfaction and timedelta(0) <= age < effect.half_life)

    return is_good


def _money(snapshot: Snapshot, card: ChosenOffer) -> Iterator[str]:
    """The floor, without rounding, with five minor units to spare. Plans and discounts have tests of their own."""
    if snapshot.discounts or card.kind in ("subscribe", "gift", "free_shipping"):
        return
    costs, floor = snapshot.costs, _offer_of(snapshot, card).terms.floor
    goods, came_back, pieces = 0.0, [], 0
    for item in card.items:
        product = snapshot.products[item.product_id]
        goods += item.quantity * _cost(product, item.variant_id, costs)
        came_back.append(_returned(snapshot, product))
        pieces += item.quantity
    paid = float(card.total.minor_units)
    if card.replaces_variant_id is not None:
        product = snapshot.products[card.items[0].product_id]
        paid -= card.replaced_unit_minor_units * card.replaced_quantity
        goods -= card.replaced_quantity * _cost(product, card.replaces_variant_id, costs)
    fee = paid * costs.fee_basis_points / 10_000
    fee += costs.fee_minor_units if snapshot.request.surface == "post_purchase" or not snapshot.request.cart else 0
    rate = max(came_back)
    lost = rate * (paid - goods) + rate * (goods * costs.goods_lost_basis_points / 10_000 + costs.handling_minor_units)
    left = paid - goods - fee - lost - paid * costs.app_basis_points / 10_000
    least = [floor.minor_units, *([paid * floor.basis_points / 10_000] if floor.basis_points else [])]
    if left < max(least) - 5:
        yield f"leaves {left:.0f} where {floor} is the floor"


def _cost(product: Any, variant_id: Any, costs: Any) -> float:
    variant = next(one for one in product.variants if one.variant_id == variant_id)
    known = variant.unit_cost_minor_units
    return float(variant.price.minor_units * costs.goods_basis_points / 10_000 if known is None else known)


def _returned(snapshot: Snapshot, product: Any) -> float:
    if product.refund_rate is not None:
        return float(product.refund_rate)
    fares = snapshot.health.get(product.product_id)
    return fares.refunded / fares.sold if fares else snapshot.costs.refund_basis_points / 10_000
