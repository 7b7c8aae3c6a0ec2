"""JSON Web Tokens: what the claims of a genuine one must say, for each kind of caller."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from builders_proofs import (
    API_KEY,
    SECRET,
    SHOP,
    SIGNED_AT,
    admin_id_token,
    extension_token,
    post_purchase_token,
    raw_token,
)
from builders_verifiers import FORGERS, VERIFIERS, a_changeset, clock, verify_admin, verify_extension, verify_purchase

from shopify_upsell.core import CustomerId, ProofRefused
from shopify_upsell.gateway.verify import (
    AdminProof,
    ExtensionProof,
)


def test_admin_token_names_shop_user_and_end() -> None:
    token = admin_id_token(user_id=7001)
    expires = jwt.decode(token, options={"verify_signature": False})["exp"]

    assert verify_admin(token) == AdminProof(SHOP, 7001, datetime.fromtimestamp(expires, UTC))


def test_extension_token_names_the_customer_only_when_logged_in() -> None:
    assert verify_extension(extension_token()) == ExtensionProof(SHOP, None)
    assert verify_extension(extension_token(customer_id=42)) == ExtensionProof(SHOP, CustomerId(42))


def test_extension_token_may_write_its_shop_with_a_scheme_and_name_an_issuer() -> None:
    token = extension_token(change={"dest": f"https://{SHOP}", "iss": f"https://{SHOP}/checkout"})

    assert verify_extension(token).shop_domain == SHOP


def test_extension_token_of_an_unnamed_shopper_gives_no_customer() -> None:
    assert verify_extension(extension_token(change={"sub": "some-anonymous-id"})).customer_id is None


def test_post_purchase_token_gives_the_purchase() -> None:
    proof = verify_purchase(post_purchase_token(reference_id="ref-9", purchase={"customerId": 42}))

    assert (proof.shop_domain, proof.reference_id) == (SHOP, "ref-9")
    assert proof.purchase["customerId"] == 42
    assert proof.input_data["initialPurchase"] == proof.purchase


NO_TIMES = ["1795348800", True, False, None, 1.5, float("inf"), float("nan"), [], {}, -1, 10**20, "soon"]


@pytest.mark.parametrize("kind", ["admin", "extension"])
@pytest.mark.parametrize("claim", ["exp", "nbf"])
@pytest.mark.parametrize("value", NO_TIMES, ids=str)
def test_time_that_is_no_whole_number_is_refused(kind: str, claim: str, value: object) -> None:
    claims = jwt.decode(FORGERS[kind](), options={"verify_signature": False}) | {claim: value}

    with pytest.raises(ProofRefused):
        VERIFIERS[kind](raw_token({"alg": "HS256"}, json.dumps(claims).encode()))


@pytest.mark.parametrize("value", NO_TIMES, ids=str)
def test_post_purchase_token_without_a_whole_number_of_issue_is_refused(value: object) -> None:
    claims = jwt.decode(post_purchase_token(), options={"verify_signature": False}) | {"iat": value}

    with pytest.raises(ProofRefused):
        verify_purchase(raw_token({"alg": "HS256"}, json.dumps(claims).encode()))


@pytest.mark.parametrize("kind", ["admin", "extension"])
@pytest.mark.parametrize("claim", ["exp", "nbf", "aud", "dest"])
def test_session_token_without_a_claim_it_must_have_is_refused(kind: str, claim: str) -> None:
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](FORGERS[kind](without={claim}))


@pytest.mark.parametrize("claim", ["iss", "sub", "sid", "jti"])
def test_admin_token_without_a_claim_it_must_have_is_refused(claim: str) -> None:
    with pytest.raises(ProofRefused):
        verify_admin(admin_id_token(without={claim}))


@pytest.mark.parametrize("kind", ["admin", "extension"])
@pytest.mark.parametrize(
    "audience", ["", "another-key-of-the-same-length-000", API_KEY[:-1], API_KEY + "0", [API_KEY], None, 0], ids=str
)
def test_token_for_another_audience_is_refused(kind: str, audience: object) -> None:
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](FORGERS[kind](change={"aud": audience}))


BAD_SHOPS = [
    "",
    "https://evil.example.com",
    "http://one.myshopify.com",
    "https://one.myshopify.com/",
    "https://one.myshopify.com\n",
    "https://one.myshop\rify.com",
    "https://one.myshopify.com:443",
    "https://user@one.myshopify.com",
    "https://ONE.myshopify.com",
    "https://one.myshopify.com.evil.com",
    "https://https://one.myshopify.com",
    "//one.myshopify.com",
    None,
    7,
    ["https://one.myshopify.com"],
]


@pytest.mark.parametrize("kind", ["admin", "extension"])
@pytest.mark.parametrize("dest", BAD_SHOPS, ids=str)
def test_destination_that_is_not_exactly_a_shop_is_refused(kind: str, dest: object) -> None:
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](FORGERS[kind](change={"dest": dest}))


@pytest.mark.parametrize(
    "issuer",
    [
        f"https://{SHOP}",
        f"https://{SHOP}/admin/",
        f"https://{SHOP}/admin\n",
        f"https://{SHOP}/checkout",
        f"http://{SHOP}/admin",
        "https://two.myshopify.com/admin",
        f"https://{SHOP}/ADMIN",
        None,
        1,
    ],
    ids=str,
)
def test_admin_token_of_another_issuer_is_refused(issuer: object) -> None:
    with pytest.raises(ProofRefused):
        verify_admin(admin_id_token(change={"iss": issuer}))


@pytest.mark.parametrize(
    "subject", ["", "gid://shopify/Customer/7001", "7001 ", "-7001", "٧", "9" * 20, 7001, None], ids=str
)
def test_admin_token_whose_subject_is_no_staff_number_is_refused(subject: object) -> None:
    with pytest.raises(ProofRefused):
        verify_admin(admin_id_token(change={"sub": subject}))


def test_customers_token_dressed_as_admin_lacks_its_session_and_is_refused() -> None:
    dressed = extension_token(now=clock(), change={"dest": f"https://{SHOP}", "iss": f"https://{SHOP}/admin"})

    with pytest.raises(ProofRefused):
        verify_admin(dressed)


@pytest.mark.parametrize(
    "change",
    [{"sid": "s"}, {"iss": f"https://{SHOP}/admin"}, {"sub": "7001"}, {"sub": 7001}, {"iss": 1}, {"input_data": {}}],
    ids=str,
)
def test_extension_token_with_a_mark_of_another_kind_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProofRefused):
        verify_extension(extension_token(change=change))


@pytest.mark.parametrize("kind", ["admin", "extension"])
def test_token_is_good_until_ten_seconds_after_its_end(kind: str) -> None:
    now = clock()
    end = int(now.timestamp())
    token = FORGERS[kind](now=now, change={"exp": end + 300, "nbf": end - 600})
    limit = datetime.fromtimestamp(end + 310, UTC)

    VERIFIERS[kind](token, now=limit - timedelta(milliseconds=1))
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](token, now=limit)


@pytest.mark.parametrize("kind", ["admin", "extension"])
def test_token_is_good_from_ten_seconds_before_its_beginning(kind: str) -> None:
    now = clock()
    start = int(now.timestamp()) - 600
    token = FORGERS[kind](now=now, change={"nbf": start, "iat": start})
    limit = datetime.fromtimestamp(start - 10, UTC)

    VERIFIERS[kind](token, now=limit)
    with pytest.raises(ProofRefused):
        VERIFIERS[kind](token, now=limit - timedelta(milliseconds=1))


def test_expired_admin_token_is_refused_by_shopifys_library_too_whatever_we_are_told_the_time_is() -> None:
    long_ago = int(time.time()) - 3600
    token = admin_id_token(change={"exp": long_ago + 60, "nbf": long_ago, "iat": long_ago})

    with pytest.raises(ProofRefused):
        verify_admin(token, now=datetime.fromtimestamp(long_ago + 30, UTC))


def test_post_purchase_token_is_good_for_a_quarter_of_an_hour() -> None:
    token = post_purchase_token(now=SIGNED_AT)

    verify_purchase(token, now=SIGNED_AT + timedelta(minutes=15))
    verify_purchase(token, now=SIGNED_AT - timedelta(seconds=10))
    with pytest.raises(ProofRefused):
        verify_purchase(token, now=SIGNED_AT + timedelta(minutes=15, seconds=1))
    with pytest.raises(ProofRefused):
        verify_purchase(token, now=SIGNED_AT - timedelta(seconds=11))


def test_post_purchase_token_that_names_an_end_is_held_to_it() -> None:
    token = post_purchase_token(change={"exp": int(SIGNED_AT.timestamp()) + 60})

    verify_purchase(token, now=SIGNED_AT + timedelta(seconds=69))
    with pytest.raises(ProofRefused):
        verify_purchase(token, now=SIGNED_AT + timedelta(seconds=70))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "Shopify"},
        {"iss": API_KEY},
        {"iss": None},
        {"sub": "ref-2"},
        {"sub": None},
        {"input_data": None},
        {"input_data": []},
        {"input_data": {"initialPurchase": {"referenceId": "ref-1"}}},
        {"input_data": {"initialPurchase": [], "shop": {"domain": SHOP}}},
        {"input_data": {"initialPurchase": {"referenceId": 1}, "shop": {"domain": SHOP}}},
        {"input_data": {"initialPurchase": {"referenceId": "ref-1"}, "shop": {"domain": "evil.com"}}},
        {"input_data": {"initialPurchase": {"referenceId": "ref-1"}, "shop": {"domain": SHOP + "\n"}}},
        {"aud": API_KEY},
        {"dest": SHOP},
        {"sid": "s"},
        {"changes": []},
    ],
    ids=str,
)
def test_post_purchase_token_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProofRefused):
        verify_purchase(post_purchase_token(change=change))


@pytest.mark.parametrize("reference", ["", "r" * 256])
def test_post_purchase_reference_must_have_a_sensible_length(reference: str) -> None:
    with pytest.raises(ProofRefused):
        verify_purchase(post_purchase_token(reference_id=reference))


def test_changeset_says_what_shopify_asks_for_and_nothing_that_opens_our_own_doors() -> None:
    claims = jwt.decode(a_changeset(), SECRET, algorithms=["HS256"], options={"verify_iat": False})

    assert claims == {
        "iss": API_KEY,
        "sub": "ref-1",
        "jti": "c-1",
        "iat": int(SIGNED_AT.timestamp()),
        "changes": [{"type": "add_variant", "variantId": 11, "quantity": 1}],
    }
