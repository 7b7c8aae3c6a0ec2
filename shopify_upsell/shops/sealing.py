"""Tokens at rest: encrypted under a key for this shop and this column, opened only on the way to Shopify."""

from datetime import datetime

from cryptography.fernet import InvalidToken

from shopify_upsell.core import ShopId, UpsellError
from shopify_upsell.gateway.tokens import OfflineToken
from shopify_upsell.keyring import Keyring
from shopify_upsell.shops.store import SealedToken

ACCESS, REFRESH = "access_token", "refresh_token"


class TokenUnreadable(UpsellError):
    """A ciphertext that none of our keys opens: of another shop or column, damaged, or sealed with a lost key."""

    code = "token_unreadable"


def seal(keyring: Keyring, shop_id: ShopId, token: OfflineToken, saved_at: datetime) -> SealedToken:
    """Encrypt both tokens with the newest key."""
    return SealedToken(
        access_ciphertext=_encrypt(keyring, shop_id, ACCESS, token.access_token),
        access_expires_at=token.access_expires_at,
        refresh_ciphertext=_encrypt(keyring, shop_id, REFRESH, token.refresh_token),
        refresh_expires_at=token.refresh_expires_at,
        scopes=token.scopes,
        needs_reauthorization=False,
        saved_at=saved_at,
    )


def open_access_token(keyring: Keyring, shop_id: ShopId, sealed: SealedToken) -> str:
    """Decrypt the access token. Raises: TokenUnreadable."""
    return _decrypt(keyring, shop_id, ACCESS, sealed.access_ciphertext)


def open_refresh_token(keyring: Keyring, shop_id: ShopId, sealed: SealedToken) -> str:
    """Decrypt the refresh token. Raises: TokenUnreadable."""
    return _decrypt(keyring, shop_id, REFRESH, sealed.refresh_ciphertext)


def reseal(keyring: Keyring, shop_id: ShopId, sealed: SealedToken) -> tuple[str, str]:
    """Return both ciphertexts under the newest key. Raises: TokenUnreadable."""
    try:
        access = keyring.cipher(shop_id, ACCESS).rotate(sealed.access_ciphertext.encode())
        refresh = keyring.cipher(shop_id, REFRESH).rotate(sealed.refresh_ciphertext.encode())
    except InvalidToken as broken:
        raise TokenUnreadable("a stored token does not open") from broken
    return access.decode(), refresh.decode()


def _encrypt(keyring: Keyring, shop_id: ShopId, column: str, text: str) -> str:
    return keyring.cipher(shop_id, column).encrypt(text.encode()).decode()


def _decrypt(keyring: Keyring, shop_id: ShopId, column: str, ciphertext: str) -> str:
    try:
        return keyring.cipher(shop_id, column).decrypt(ciphertext.encode()).decode()
    except InvalidToken as broken:
        raise TokenUnreadable("a stored token does not open") from broken
