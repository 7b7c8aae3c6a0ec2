"""Every setting, its default, what it takes, and the one line that ends the start when it is wrong."""

import os
import re
from pathlib import Path

import pytest
from builders_database import ROOT

from shopify_upsell.core import BadSetting
from shopify_upsell.settings import Settings, read_settings

NEEDED = {
    "SHOPIFY_API_KEY": "key",
    "SHOPIFY_API_SECRET": "shpss_canary",
    "ENCRYPTION_KEYS": "k" * 32,
    "APP_URL": "https://app.example.net",
}

WRONG = [
    ("SHOPIFY_API_KEY", ""), ("SHOPIFY_API_KEY", "   "), ("SHOPIFY_API_KEY", "schlüssel"),
    ("SHOPIFY_API_SECRET", ""), ("SHOPIFY_API_SECRET", "geheimniß"), ("SHOPIFY_API_SECRET", "key"),
    ("ENCRYPTION_KEYS", ""), ("ENCRYPTION_KEYS", ","), ("ENCRYPTION_KEYS", "k" * 31),
    ("ENCRYPTION_KEYS", "k" * 32 + ",short"), ("ENCRYPTION_KEYS", "ü" * 32),
    ("APP_URL", ""), ("APP_URL", "http://app.example.net"), ("APP_URL", "app.example.net"), ("APP_URL", "https://"),
    ("APP_URL", "https://app.example.net?a=1"), ("APP_URL", "https://app.example.net#a"), ("APP_URL", "https://["),
    ("APP_URL", "https://app.example.net:abc"), ("APP_URL", "https://app.example.net:0"), ("APP_URL", "https://:443"),
    ("WELLPAIRED_ENV", "staging"), ("WELLPAIRED_ENV", "PRODUCTION"),
    ("DATABASE_URL", "mysql://host/db"), ("DATABASE_URL", "sqlite://"), ("DATABASE_URL", "sqlite:wellpaired.db"),
    ("DATABASE_URL", "postgresql:"), ("DATABASE_URL", "postgresql://host:abc/db"), ("DATABASE_URL", "/var/db"),
    ("REDIS_URL", "host:6379"), ("REDIS_URL", "http://host"), ("REDIS_URL", "redis://host:abc"),
    ("WELLPAIRED_VAR_DIR", os.devnull),
    ("SHOPIFY_ORIGIN", "http://127.0.0.1:9292"),
    ("LOG_LEVEL", "LOUD"), ("LOG_LEVEL", "info"),
    ("SQLITE_SYNCHRONOUS", "OFF"), ("SQLITE_SYNCHRONOUS", "normal"),
    ("HOLDOUT_BASIS_POINTS", "-1"), ("HOLDOUT_BASIS_POINTS", "5001"), ("HOLDOUT_BASIS_POINTS", "10%"),
    ("HOLDOUT_BASIS_POINTS", "1.5"), ("HOLDOUT_BASIS_POINTS", "١٠٠"), ("HOLDOUT_BASIS_POINTS", " 1"),
    ("OFFER_RATE_PER_SECOND", "0"), ("OFFER_RATE_PER_SECOND", "10001"), ("OFFER_RATE_PER_SECOND", "many"),
    ("JOB_LEASE_SECONDS", "1"), ("JOB_LEASE_SECONDS", "3601"), ("JOB_LEASE_SECONDS", "1e3"),
    ("METRICS_TOKEN", "schlüssel"),
]  # fmt: skip

RIGHT = [
    ("SHOPIFY_API_KEY", " key2 ", "api_key", "key2"),
    ("SHOPIFY_API_SECRET_OLD", " older ", "api_secrets", ("shpss_canary", "older")),
    ("ENCRYPTION_KEYS", f" {'n' * 32} , {'o' * 40},", "encryption_keys", ("n" * 32, "o" * 40)),
    ("APP_URL", "https://app.example.net:8443/base/", "app_url", "https://app.example.net:8443/base"),
    ("DATABASE_URL", "postgresql://u:p%40@host:5433/db", "database_url", "postgresql+psycopg://u:p%40@host:5433/db"),
    ("DATABASE_URL", "postgres://host/db", "database_url", "postgresql+psycopg://host/db"),
    ("DATABASE_URL", "sqlite:////srv/a.db", "database_url", "sqlite:////srv/a.db"),
    ("REDIS_URL", "rediss://:secret@host:6380/1", "redis_url", "rediss://:secret@host:6380/1"),
    ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
    ("WELLPAIRED_VAR_DIR", "elsewhere", "database_url", "sqlite:///elsewhere/wellpaired.db"),
    ("LOG_LEVEL", "DEBUG", "log_level", "DEBUG"),
    ("SQLITE_SYNCHRONOUS", "NORMAL", "sqlite_synchronous", "NORMAL"),
    ("HOLDOUT_BASIS_POINTS", "0", "holdout_basis_points", 0),
    ("HOLDOUT_BASIS_POINTS", "5000", "holdout_basis_points", 5000),
    ("OFFER_RATE_PER_SECOND", "10000", "offer_rate_per_second", 10_000),
    ("JOB_LEASE_SECONDS", "2", "lease_seconds", 2),
    ("METRICS_TOKEN", " figures ", "metrics_token", "figures"),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_refused_with_one_line_that_names_the_key(key, value):
    with pytest.raises(BadSetting) as refused:
        read_settings(NEEDED | {key: value})

    assert refused.value.message.startswith(key + " ")
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SHOPIFY_API_SECRET", "shpss_canäry"), ("ENCRYPTION_KEYS", "canary"), ("METRICS_TOKEN", "canäry"),
        ("DATABASE_URL", "mysql://u:canary@host/db"), ("DATABASE_URL", "postgresql://u:canary@host:port/db"),
        ("REDIS_URL", "http://:canary@host"), ("REDIS_URL", "redis://:canary@host:port"),
    ],
)  # fmt: skip
def test_a_complaint_never_quotes_a_secret(key, value):
    with pytest.raises(BadSetting) as refused:
        read_settings(NEEDED | {key: value})

    assert "can" not in refused.value.message.replace("cannot", "")


