"""Turn a decision into the JSON that extensions draw. Rules stay on the server: an extension draws what this says."""

from collections.abc import Callable
from datetime import datetime, timedelta

from shopify_upsell.attribution.token import OfferClaim, write_token
from shopify_upsell.core import gid
from shopify_upsell.keyring import SigningKey
from shopify_upsell.money import Money
from shopify_upsell.offers.candidate import ChosenOffer, Decision, OfferItem
from shopify_upsell.offers.texts import headline_of, reason_of

TOKEN_LIFE = timedelta(days=30)
"""How long an added line may wait in a cart before the order and still be credited."""


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
        return {
            "offer_id": str(offer.offer_id),
            "kind": offer.kind,
            "headline": headline_of(offer.kind, self._decision.placement, self._locale),
            "why": {"code": offer.reason_code, "text": reason_of(offer.reason_code, self._locale)},
            "total": money_json(offer.total),
            "items": [self._item(offer, item) for item in offer.items],
            "replaces": _replaced(offer),
        }

    def _item(self, offer: ChosenOffer, item: OfferItem) -> dict[str, object]:
        return {
            "product_id": gid("Product", item.product_id),
            "variant_id": gid("ProductVariant", item.variant_id),
            "title": item.title,
            "variant_title": item.variant_title,
            "url": f"/products/{item.handle}",
            "image": {"url": item.image_url, "alt": item.title} if item.image_url else None,
            "quantity": item.quantity,
            "price": money_json(item.price),
            "token": write_token(self._claim(offer, item), self._key),
        }

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


def money_json(money: Money) -> dict[str, object]:
    """Money at a JSON border: minor units, with the currency's own number of digits."""
    return {"minor_units": money.minor_units, "currency": money.currency}


def _replaced(offer: ChosenOffer) -> dict[str, str] | None:
    if offer.replaces_variant_id is None:
        return None
    return {"variant_id": gid("ProductVariant", offer.replaces_variant_id)}
