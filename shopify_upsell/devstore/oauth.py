"""The token endpoint: token exchange for an expiring offline token, and refresh with rotation.

Since 2026-08-28 a used refresh token may be replayed until its replacement is first used: a refresh whose answer was
lost can be tried again. Source: platform notes §1.2 and §1.3.
"""

import secrets
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shopify_upsell.devstore.config import DevstoreConfig
from shopify_upsell.devstore.shop import DevShop

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a name of a kind of token
OFFLINE = "urn:shopify:params:oauth:token-type:offline-access-token"
REPLAY_WINDOW = timedelta(days=30)
LEEWAY_SECONDS = 10


class GrantRefused(Exception):
    """A refusal of the token endpoint with its OAuth error word."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(slots=True)
class _RefreshToken:
    """One refresh token of the chain. `replaced_by` is set once it was used."""

    text: str
    expires_at: datetime
    first_used_at: datetime | None = None
    replaced_by: str | None = None
    is_dead: bool = False


class TokenDesk:
    """Access and refresh tokens of one app on one shop."""

    def __init__(self, config: DevstoreConfig) -> None:
        self.config = config
        self.lock = threading.Lock()
        self.access: dict[str, datetime | None] = {}
        self._refresh: dict[str, _RefreshToken] = {}

    def is_valid(self, access_token: str | None) -> bool:
        """Tell whether the access token opens the Admin API now."""
        if access_token not in self.access:
            return False
        expires_at = self.access[access_token]
        return expires_at is None or self.config.clock() < expires_at

    def exchange(self, form: Mapping[str, object]) -> dict[str, object]:
        """Turn an ID token into an offline token; every earlier refresh token dies.

        Raises: GrantRefused.
        """
        if form.get("subject_token_type") != ID_TOKEN:
            raise GrantRefused("invalid_request", "subject_token_type must be an id_token")
        if form.get("requested_token_type", OFFLINE) != OFFLINE:
            raise GrantRefused("invalid_request", "only offline access tokens are issued here")
        self._check_id_token(str(form.get("subject_token", "")))
        if str(form.get("expiring", "0")) != "1":
            # Shopify's default. It works, and the app would be rejected for it.
            token = "shpat_" + secrets.token_hex(16)
            self.access[token] = None
            return {"access_token": token}
        with self.lock:
            for row in self._refresh.values():
                row.is_dead = True
            return self._issue()

    def refresh(self, text: str) -> dict[str, object]:
        """Rotate: the answer carries new tokens, and the given one lives only until its replacement is used.

        Raises: GrantRefused with invalid_grant for an unknown, retired or expired token.
        """
        now = self.config.clock()
        with self.lock:
            row = self._refresh.get(text)
            if row is None or row.is_dead or now >= row.expires_at:
                raise GrantRefused("invalid_grant", "This refresh token is not valid.")
            if row.first_used_at is not None and now - row.first_used_at > REPLAY_WINDOW:
                raise GrantRefused("invalid_grant", "This refresh token was used too long ago.")
            if row.replaced_by is not None:
                # A replay retires the replacement that nobody ever saw.
                self._refresh[row.replaced_by].is_dead = True
            row.first_used_at = row.first_used_at or now
            for earlier in self._refresh.values():
                if earlier.replaced_by == text:
                    earlier.is_dead = True
            answer = self._issue()
            row.replaced_by = str(answer["refresh_token"])
            return answer

    def _issue(self) -> dict[str, object]:
        now = self.config.clock()
        access, refresh = "shpat_" + secrets.token_hex(16), "shprt_" + secrets.token_hex(16)
        self.access[access] = now + timedelta(seconds=self.config.access_token_seconds)
        self._refresh[refresh] = _RefreshToken(refresh, now + timedelta(seconds=self.config.refresh_token_seconds))
        return {
            "access_token": access,
            "expires_in": self.config.access_token_seconds,
            "refresh_token": refresh,
            "refresh_token_expires_in": self.config.refresh_token_seconds,
        }

    def _check_id_token(self, token: str) -> None:
        try:
            claims = jwt.decode(
                token,
                self.config.api_secret,
                algorithms=["HS256"],
                audience=self.config.api_key,
                options={"require": ["exp", "nbf", "iss", "dest", "sub"], "verify_exp": False, "verify_nbf": False,
                         "verify_iat": False},
            )  # fmt: skip
        except jwt.InvalidTokenError as wrong:
            raise GrantRefused("invalid_subject_token", "The subject token is not valid.") from wrong
        now = self.config.clock().timestamp()
        is_timely = claims["nbf"] - LEEWAY_SECONDS <= now <= claims["exp"] + LEEWAY_SECONDS
        if not is_timely or claims["dest"] != f"https://{self.config.shop_domain}":
            raise GrantRefused("invalid_subject_token", "The subject token is expired or for another shop.")


def make_id_token(config: DevstoreConfig, user_id: int = 42_424_242) -> str:
    """Mint the ID token that App Bridge would give the app inside the admin. It lives for a minute."""
    now = int(config.clock().timestamp())
    claims = {
        "iss": f"https://{config.shop_domain}/admin",
        "dest": f"https://{config.shop_domain}",
        "aud": config.api_key,
        "sub": str(user_id),
        "exp": now + 60,
        "nbf": now,
        "iat": now,
        "jti": str(uuid.uuid4()),
        "sid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{config.shop_domain}/{user_id}")),
        "sig": secrets.token_hex(32),
    }
    return jwt.encode(claims, config.api_secret, algorithm="HS256")


def make_oauth(shop: DevShop, desk: TokenDesk) -> Blueprint:
    """Build the token endpoint."""
    views = Blueprint("oauth", __name__)

    @views.errorhandler(GrantRefused)
    def refuse(refused: GrantRefused) -> ResponseReturnValue:
        return jsonify(error=refused.error, error_description=refused.description), 400

    @views.post("/admin/oauth/access_token")
    def access_token() -> ResponseReturnValue:
        body = request.get_json(silent=True) if request.is_json else request.form
        form: Mapping[str, object] = body if isinstance(body, Mapping) else {}
        config = desk.config
        if form.get("client_id") != config.api_key or form.get("client_secret") != config.api_secret:
            raise GrantRefused("invalid_client", "The client_id or client_secret is wrong.")
        if form.get("grant_type") == EXCHANGE:
            answer = desk.exchange(form)
        elif form.get("grant_type") == "refresh_token":
            answer = desk.refresh(str(form.get("refresh_token", "")))
        else:
            raise GrantRefused("unsupported_grant_type", "This grant type is not supported.")
        shop.mark_installed()
        return jsonify({**answer, "scope": ",".join(shop.scopes)})

    return views