@pytest.mark.parametrize("key", NEEDED)
def test_a_missing_value_that_has_no_default_is_refused(key):
    with pytest.raises(BadSetting, match=f"^{key} is not set$"):
        read_settings({name: value for name, value in NEEDED.items() if name != key})


@pytest.mark.parametrize(("key", "value", "field", "expected"), RIGHT)
def test_a_right_value_is_taken(key, value, field, expected):
    assert getattr(read_settings(NEEDED | {key: value}), field) == expected


def test_what_is_not_set_or_set_to_nothing_has_its_default():
    keys = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)) - NEEDED.keys()
    empty = dict.fromkeys(keys - {"WELLPAIRED_APP_URL"}, "")

    settings = read_settings(NEEDED)

    assert settings == read_settings(NEEDED | empty)
    assert settings == Settings(
        environment="production",
        app_url="https://app.example.net",
        api_key="key",
        api_secrets=("shpss_canary",),
        encryption_keys=("k" * 32,),
        database_url="sqlite:///var/wellpaired.db",
        redis_url=None,
        var_dir=Path("var"),
        shopify_origin=None,
        log_level="INFO",
        sqlite_synchronous="FULL",
        holdout_basis_points=1000,
        offer_rate_per_second=50,
        lease_seconds=60,
        metrics_token=None,
    )


def test_every_setting_has_a_row_in_these_tables():
    source = (ROOT / "shopify_upsell" / "settings.py").read_text()
    keys = set(re.findall(r'environ(?:, |\.get\()"([A-Z_]+)"', source)) | set(NEEDED)

    assert keys - {key for key, _ in WRONG} == {"SHOPIFY_API_SECRET_OLD"}, "any text is a secret"
    assert {key for key, _ in WRONG} - keys == set()


def test_anything_but_an_explicit_other_word_is_production():
    assert read_settings(NEEDED).is_production
    assert read_settings(NEEDED | {"WELLPAIRED_ENV": ""}).is_production
    assert not read_settings(NEEDED | {"WELLPAIRED_ENV": "development"}).is_production


@pytest.mark.parametrize("environment", ["development", "test"])
def test_outside_production_http_and_a_dev_store_are_allowed(environment):
    settings = read_settings(
        NEEDED
        | {"WELLPAIRED_ENV": environment, "APP_URL": "http://127.0.0.1:5050", "SHOPIFY_ORIGIN": "http://[::1]:9292/"}
    )

    assert (settings.app_url, settings.shopify_origin) == ("http://127.0.0.1:5050", "http://[::1]:9292")


@pytest.mark.parametrize("origin", ["nonsense", "ftp://127.0.0.1", "http://", "http://host:port"])
def test_a_dev_store_that_is_no_address_is_refused_in_development(origin):
    with pytest.raises(BadSetting, match=r"^SHOPIFY_ORIGIN must "):
        read_settings(NEEDED | {"WELLPAIRED_ENV": "development", "SHOPIFY_ORIGIN": origin})


def test_no_secret_is_in_the_repr_and_nothing_can_be_set_afterwards():
    settings = read_settings(
        NEEDED
        | {
            "SHOPIFY_API_SECRET_OLD": "shpss_older",
            "METRICS_TOKEN": "figures-canary",
            "DATABASE_URL": "postgresql://u:password-canary@h/d",
        }
    )

    assert repr(settings) == "Settings(environment='production', app_url='https://app.example.net')"
    with pytest.raises(AttributeError):
        settings.api_key = "another"


def test_the_example_lists_every_setting_with_a_value_that_is_taken():
    lines = re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)

    read_settings(dict(lines) | NEEDED)
