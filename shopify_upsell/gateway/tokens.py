"""Get an expiring offline token for a shop, and exchange it for a new one before it runs out.

Source: shopify.dev, "Token exchange" and "Offline access tokens" (read 2026-11-22). Access lasts an hour, the refresh
token 90 days. The one used stays good until its replacement is first used, so a lost answer can be asked for again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from shopify_upsell.core import ProofRefused, UpsellError
from shopify_upsell.gateway.failures import NeedsReauthorization, ShopifyUnreachable, ShopUnavailable
from shopify_upsell.gateway.http_call import RETRY_AFTER, HttpAnswer, Limits, new_session, post
from shopify_upsell.gateway.throttle import wait_told

GRANT_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 a type, not a token
OFFLINE_TOKEN = "urn:shopify:params:oauth:token-type:offline-access-token"  # noqa: S105 a type, not a token
MOST_BYTES = 64 * 1024
LONGEST_LIFE = timedelta(days=400).total_seconds()


class TokenRequestRefused(UpsellError):
    """Shopify does not know this app, or not this secret: a person must look."""

    code = "token_request_refused"


@dataclass(frozen=True, slots=True)
class OfflineToken:
    """Access to one shop, and the means to renew it."""

    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenClient:
    """Speaks to a shop's token endpoint as this app."""

    api_key: str
    secrets: tuple[str, ...] = field(repr=False)
    origin_for: Callable[[str], str]
    limits: Limits = field(default_factory=lambda: Limits(most_bytes=MOST_BYTES))

    def exchange(self, shop_domain: str, id_token: str, now: datetime) -> OfflineToken:
        """Turn a verified ID token into an offline token. It retires the refresh token that was held before.

        Raises: ProofRefused when Shopify refuses the ID token; what `_ask` raises.
        """
        form = {
            "grant_type": GRANT_EXCHANGE,
            "subject_token": id_token,
            "subject_token_type": ID_TOKEN,
            "requested_token_type": OFFLINE_TOKEN,
            "expiring": "1",  # the API's own default is a token that never expires, which Shopify then refuses
        }
        return self._ask(shop_domain, form, now)

    def refresh(self, shop_domain: str, refresh_token: str, now: datetime) -> OfflineToken:
        """Turn a refresh token into a new pair.

        Raises: NeedsReauthorization when the refresh token is dead; what `_ask` raises.
        """
        return self._ask(shop_domain, {"grant_type": "refresh_token", "refresh_token": refresh_token}, now)

    def _ask(self, shop_domain: str, form: Mapping[str, str], now: datetime) -> OfflineToken:
        """Post the form. Raises: ShopifyUnreachable (try later); ShopUnavailable; TokenRequestRefused."""
        url = f"{self.origin_for(shop_domain)}/admin/oauth/access_token"
        body = urlencode({"client_id": self.api_key, "client_secret": self.secrets[0], **form}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        with new_session() as session:
            answer = post(session, url, headers=headers, body=body, limits=self.limits)
        if answer.status == 200:
            return _read_token(_json_object(answer), now)
        raise _failure(answer)


def _failure(answer: HttpAnswer) -> UpsellError:
    status = answer.status
    if status == 429:
        return ShopifyUnreachable("too many token requests", after=wait_told(None, answer.headers.get("Retry-After")))
    if not 400 <= status < 500:
        return ShopifyUnreachable(f"the token endpoint answers {status}", after=RETRY_AFTER)
    try:
        code = _json_object(answer).get("error")
    except ShopifyUnreachable:
        code = None
    if code == "invalid_subject_token":
        return ProofRefused("the ID token was refused", code="invalid_subject_token")
    if code == "invalid_grant":
        return NeedsReauthorization()
    if status in (402, 403, 404, 423):
        return ShopUnavailable(f"the token endpoint answers {status}", http_status=status)
    known = code if code in ("invalid_client", "invalid_request", "unsupported_grant_type") else "token_request_refused"
    return TokenRequestRefused(f"the token endpoint answers {status}", code=str(known))


def _read_token(document: Mapping[str, Any], now: datetime) -> OfflineToken:
    access, refresh, scope = (document.get(name) for name in ("access_token", "refresh_token", "scope"))
    if not (isinstance(access, str) and access and isinstance(refresh, str) and refresh and isinstance(scope, str)):
        # A token that never expires has no refresh token: we asked for an expiring one, and store nothing else.
        raise ShopifyUnreachable("the answer holds no expiring token", after=RETRY_AFTER)
    return OfflineToken(
        access_token=access,
        access_expires_at=now + _life(document.get("expires_in")),
        refresh_token=refresh,
        refresh_expires_at=now + _life(document.get("refresh_token_expires_in")),
        scopes=tuple(sorted({part.strip() for part in scope.split(",") if part.strip()})),
    )


def _life(seconds: object) -> timedelta:
    if type(seconds) is not int or not 0 < seconds <= LONGEST_LIFE:
        raise ShopifyUnreachable("the answer holds no expiry", after=RETRY_AFTER)
    return timedelta(seconds=seconds)


def _json_object(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ShopifyUnreachable("the token endpoint's answer is malformed", after=RETRY_AFTER)
    return document
