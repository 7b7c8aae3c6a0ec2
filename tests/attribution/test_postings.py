"""Paths, assistance and the journal of credits, as pure functions."""

from datetime import timedelta

import pytest
from builders_histories import KEYRING, a_claim
from builders_orders import ORDERED_AT
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.attribution.assisted import assist_of
from shopify_upsell.attribution.calibration import ChannelHoldout, calibrated_shares, calibrated_weights
from shopify_upsell.attribution.credit import Credit, settle
from shopify_upsell.attribution.email_link import EMAIL_LINK_PURPOSE, email_click, read_email_click, write_email_token
from shopify_upsell.attribution.models.path import Path, PathTouch
from shopify_upsell.attribution.models.registry import weigh_path
from shopify_upsell.attribution.paths import PathQuery, path_of
from shopify_upsell.attribution.postings import Balance, FrozenPath, deltas, order_balances
from shopify_upsell.attribution.token import TOKEN_PURPOSE, read_token
from shopify_upsell.attribution.touches import CHANNELS, Touch, channel_of
from shopify_upsell.core import InvalidInput, ProofRefused
from shopify_upsell.ledger.booked import BookedLine, BookedOrder


def a_touch(hours=1.0, kind="click", **given):
    return Touch(
        **{
            "decision_id": "d" * 32,
            "offer_id": 12,
            "variant_id": 0,
            "kind": kind,
            "placement": "theme/product_page",
            "occurred_at": ORDERED_AT - timedelta(hours=hours),
            "book": "cross_sell",
            "product_ids": (7,),
            **given,
        }
    )


def a_query(**given):
    return PathQuery(
        **{
            "line_id": 11,
            "offer_id": 12,
            "decision_id": "d" * 32,
            "placement": "theme/product_page",
            "ended_at": ORDERED_AT,
            "product_id": 7,
            "variant_id": 2001,
            **given,
        }
    )


def steps(path):
    return [(touch.channel, touch.kind) for touch in path.touches]


@pytest.mark.parametrize(
    ("placement", "channel"),
    [
        ("theme/product_page", "theme"), ("theme/cart", "cart"), ("theme/cart_drawer", "cart"), ("cart/page", "cart"),
        ("checkout/after_lines", "checkout"), ("post_purchase/offer", "post_purchase"),
        ("thank_you/page", "thank_you"), ("account/orders", "account"), ("email/next_best", "email"),
    ],
)  # fmt: skip
def test_a_touch_s_channel_is_the_surface_it_happened_on(placement, channel):
    assert channel_of(placement) == channel
    assert channel in CHANNELS


def test_a_showing_that_was_seen_clicked_and_taken_is_one_touch():
    seen = [a_touch(3, "impression"), a_touch(2, "click"), a_touch(1, "accept")]

    path = path_of(a_query(), seen)

    assert steps(path) == [("theme", "accept")]
    assert path.touches[0].occurred_at == ORDERED_AT - timedelta(hours=1)


def test_a_path_holds_what_was_about_the_offer_or_product_within_thirty_days_before_the_line():
    about = [
        a_touch(29 * 24, "click", decision_id="a" * 32, placement="email/next_best"),
        a_touch(2, "impression", decision_id="b" * 32, offer_id=13, placement="theme/cart"),
        a_touch(1, "accept"),
    ]
    beside = [
        a_touch(30 * 24, decision_id="e" * 32),
        a_touch(0, decision_id="f" * 32),
        a_touch(-1, decision_id="g" * 32),
        a_touch(1, decision_id="h" * 32, offer_id=14, product_ids=(8,)),
        a_touch(1, "dismiss", decision_id="i" * 32),
    ]

    path = path_of(a_query(), [*beside, *about])

    assert steps(path) == [("email", "click"), ("cart", "impression"), ("theme", "accept")]


def test_a_line_that_nothing_led_to_has_the_one_touch_its_credit_names():
    path = path_of(a_query(placement="post_purchase/offer"), [])

    assert steps(path) == [("post_purchase", "accept")]


def test_another_customer_another_path():
    assert a_query().key == a_query().key
    assert len({a_query().key, a_query(unit="c:5").key, a_query(cart_token="x").key, a_query(variant_id=1).key}) == 4


