"""What a dev store may vary, and the refusal to exist in production."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

API_VERSION = "2026-10"
DEVELOPMENT_ENVIRONMENTS = ("development", "test")

# Shopify retries 8 times over 4 hours; a development day is shorter, so the same shape runs within two minutes.
RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)


class DevstoreRefused(RuntimeError):
    """The dev store was asked to start where it must not, or with settings it can't work with."""


def utc_now() -> datetime:
    """Read the clock. Tests pass their own instead."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class DevstoreConfig:
    """Settings of one simulated shop. `extensions_dir` holds `upsell-theme` and `post-purchase-offer`.

    Units: rates are 0 to 1, durations are seconds.
    """

    app_url: str
    api_key: str
    api_secret: str
    extensions_dir: Path
    schema_path: Path
    shop_domain: str = "glow.myshopify.com"
    shop_name: str = "Glow & Grain"
    currency: str = "USD"
    seed: int = 7
    order_count: int = 2500
    orders_file: Path | None = None
    now: datetime | None = None
    clock: Callable[[], datetime] = utc_now
    installed: bool = False
    app_toml: Path | None = None
    scopes: tuple[str, ...] = ("read_orders", "read_products")
    post_purchase_bundle: Path | None = None
    block_settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    access_token_seconds: int = 3600
    refresh_token_seconds: int = 7_776_000
    bucket_size: float = 2000.0
    restore_rate: float = 100.0
    duplicate_rate: float = 0.05
    shuffle_seconds: float = 0.0
    late_rate: float = 0.0
    late_seconds: float = 5.0
    retry_delays: tuple[float, ...] = RETRY_DELAYS
    webhook_timeout: float = 5.0
    webhook_workers: int = 2
    reference_equals_checkout_token: bool = False
    max_changesets: int = 2

    def __repr__(self) -> str:
        return f"DevstoreConfig(shop_domain={self.shop_domain!r}, app_url={self.app_url!r})"

    @property
    def theme_dir(self) -> Path:
        """Where the theme extension lies."""
        return self.extensions_dir / "upsell-theme"

    @property
    def bundle_path(self) -> Path:
        """Where the built post-purchase extension lies: the development build, which asks this app, if there is one."""
        if self.post_purchase_bundle is not None:
            return self.post_purchase_bundle
        built = self.extensions_dir / "post-purchase-offer" / "dist"
        development = built / "post-purchase-offer.dev.js"
        return development if development.is_file() else built / "post-purchase-offer.js"


def refuse_production(environ: Mapping[str, str] = os.environ) -> None:
    """Stop unless the environment says, in so many words, that this is development or a test.

    Raises: DevstoreRefused when WELLPAIRED_ENV is unset, `production`, or anything unknown.
    """
    environment = environ.get("WELLPAIRED_ENV", "production")
    if environment not in DEVELOPMENT_ENVIRONMENTS:
        raise DevstoreRefused("the dev store starts only when WELLPAIRED_ENV is 'development' or 'test'")
