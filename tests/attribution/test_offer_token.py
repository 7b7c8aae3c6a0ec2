"""The offer token: short, exact, and worthless once anything in it was changed."""

from datetime import UTC, datetime

import pytest
from builders_histories import KEYRING, a_claim, a_token
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.attribution.token import TOKEN_PURPOSE, OfferClaim, TokenRefusal, read_token, write_token
from shopify_upsell.core import LARGEST_ID, InvalidInput, ShopId
from shopify_upsell.keyring import Keyring

KEYS = KEYRING.signing_keys(TOKEN_PURPOSE, ShopId(1))
FORGED = TokenRefusal("forged_token")


def test_what_was_signed_is_read_back():
    claim = a_claim(1, book="up_sell", replaced_unit_minor_units=1999)

    assert read_token(write_token(claim, KEYS[0]), KEYS, shop_id=ShopId(1)) == claim


def test_every_single_changed_character_makes_a_token_worthless():
    token = a_token(1)

    for place, letter in enumerate(token):
        for other in ("A" if letter != "A" else "B", "_" if letter != "_" else "-", ""):
            assert read_token(token[:place] + other + token[place + 1 :], KEYS) == FORGED, place


@pytest.mark.parametrize(
    "text", ["", "v1", "v1...", "v2.a.b.c", "v1.a.b.c.d", "é" * 20, "v1.k.!!.!!", "x" * 5000, "v1.\ud800.a.b"]
)
def test_what_is_no_token_is_refused_quietly(text):
    assert read_token(text, KEYS) == FORGED


def test_a_token_of_another_shop_is_named_as_such():
    assert read_token(a_token(2), KEYS, shop_id=ShopId(1)) == TokenRefusal("foreign_shop")
    assert read_token(a_token(2), KEYS) == FORGED


def test_a_token_that_says_this_shop_but_is_signed_with_another_s_key_is_forged():
    other = KEYRING.signing_keys(TOKEN_PURPOSE, ShopId(2))[0]

    assert read_token(write_token(a_claim(1), other), KEYS, shop_id=ShopId(1)) == FORGED


def test_a_key_made_for_another_purpose_signs_nothing_here():
    key = KEYRING.signing_keys("changeset", ShopId(1))[0]

    assert read_token(write_token(a_claim(1), key), KEYS) == FORGED


def test_after_the_key_was_replaced_old_tokens_are_still_read():
    keys = Keyring(("new" * 12, "k" * 32)).signing_keys(TOKEN_PURPOSE, ShopId(1))

    assert read_token(a_token(1), keys) == a_claim(1)
    assert read_token(a_token(1), keys[:1]) == FORGED


def test_the_longest_claim_of_ours_fits_a_property():
    claim = a_claim(
        LARGEST_ID,
        offer_id=LARGEST_ID,
        variant_id=LARGEST_ID,
        max_quantity=10**9,
        nonce="n" * 12,
        book="cross_sell",
        placement="theme/product_page",
        replaced_unit_minor_units=10**15,
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
    )

    assert len(write_token(claim, KEYS[0])) <= 255


@pytest.mark.parametrize("change", [{"nonce": "n" * 200}, {"nonce": "a|b"}, {"book": "ä"}, {"max_quantity": -1}])
def test_a_claim_that_no_token_can_carry_is_refused(change):
    with pytest.raises(InvalidInput):
        write_token(a_claim(1, **change), KEYS[0])


@given(
    st.integers(0, LARGEST_ID),
    st.integers(0, 10**9),
    st.integers(0, 4_000_000_000),
    st.one_of(st.none(), st.integers(0, 10**15)),
)
def test_any_claim_makes_the_round_trip(variant_id, quantity, expires, replaced):
    claim = a_claim(
        1,
        variant_id=variant_id,
        max_quantity=quantity,
        expires_at=datetime.fromtimestamp(expires, UTC),
        replaced_unit_minor_units=replaced,
    )

    assert read_token(write_token(claim, KEYS[0]), KEYS) == claim


@given(st.text(max_size=300))
def test_no_text_makes_reading_fail(text):
    assert isinstance(read_token(text, KEYS), (OfferClaim, TokenRefusal))
