"""The token verifiers with our keys filled in, and who forges for which."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from builders_proofs import (
    API_KEY,
    SECRET,
    SECRETS,
    SIGNED_AT,
    admin_id_token,
    extension_token,
    post_purchase_token,
)

from shopify_upsell.gateway.verify import (
    AdminProof,
    ExtensionProof,
    PostPurchaseProof,
    sign_changeset,
    verify_admin_token,
    verify_extension_token,
    verify_post_purchase_token,
)


def clock() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


def verify_admin(token: str, now: datetime | None = None, secrets: tuple[str, ...] = SECRETS) -> AdminProof:
    """Verify as the admin edge does, by the machine's clock unless told otherwise."""
    return verify_admin_token(token, api_key=API_KEY, secrets=secrets, now=now or clock())


def verify_extension(token: str, now: datetime = SIGNED_AT, secrets: tuple[str, ...] = SECRETS) -> ExtensionProof:
    """Verify as an extension edge does, at the moment of signing unless told otherwise."""
    return verify_extension_token(token, api_key=API_KEY, secrets=secrets, now=now)


def verify_purchase(token: str, now: datetime = SIGNED_AT, secrets: tuple[str, ...] = SECRETS) -> PostPurchaseProof:
    """Verify as the post-purchase edge does, at the moment of signing unless told otherwise."""
    return verify_post_purchase_token(token, secrets=secrets, now=now)


VERIFIERS: dict[str, Callable[..., Any]] = {
    "admin": verify_admin,
    "extension": verify_extension,
    "post_purchase": verify_purchase,
}


FORGERS: dict[str, Callable[..., str]] = {
    "admin": admin_id_token,
    "extension": extension_token,
    "post_purchase": post_purchase_token,
}


def a_changeset() -> str:
    """A changeset that we signed ourselves."""
    return sign_changeset(
        api_key=API_KEY,
        secret=SECRET,
        reference_id="ref-1",
        changeset_id="c-1",
        changes=[{"type": "add_variant", "variantId": 11, "quantity": 1}],
        now=SIGNED_AT,
    )
