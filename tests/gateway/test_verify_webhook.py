"""Webhooks: the raw body's HMAC decides; headers are checked for use only."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from builders_proofs import API_KEY, OLD_SECRET, SECRET, SECRETS, SHOP, SIGNED_AT, signed_webhook, webhook_mac
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import BadSetting, InvalidInput, ProofRefused
from shopify_upsell.gateway.verify import WebhookProof, verify_webhook

NOW = SIGNED_AT + timedelta(seconds=3)
BODY = b'{"id": 820982911946154500, "note": "\xc3\xa9"}'


def verify(raw: bytes, headers: dict[str, str], secrets: tuple[str, ...] = SECRETS) -> WebhookProof:
    return verify_webhook(raw, headers, secrets=secrets, now=NOW)


def test_genuine_delivery_gives_what_its_headers_say() -> None:
    raw, headers = signed_webhook(BODY, topic="orders/paid", webhook_id="w-1", event_id="e-1")

    proof = verify(raw, headers)

    assert proof == WebhookProof(SHOP, "orders/paid", "w-1", "e-1", "2026-10", SIGNED_AT)


def test_header_names_are_read_in_any_case() -> None:
    raw, headers = signed_webhook(BODY)

    assert verify(raw, {name.lower(): value for name, value in headers.items()}).shop_domain == SHOP
    assert verify(raw, {name.upper(): value for name, value in headers.items()}).shop_domain == SHOP


def test_body_signed_with_the_old_secret_is_good_only_while_that_secret_is_kept() -> None:
    raw, headers = signed_webhook(BODY, secret=OLD_SECRET)

    assert verify(raw, headers, (SECRET, OLD_SECRET)).shop_domain == SHOP
    with pytest.raises(ProofRefused):
        verify(raw, headers, (SECRET,))


@given(bit=st.integers(0, 255))
def test_every_flipped_bit_of_the_signature_is_noticed(bit: int) -> None:
    raw, headers = signed_webhook(BODY)
    digest = bytearray(base64.b64decode(headers["X-Shopify-Hmac-Sha256"]))
    digest[bit // 8] ^= 1 << bit % 8
    headers["X-Shopify-Hmac-Sha256"] = base64.b64encode(digest).decode()

    with pytest.raises(ProofRefused):
        verify(raw, headers)


@pytest.mark.parametrize(
    "body",
    [BODY + b"\n", BODY[:-1], BODY.replace(b" ", b""), b"", b"\xef\xbb\xbf" + BODY, bytes([BODY[0] ^ 1]) + BODY[1:]],
    ids=["newline added", "cut", "written anew", "empty", "byte order mark", "one bit"],
)
def test_changed_body_is_refused(body: bytes) -> None:
    _, headers = signed_webhook(BODY)

    with pytest.raises(ProofRefused):
        verify(body, headers)


def good_mac() -> str:
    return webhook_mac(BODY)


@pytest.mark.parametrize(
    "mac",
    [
        "",
        base64.b64decode(webhook_mac(BODY)).hex(),
        good_mac()[:-1],
        good_mac()[:-4],
        good_mac().rstrip("="),
        good_mac() + "=",
        " " + good_mac(),
        good_mac() + "\n",
        good_mac() + ", " + good_mac(),
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "é" + good_mac()[1:],
        "A" * 65536,
        webhook_mac(BODY, "a" * 40),
        webhook_mac(BODY, API_KEY),
        webhook_mac(BODY, ""),
    ],
    ids=[
        "empty",
        "hex",
        "cut by one",
        "cut by four",
        "unpadded",
        "padded twice",
        "leading space",
        "trailing newline",
        "two at once",
        "other alphabet",
        "not ASCII",
        "64 KB",
        "other secret",
        "the API key as secret",
        "an empty secret",
    ],
)
def test_any_other_spelling_of_the_signature_is_refused(mac: str) -> None:
    raw, headers = signed_webhook(BODY)
    headers["X-Shopify-Hmac-Sha256"] = mac

    with pytest.raises(ProofRefused):
        verify(raw, headers)


def test_non_canonical_base64_of_the_right_digest_is_refused() -> None:
    raw, headers = signed_webhook(BODY)
    mac = headers["X-Shopify-Hmac-Sha256"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = mac[:-2] + alphabet[alphabet.index(mac[-2]) ^ 1] + "="
    assert base64.b64decode(twin) == base64.b64decode(mac)

    headers["X-Shopify-Hmac-Sha256"] = twin
    with pytest.raises(ProofRefused):
        verify(raw, headers)


def test_missing_signature_is_refused_before_anything_else_is_looked_at() -> None:
    with pytest.raises(ProofRefused):
        verify(BODY, {"X-Shopify-Shop-Domain": "evil"})


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), (SECRET, "")])
def test_empty_secret_verifies_nothing(secrets: tuple[str, ...]) -> None:
    raw, headers = signed_webhook(BODY, secret="")

    with pytest.raises(BadSetting):
        verify(raw, headers, secrets)


@pytest.mark.parametrize(
    "shop",
    [
        None,
        "",
        "evil.example.com",
        "one.myshopify.com.evil.com",
        "one.myshopify.com\n",
        "one.myshopify.com\r\nX-Evil: 1",
        "https://one.myshopify.com",
        "one.myshopify.com/",
        "one.myshopify.com:443",
        "user@one.myshopify.com",
        "One.myshopify.com",
        "-one.myshopify.com",
        "a.b.myshopify.com",
        "öne.myshopify.com",
        "one.myshopify.com.",
        ".myshopify.com",
        "a" * 64 + ".myshopify.com",
    ],
)
def test_unusable_shop_header_is_invalid_input(shop: str | None) -> None:
    raw, headers = signed_webhook(BODY)
    if shop is None:
        del headers["X-Shopify-Shop-Domain"]
    else:
        headers["X-Shopify-Shop-Domain"] = shop

    with pytest.raises(InvalidInput):
        verify(raw, headers)


@pytest.mark.parametrize("name", ["X-Shopify-Webhook-Id", "X-Shopify-Topic"])
@pytest.mark.parametrize("value", [None, "", "x" * 256, "a\nb", "a\x00b", "é"])
def test_unusable_id_or_topic_is_invalid_input(name: str, value: str | None) -> None:
    raw, headers = signed_webhook(BODY)
    if value is None:
        del headers[name]
    else:
        headers[name] = value

    with pytest.raises(InvalidInput):
        verify(raw, headers)


def test_id_that_looks_like_sql_is_a_name_like_any_other() -> None:
    raw, headers = signed_webhook(BODY, webhook_id="'; DROP TABLE shop; --" + "x" * 233)

    assert len(verify(raw, headers).webhook_id) == 255


def test_headers_nobody_needs_may_be_missing_or_odd() -> None:
    raw, headers = signed_webhook(BODY)
    del headers["X-Shopify-Event-Id"]
    headers["X-Shopify-API-Version"] = "\x01"

    proof = verify(raw, headers)

    assert (proof.event_id, proof.api_version) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-11-22T07:00:00.123456789-05:00", datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)),
        ("yesterday", NOW),
        ("", NOW),
        ("2026-11-22T12:00:00", NOW),
        ("0001-01-01T00:00:00+23:59", NOW),
        ("9999-12-31T23:59:59-23:59", NOW),
        ("9999-12-31T23:59:59Z", NOW),
    ],
)
def test_triggered_at_is_taken_as_told_and_nonsense_becomes_now(text: str, expected: datetime) -> None:
    raw, headers = signed_webhook(BODY, triggered_at=text)

    assert verify(raw, headers).triggered_at == expected


def test_missing_triggered_at_becomes_now() -> None:
    raw, headers = signed_webhook(BODY)
    del headers["X-Shopify-Triggered-At"]

    assert verify(raw, headers).triggered_at == NOW