def a_booked_line(line_id=11, net=1000, token=None, quantity=1, **given):
    return BookedLine(line_id, 1, 7, given.get("variant_id", 2001), quantity, quantity, net, token)


def an_order_of(*lines, residual=0):
    return BookedOrder(1, ORDERED_AT, "USD", True, 5, "cart-1", None, residual, lines, ())


@pytest.mark.parametrize(
    ("touches", "is_assisted"),
    [
        ([a_touch(7 * 24 - 0.1, "click")], True),
        ([a_touch(7 * 24, "click")], False),
        ([a_touch(23.9, "impression")], True),
        ([a_touch(24, "impression")], False),
        ([a_touch(2, "impression", placement="email/next_best")], False),
        ([a_touch(2, "impression", placement="account/orders")], False),
        ([a_touch(2, "click", placement="email/next_best")], True),
        ([a_touch(2, "click", product_ids=(8,))], False),
        ([a_touch(2, "click", product_ids=(), variant_id=2001)], True),
        ([a_touch(2, "dismiss")], False),
        ([a_touch(-1, "click")], False),
        ([], False),
    ],
)
def test_a_click_assists_for_seven_days_and_a_view_on_site_for_one(touches, is_assisted):
    assert (assist_of(a_booked_line(), ORDERED_AT, touches) is not None) is is_assisted


def test_the_latest_click_assists_before_any_view():
    touches = [
        a_touch(5, "click", offer_id=1), a_touch(4, "click", offer_id=2), a_touch(1, "impression", offer_id=3),
    ]  # fmt: skip

    assert assist_of(a_booked_line(), ORDERED_AT, touches).offer_id == 2


def test_a_line_is_direct_assisted_or_unattributed_and_never_two_of_them():
    assist = assist_of(a_booked_line(), ORDERED_AT, [a_touch()])
    order = an_order_of(a_booked_line(11, token="good", quantity=3), a_booked_line(12), a_booked_line(13, token="bad"))
    verdicts = {"good": a_claim(1, max_quantity=2), "bad": a_claim(1, variant_id=9)}

    credits = settle(order, verdicts=verdicts, winners={"good": 1}, assists=dict.fromkeys((11, 12, 13), assist))

    assert [(part.line_id, part.credit_class, part.amount, part.book) for part in credits] == [
        (11, "direct", 667, "cross_sell"),
        (11, "unattributed", 333, None),
        (12, "assisted", 1000, "cross_sell"),
        (13, "unattributed", 1000, None),
    ]


def a_credit(amount, **given):
    return Credit(
        **{
            "line_id": 11,
            "credit_class": "direct",
            "quantity": 1,
            "amount": amount,
            "currency": "USD",
            "offer_id": 12,
            "decision_id": "d" * 32,
            "book": "cross_sell",
            "placement": "theme/product_page",
            **given,
        }
    )


def a_frozen(*channels, model="linear"):
    touches = tuple(PathTouch(name, "click", ORDERED_AT - timedelta(hours=9 - n)) for n, name in enumerate(channels))
    path = Path(touches, ORDERED_AT)
    return FrozenPath(path, weigh_path(model, path), "d" * 32)


def amounts(balances):
    return {account.channel: balance.amount for account, balance in balances.items()}


def test_a_credit_is_divided_over_its_channels_to_the_last_minor_unit():
    paths = {(11, "direct"): a_frozen("email", "theme", "email")}

    balances = order_balances([a_credit(1000)], paths)

    assert amounts(balances) == {"email": 667, "theme": 333}
    assert {account.model_version for account in balances} == {"linear/1"}


def test_what_is_not_ours_has_no_channel():
    rest = Credit(11, "unattributed", 1, 400, "USD", reason="no_token")

    (account,) = order_balances([rest], {})

    assert (account.channel, account.model, account.offer_id) == (None, None, None)


def test_the_shopper_s_currency_is_divided_by_the_same_integers():
    credits = [a_credit(667), Credit(11, "unattributed", 1, 333, "USD", reason="beyond_offer")]
    paths = {(11, "direct"): a_frozen("email", "theme")}

    balances = order_balances(credits, paths, presentment={11: 1499})

    shown = {(account.credit_class, account.channel): balance.presentment for account, balance in balances.items()}
    assert shown == {("direct", "email"): 500, ("direct", "theme"): 500, ("unattributed", None): 499}
    assert order_balances([a_credit(0)], {}, presentment={11: 3}).popitem()[1].presentment == 3


