"""Signed links in e-mails: whoever follows one clicked the offer that the e-mail made. Pure.

A link carries the same claim as an offer token, signed with a key of another purpose, so that neither serves as the
other. The click is a touch of the channel `email`; it credits nothing by itself.
"""

from collections.abc import Sequence
from datetime import datetime

from shopify_upsell.attribution.token import OfferClaim, TokenRefusal, read_token, write_token
from shopify_upsell.attribution.touches import EMAIL, Touch, channel_of
from shopify_upsell.core import InvalidInput, ProductId, ProofRefused, ShopId
from shopify_upsell.keyring import SigningKey

EMAIL_LINK_PURPOSE = "email_link"

PARAMETER = "wp_click"
"""The query parameter of a link that holds its token."""


def write_email_token(claim: OfferClaim, key: SigningKey) -> str:
    """Sign the claim of one link. Raises: InvalidInput when its placement is no e-mail's."""
    if channel_of(claim.placement) != EMAIL:
        raise InvalidInput("a link in an e-mail has a placement email/...")
    return write_token(claim, key)


def read_email_click(text: str, keys: Sequence[SigningKey], *, shop_id: ShopId, now: datetime) -> OfferClaim:
    """Read whose offer was clicked. Raises: ProofRefused for a link that is forged, another shop's, or expired."""
    claim = read_token(text, keys, shop_id=shop_id)
    if isinstance(claim, TokenRefusal) or channel_of(claim.placement) != EMAIL or now >= claim.expires_at:
        raise ProofRefused("this link is not valid")
    return claim


def email_click(
    claim: OfferClaim, *, now: datetime, unit: str | None = None, product_ids: tuple[ProductId, ...] = ()
) -> Touch:
    """The touch of a click. `unit` and `product_ids`: of the decision that the e-mail was sent by."""
    return Touch(
        decision_id=claim.decision_id,
        offer_id=claim.offer_id,
        variant_id=claim.variant_id,
        kind="click",
        placement=claim.placement,
        occurred_at=now,
        unit=unit,
        book=claim.book,
        product_ids=product_ids,
    )
