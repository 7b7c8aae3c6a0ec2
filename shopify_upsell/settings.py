"""Settings, read from the environment once, checked, frozen. `app` and `cli` are the only readers.

Every key is listed in the README; a wrong value stops the start with one line that names the key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from shopify_upsell.core import BadSetting

ENVIRONMENTS = ("production", "development", "test")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a process may vary. Secrets never appear in `repr`."""

    environment: str
    app_url: str
    api_key: str
    api_secrets: tuple[str, ...]
    encryption_keys: tuple[str, ...]
    database_url: str
    redis_url: str | None
    var_dir: Path
    shopify_origin: str | None
    log_level: str
    sqlite_synchronous: str
    holdout_basis_points: int
    offer_rate_per_second: int
    lease_seconds: int
    metrics_token: str | None

    def __repr__(self) -> str:
        return f"Settings(environment={self.environment!r}, app_url={self.app_url!r})"

    @property
    def is_production(self) -> bool:
        """Tell whether guards meant for real shops hold; anything but an explicit other value is production."""
        return self.environment == "production"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Build Settings from environment variables.

    Raises: BadSetting naming the first key that is missing or wrong.
    """
    environment = _choice(environ, "WELLPAIRED_ENV", ENVIRONMENTS, "production")
    var_dir = _var_dir(environ)
    return Settings(
        environment=environment,
        app_url=_url(environ, "APP_URL", secure=environment == "production"),
        api_key=_text(environ, "SHOPIFY_API_KEY"),
        api_secrets=_secrets(environ),
        encryption_keys=_encryption_keys(environ),
        database_url=_database_url(environ, var_dir),
        redis_url=_redis_url(environ),
        var_dir=var_dir,
        shopify_origin=_shopify_origin(environ, environment),
        log_level=_choice(environ, "LOG_LEVEL", LOG_LEVELS, "INFO"),
        sqlite_synchronous=_choice(environ, "SQLITE_SYNCHRONOUS", ("FULL", "NORMAL"), "FULL"),
        holdout_basis_points=_number(environ, "HOLDOUT_BASIS_POINTS", 1000, 0, 5000),
        offer_rate_per_second=_number(environ, "OFFER_RATE_PER_SECOND", 50, 1, 10_000),
        lease_seconds=_number(environ, "JOB_LEASE_SECONDS", 60, 2, 3600),
        metrics_token=_text(environ, "METRICS_TOKEN") if environ.get("METRICS_TOKEN", "").strip() else None,
    )


def _text(environ: Mapping[str, str], key: str) -> str:
    value = environ.get(key, "").strip()
    if not value:
        raise BadSetting(f"{key} is not set")
    if not value.isascii():
        raise BadSetting(f"{key} must be plain ASCII")
    return value


def _choice(environ: Mapping[str, str], key: str, allowed: tuple[str, ...], default: str) -> str:
    value = environ.get(key) or default
    if value not in allowed:
        raise BadSetting(f"{key} must be one of {', '.join(allowed)}")
    return value


def _number(environ: Mapping[str, str], key: str, default: int, low: int, high: int) -> int:
    text = environ.get(key) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise BadSetting(f"{key} must be a whole number from {low} to {high}")
    return int(text)


def _url(environ: Mapping[str, str], key: str, *, secure: bool) -> str:
    value = _text(environ, key).rstrip("/")
    if not value.startswith(("https://",) if secure else ("https://", "http://")):
        raise BadSetting(f"{key} must start with https://")
    if not _is_plain_address(value):
        raise BadSetting(f"{key} must be a plain address such as https://app.example.net")
    return value


def _is_plain_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, or a port that is no number
        return False
    return is_whole and not (parts.query or parts.fragment)


def _var_dir(environ: Mapping[str, str]) -> Path:
    folder = Path(environ.get("WELLPAIRED_VAR_DIR", "").strip() or "var")
    if folder.exists() and not folder.is_dir():
        raise BadSetting("WELLPAIRED_VAR_DIR must name a folder")
    return folder


def _secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The current client secret, then the one it replaced while a rotation lasts."""
    current = _text(environ, "SHOPIFY_API_SECRET")
    old = environ.get("SHOPIFY_API_SECRET_OLD", "").strip()
    if current == environ.get("SHOPIFY_API_KEY"):
        raise BadSetting("SHOPIFY_API_SECRET must not be the API key")
    return (current, old) if old else (current,)


def _encryption_keys(environ: Mapping[str, str]) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in _text(environ, "ENCRYPTION_KEYS").split(",") if key.strip())
    if not keys or any(len(key) < 32 for key in keys):
        raise BadSetting("ENCRYPTION_KEYS must be comma-separated keys of at least 32 characters, newest first")
    return keys


def _database_url(environ: Mapping[str, str], var_dir: Path) -> str:
    url = environ.get("DATABASE_URL", "").strip() or f"sqlite:///{var_dir / 'wellpaired.db'}"
    scheme = url.split(":", 1)[0]
    if scheme in ("postgres", "postgresql"):
        url = "postgresql+psycopg" + url[len(scheme) :]
    if not url.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise BadSetting("DATABASE_URL must start with postgresql:// or sqlite:///")
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        raise BadSetting("DATABASE_URL cannot be read as an address") from None
    return url


def _redis_url(environ: Mapping[str, str]) -> str | None:
    url = environ.get("REDIS_URL", "").strip()
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise BadSetting("REDIS_URL must start with redis://, rediss:// or unix://")
    try:
        urlsplit(url).port  # noqa: B018 reading it checks it
    except ValueError:
        raise BadSetting("REDIS_URL cannot be read as an address") from None
    return url or None


def _shopify_origin(environ: Mapping[str, str], environment: str) -> str | None:
    """Where Admin API calls go instead of https://{shop}: the dev store. Refused in production."""
    if not environ.get("SHOPIFY_ORIGIN", "").strip():
        return None
    if environment == "production":
        raise BadSetting("SHOPIFY_ORIGIN is for development and must not be set in production")
    return _url(environ, "SHOPIFY_ORIGIN", secure=False)