def test_a_change_is_posted_as_a_difference_and_again_not_at_all():
    paths = {(11, "direct"): a_frozen("email", "theme")}
    before, after = order_balances([a_credit(1000)], paths), order_balances([a_credit(301)], paths)

    changes = deltas(after, before)

    assert {account.channel: change.amount for account, change in changes} == {"email": -349, "theme": -350}
    assert deltas(after, after) == []
    assert sum(change.amount for _, change in deltas({}, after)) == -301


channels_drawn = st.lists(st.sampled_from(["theme", "cart", "email"]), min_size=1, max_size=6)


@given(channels_drawn, st.lists(st.integers(0, 3000), min_size=1, max_size=6), st.sampled_from(["linear", "position"]))
def test_postings_add_up_to_the_credit_after_every_change(channels, worths, model):
    frozen = a_frozen(*channels, model=model)
    held: dict = {}
    for worth in worths:
        wanted = order_balances([a_credit(worth, quantity=worth % 4)], {(11, "direct"): frozen})
        for account, change in deltas(wanted, held):
            before = held.get(account, Balance())
            held[account] = Balance(before.quantity + change.quantity, before.amount + change.amount)
        assert sum(balance.amount for balance in held.values()) == worth
        assert sum(balance.quantity for balance in held.values()) == worth % 4
        assert all(balance.amount >= 0 for balance in held.values())


def test_a_click_on_a_link_in_an_email_is_a_touch_of_the_email_channel():
    (key,) = KEYRING.signing_keys(EMAIL_LINK_PURPOSE, 1)
    text = write_email_token(a_claim(1, placement="email/next_best"), key)

    claim = read_email_click(text, [key], shop_id=1, now=ORDERED_AT)
    touch = email_click(claim, now=ORDERED_AT, unit="c:5", product_ids=(7,))

    assert (touch.kind, touch.channel, touch.unit, touch.variant_id) == ("click", "email", "c:5", 2001)
    assert (touch.offer_id, touch.decision_id, touch.book) == (12, "d" * 32, "cross_sell")


def test_a_link_that_is_forged_foreign_expired_or_an_offer_token_is_refused():
    (key,), (offer_key,) = (KEYRING.signing_keys(purpose, 1) for purpose in (EMAIL_LINK_PURPOSE, TOKEN_PURPOSE))
    good = write_email_token(a_claim(1, placement="email/next_best"), key)
    later = ORDERED_AT + timedelta(days=30)

    for text, shop_id, now in [(good[:-1] + "A", 1, ORDERED_AT), (good, 2, ORDERED_AT), (good, 1, later)]:
        with pytest.raises(ProofRefused):
            read_email_click(text, [key], shop_id=shop_id, now=now)
    with pytest.raises(InvalidInput):
        write_email_token(a_claim(1), key)
    assert read_token(good, [offer_key]).code == "forged_token"


def test_shares_calibrated_by_holdouts_are_what_channels_caused():
    theme = ChannelHoldout("theme", reached=9000, reached_outcome=900, held=1000, held_outcome=90)
    email = ChannelHoldout("email", reached=900, reached_outcome=90, held=100, held_outcome=4)
    harmful = ChannelHoldout("cart", reached=900, reached_outcome=9, held=100, held_outcome=4)

    assert (theme.caused, email.caused) == (90, 54)
    assert calibrated_shares([theme, email, harmful]) == {"theme": 90 / 144, "email": 54 / 144, "cart": 0.0}
    assert calibrated_shares([ChannelHoldout("theme", 10, 1, 0, 0)]) == {"theme": 0.0}


def test_weights_bend_to_what_channels_caused():
    assert calibrated_weights(("a", "b"), (500, 500), (100.0, 100.0), (30.0, 10.0)) == [0.75, 0.25]
    assert calibrated_weights(("a", "b"), (600, 400), (100.0, 100.0), (-3.0, 0.0)) == [0.6, 0.4]
    with pytest.raises(ValueError):
        calibrated_weights(("a",), (1, 2), (1.0,), (1.0,))
