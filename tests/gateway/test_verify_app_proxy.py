"""App proxy: the query's signature, its age, and the defence against re-cutting it."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from builders_proofs import (
    OLD_SECRET,
    SECRET,
    SECRETS,
    SHOP,
    SIGNED_AT,
    proxy_signature,
    signed_proxy_query,
    webhook_mac,
)

from shopify_upsell.core import CustomerId, ProofRefused
from shopify_upsell.gateway.verify import ProxyProof, verify_app_proxy

NOW = SIGNED_AT
ALLOWED = frozenset({"placement", "product", "cart", "cart_token", "visitor", "locale", "currency", "limit"})


def verify(query: str | bytes, allowed: frozenset[str] = ALLOWED, secrets: tuple[str, ...] = SECRETS) -> ProxyProof:
    raw = query if isinstance(query, bytes) else query.encode()
    return verify_app_proxy(raw, secrets=secrets, now=NOW, allowed=allowed)


def test_genuine_request_gives_shop_customer_and_parameters() -> None:
    query = signed_proxy_query({"placement": "theme/cart", "cart": "11:1,12:2", "cart_token": "abc"}, customer_id=42)

    assert verify(query) == ProxyProof(
        shop_domain=SHOP,
        customer_id=CustomerId(42),
        path_prefix="/apps/wellpaired",
        parameters={"placement": "theme/cart", "cart": "11:1,12:2", "cart_token": "abc"},
    )


def test_guest_has_no_customer_id_whether_the_field_is_empty_or_absent() -> None:
    assert verify(signed_proxy_query()).customer_id is None
    assert verify(signed_proxy_query(without={"logged_in_customer_id"})).customer_id is None


def test_values_are_decoded_before_they_are_signed() -> None:
    query = signed_proxy_query({"visitor": "a b+c&d é%", "locale": "pt-BR"})

    assert verify(query).parameters == {"visitor": "a b+c&d é%", "locale": "pt-BR"}


def test_repeated_parameter_is_joined_as_it_was_signed() -> None:
    fields = [
        ("product", "1"),
        ("product", "2"),
        ("shop", SHOP),
        ("path_prefix", "/apps/wellpaired"),
        ("timestamp", str(int(NOW.timestamp()))),
    ]
    query = urlencode([*fields, ("signature", proxy_signature(fields))])

    assert verify(query).parameters == {"product": "1,2"}


def test_old_secret_is_good_while_it_is_kept() -> None:
    query = signed_proxy_query(secret=OLD_SECRET)

    assert verify(query).shop_domain == SHOP
    with pytest.raises(ProofRefused):
        verify(query, secrets=(SECRET,))


@pytest.mark.parametrize("seconds", [-90, 90])
def test_request_ninety_seconds_away_is_still_good(seconds: int) -> None:
    assert verify(signed_proxy_query(now=NOW + timedelta(seconds=seconds))).shop_domain == SHOP


@pytest.mark.parametrize("seconds", [-91, 91, -86_400])
def test_request_further_away_is_refused(seconds: int) -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query(now=NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "now",
        "-1",
        "+1795348800",
        "1795348800.0",
        "1e9",
        "١٧٩٥٣٤٨٨٠٠",
        "1795348800 ",
        "0x6b",
        "9" * 30,
        "null",
        "[]",
    ],
)
def test_timestamp_that_is_no_plain_number_is_refused(timestamp: str) -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query(change={"timestamp": timestamp}))


@pytest.mark.parametrize("name", ["shop", "timestamp", "path_prefix"])
def test_request_without_one_of_shopifys_fields_is_refused(name: str) -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query(without={name}))


@pytest.mark.parametrize("name", ["shop", "timestamp", "path_prefix", "logged_in_customer_id", "signature"])
def test_repeated_field_of_shopifys_is_refused(name: str) -> None:
    fields = parse_qsl(signed_proxy_query({"product": "1"}), keep_blank_values=True)
    value = dict(fields)[name]
    doubled = [(key, text) for key, text in fields if key != "signature"] + (
        [(name, value)] if name != "signature" else []
    )
    query = urlencode([*doubled, ("signature", proxy_signature(doubled))])
    if name == "signature":
        query += "&signature=" + proxy_signature(doubled)

    with pytest.raises(ProofRefused):
        verify(query)


@pytest.mark.parametrize(
    "name", ["shop[]", "product[]", "Shop", "host", "hmac", "id_token", "a", "", "product=1shop", "__proto__"]
)
def test_parameter_that_is_not_on_the_list_is_refused_though_signed(name: str) -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query({name: "1"}))


def test_parameter_added_after_signing_is_refused() -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query({"product": "1"}) + "&limit=3")


@pytest.mark.parametrize(
    "signature", ["", "0" * 64, "é" * 64, "null", webhook_mac(b"", SECRET)], ids=["empty", "0", "é", "null", "webhook"]
)
def test_wrong_signature_is_refused(signature: str) -> None:
    fields = [pair for pair in parse_qsl(signed_proxy_query(), keep_blank_values=True) if pair[0] != "signature"]

    with pytest.raises(ProofRefused):
        verify(urlencode([*fields, ("signature", signature)]))
    with pytest.raises(ProofRefused):
        verify(urlencode(fields))


def test_signature_in_upper_case_is_another_spelling_and_refused() -> None:
    query = signed_proxy_query()
    start, signature = query.rsplit("signature=", 1)

    with pytest.raises(ProofRefused):
        verify(f"{start}signature={signature.upper()}")


@pytest.mark.parametrize("shop", ["evil.com", "one.myshopify.com\n", "ONE.myshopify.com", "", "one.myshopify.com/x"])
def test_signed_shop_that_is_no_shop_is_refused(shop: str) -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query(shop=shop))


@pytest.mark.parametrize("customer", ["-1", "abc", "1.0", "gid://shopify/Customer/1", "9" * 20, "١"])
def test_customer_that_is_no_plain_number_is_refused(customer: str) -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query(customer_id=customer))


@pytest.mark.parametrize(
    "query", [b"\xff=1", b"product=%ff", b"a" * 9000, b"&".join([b"product=1"] * 70), b"", b"&&&", b"product=%ED%A0%80"]
)
def test_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    with pytest.raises(ProofRefused):
        verify(query)


# The splice. Eve opens her own storefront with one parameter that holds the text of several; Shopify signs it; the
# same text, cut elsewhere, is a query of another shop with another customer. By Shopify's recipe both have one
# signature, so nothing but the form of the query can tell them apart.

EVE, VICTIM = "eve.myshopify.com", "victim.myshopify.com"


def test_spliced_query_carries_a_genuine_signature_and_is_refused() -> None:
    moment = str(int(NOW.timestamp()))
    rest = f"logged_in_customer_id=path_prefix=/apps/wellpairedshop={EVE}timestamp={moment}"
    smuggled = f"1logged_in_customer_id=7path_prefix=/apps/wellpairedshop={VICTIM}timestamp={moment}visitor=q"
    hers = [
        ("cart", smuggled),
        ("logged_in_customer_id", ""),
        ("path_prefix", "/apps/wellpaired"),
        ("shop", EVE),
        ("timestamp", moment),
    ]
    recut = [
        ("cart", "1"),
        ("logged_in_customer_id", "7"),
        ("path_prefix", "/apps/wellpaired"),
        ("shop", VICTIM),
        ("timestamp", moment),
        ("visitor", "q" + rest),
    ]
    signature = proxy_signature(hers)
    assert proxy_signature(recut) == signature

    with pytest.raises(ProofRefused):
        verify(urlencode([*recut, ("signature", signature)]))
    with pytest.raises(ProofRefused):
        verify(urlencode([*hers, ("signature", signature)]))


@pytest.mark.parametrize("name", ["shop", "timestamp", "signature", "path_prefix", "logged_in_customer_id"])
def test_no_value_may_hold_the_beginning_of_one_of_shopifys_fields(name: str) -> None:
    with pytest.raises(ProofRefused):
        verify(signed_proxy_query({"visitor": f"x{name}=y"}))
    assert verify(signed_proxy_query({"visitor": f"x{name}"})).parameters == {"visitor": f"x{name}"}


@pytest.mark.parametrize("name", ["shop", "workshop", "hop", "stamp", "id", "customer_id", "product2", "Cart", ""])
def test_route_cannot_allow_a_name_that_could_be_confused_with_shopifys(name: str) -> None:
    with pytest.raises(ValueError, match="parameter name"):
        verify(signed_proxy_query(), allowed=frozenset({name}))
