"""Turn a decision into the JSON that extensions draw. Rules stay on the server: an extension draws what this says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.attribution.token import OfferClaim, write_token
from shopify_upsell.core import gid
from shopify_upsell.keyring import SigningKey
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import ChosenOffer, Decision, OfferItem
from shopify_upsell.offers.claims import saving_of
from shopify_upsell.offers.offer import UP_SELL
from shopify_upsell.offers.shelf import Shelf
from shopify_upsell.offers.texts import fact_of, greeting_of, headline_of, reason_of

TOKEN_LIFE = timedelta(days=30)
"""How long an added line may wait in a cart before the order and still be credited."""

NAMED_SURFACE = "theme"
"""The one surface whose page knows the customer's first name without us."""


class OfferRenderer:
    """Writes the chosen offers of one decision in one language, each item with its signed token."""

    def __init__(self, decision: Decision, *, locale: str, key: SigningKey, new_nonce: Callable[[], str]) -> None:
        self._decision, self._locale, self._key, self._new_nonce = decision, locale, key, new_nonce

    def offers(self) -> list[dict[str, object]]:
        """The offers of the decision; none for the holdout."""
        if self._decision.is_holdout:
            return []
        return [self._offer(offer) for offer in self._decision.chosen]

    def _offer(self, offer: ChosenOffer) -> dict[str, object]:
        card = self._card(offer)
        items = [
            {**drawn, "token": write_token(self._claim(offer, item), self._key)}
            for drawn, item in zip(card.items, offer.items, strict=True)
        ]
        own = {"why": {**card.why, "fact": self._fact(offer)}, "greeting": self._greeting(), "items": items}
        return {**card.fields, **own}

    def _card(self, offer: ChosenOffer) -> "_Card":
        """What is the same for all who see the offer: written once while the shop is remembered."""
        place, locale, shelf = self._decision.placement, self._locale, self._decision.shelf
        if not isinstance(shelf, Shelf):
            return _drawn(offer, place, locale)
        known = shelf.notes.get((id(offer), place, locale))
        if isinstance(known, _Card) and known.offer is offer:
            return known
        card = _drawn(offer, place, locale)
        shelf.note((id(offer), place, locale), card)
        return card

    def _fact(self, offer: ChosenOffer) -> str | None:
        """What the shopper's own orders say of the one product offered; nothing without their consent."""
        inputs = self._decision.inputs
        owned = inputs.owned.get(offer.items[0].product_id) if len(offer.items) == 1 else None
        # A larger size is the same product, but not the one that was bought.
        if owned is None or offer.kind == UP_SELL or not inputs.shopper.may_personalise:
            return None
        return fact_of(owned.order_count, self._locale)

    def _greeting(self) -> dict[str, str] | None:
        """A form of address to be filled in the browser. Only the theme knows a name."""
        inputs = self._decision.inputs
        may_greet = inputs.shopper.is_known and inputs.shopper.may_personalise
        return greeting_of(self._locale) if may_greet and inputs.request.surface == NAMED_SURFACE else None

    def _claim(self, offer: ChosenOffer, item: OfferItem) -> OfferClaim:
        decided_at: datetime = self._decision.decided_at
        return OfferClaim(
            shop_id=self._decision.shop_id,
            decision_id=self._decision.decision_id,
            offer_id=offer.offer_id,
            variant_id=item.variant_id,
            max_quantity=item.quantity,
            expires_at=decided_at + TOKEN_LIFE,
            nonce=self._new_nonce(),
            book=offer.kind,
            placement=self._decision.placement,
            replaced_unit_minor_units=offer.replaced_unit_minor_units or None,
        )


@dataclass(frozen=True, slots=True)
class _Card:
    """An offer as everybody sees it, without tokens and without what is told of the shopper. `offer`: what it shows."""

    offer: ChosenOffer
    fields: dict[str, object]
    why: dict[str, str | None]
    items: tuple[dict[str, object], ...]


def _drawn(offer: ChosenOffer, placement: str, locale: str) -> _Card:
    saving = _saving(offer)
    share = offer.discount_basis_points if saving is not None else 0
    fields: dict[str, object] = {
        "offer_id": str(offer.offer_id),
        "kind": offer.kind,
        "headline": headline_of(offer.kind, placement, locale, offer.reason_code),
        "benefits": list(offer.benefits),
        "total": money_json(offer.total),
        "original_total": money_json(offer.original_total) if saving is not None else None,
        "saving": money_json(saving) if saving is not None else None,
        "discount": {"basis_points": share} if share else None,
        "replaces": _replaced(offer),
    }
    why: dict[str, str | None] = {"code": offer.reason_code, "text": reason_of(offer.reason_code, locale)}
    return _Card(offer, fields, why, tuple(map(_item, offer.items)))


def _item(item: OfferItem) -> dict[str, object]:
    plan = item.selling_plan_id
    list_price = item.list_price if plan is None else None
    is_lowered = list_price is not None and list_price.minor_units > item.price.minor_units
    return {
        "product_id": gid("Product", item.product_id),
        "variant_id": gid("ProductVariant", item.variant_id),
        "title": item.title,
        "variant_title": item.variant_title,
        "url": f"/products/{item.handle}",
        "image": {"url": item.image_url, "alt": item.title} if item.image_url else None,
        "quantity": item.quantity,
        "price": money_json(item.price),
        "original_price": money_json(list_price) if list_price is not None and is_lowered else None,
        "selling_plan_id": gid("SellingPlan", plan) if plan is not None else None,
    }


def money_json(money: Money) -> dict[str, object]:
    """Money at a JSON border: minor units, with the currency's own number of digits."""
    return {"minor_units": money.minor_units, "currency": money.currency}


def _saving(offer: ChosenOffer) -> Money | None:
    """What is saved, exactly. A plan's price is for other deliveries than one piece's, so it saves nothing here.

    Eligibility shows a lowered price only where it is what Shopify charges; anything else is shown at its list price.
    """
    has_plan = any(item.selling_plan_id is not None for item in offer.items)
    return None if has_plan else saving_of(offer.original_total, offer.total)


def _replaced(offer: ChosenOffer) -> dict[str, object] | None:
    """What makes way in the cart, and how many pieces of it."""
    if offer.replaces_variant_id is None:
        return None
    return {"variant_id": gid("ProductVariant", offer.replaces_variant_id), "quantity": offer.replaced_quantity}
