"""Dividing one order between our offers and everything else."""

from dataclasses import replace

import pytest
from builders_histories import a_claim
from builders_orders import ORDERED_AT, at

from shopify_upsell.attribution.credit import REASONS, Credit, SignedAddition, settle, winner_of
from shopify_upsell.attribution.token import TokenRefusal
from shopify_upsell.ledger.booked import BookedLine, BookedOrder, EditChange, TokenUse


def a_booked_line(line_id=11, net=1000, quantity=1, token=None, **given):
    return BookedLine(
        line_id=line_id,
        position=1,
        product_id=7,
        variant_id=given.get("variant_id", 2001),
        quantity=quantity,
        net_quantity=given.get("net_quantity", quantity),
        net_minor_units=net,
        offer_token=token,
    )


def a_booked_order(*lines, residual=0, edits=(), is_booked=True):
    return BookedOrder(1, ORDERED_AT, "USD", is_booked, None, None, "checkout-1", residual, lines, edits)


def an_addition(**given):
    return SignedAddition(
        **{
            "changeset_id": "c1",
            "decision_id": "e" * 32,
            "offer_id": 9,
            "book": "cross_sell",
            "placement": "post_purchase/offer",
            "variant_id": 2001,
            "quantity": 1,
            "signed_at": at(1),
            **given,
        }
    )


def parts(credits):
    return [(part.line_id, part.credit_class, part.quantity, part.amount, part.reason) for part in credits]


def settled(order, claim=None, *, winner=1, additions=()):
    verdicts = {} if claim is None else {"t": claim}
    return settle(order, verdicts=verdicts, winners={"t": winner}, additions=additions)


def test_a_line_with_a_good_token_is_credited_to_its_offer():
    credits = settled(a_booked_order(a_booked_line(net=1999, token="t")), a_claim(1))

    assert credits == [
        Credit(
            line_id=11,
            credit_class="direct",
            quantity=1,
            amount=1999,
            currency="USD",
            offer_id=12,
            decision_id="d" * 32,
            book="cross_sell",
            placement="theme/product_page",
        )
    ]


def test_only_as_many_units_as_were_offered_are_credited():
    credits = settled(a_booked_order(a_booked_line(net=1000, quantity=3, token="t")), a_claim(1, max_quantity=2))

    assert parts(credits) == [(11, "direct", 2, 667, None), (11, "unattributed", 1, 333, "beyond_offer")]


def test_lines_that_shopify_split_share_the_units_that_were_offered():
    order = a_booked_order(a_booked_line(11, quantity=2, token="t"), a_booked_line(12, quantity=2, token="t"))

    assert parts(settled(order, a_claim(1, max_quantity=3))) == [
        (11, "direct", 2, 1000, None),
        (12, "direct", 1, 500, None),
        (12, "unattributed", 1, 500, "beyond_offer"),
    ]


@pytest.mark.parametrize(
    ("verdict", "winner", "reason"),
    [
        (TokenRefusal("forged_token"), 1, "forged_token"),
        (TokenRefusal("foreign_shop"), 1, "foreign_shop"),
        (a_claim(1, variant_id=2002), 1, "wrong_variant"),
        (a_claim(1, expires_at=ORDERED_AT), 1, "expired_token"),
        (a_claim(1), 2, "token_used_elsewhere"),
    ],
)
def test_a_line_whose_token_proves_nothing_is_unattributed_with_the_reason(verdict, winner, reason):
    credits = settled(a_booked_order(a_booked_line(quantity=2, token="t")), verdict, winner=winner)

    assert parts(credits) == [(11, "unattributed", 2, 1000, reason)]
    assert reason in REASONS


def test_a_line_without_a_token_is_unattributed():
    assert parts(settled(a_booked_order(a_booked_line()))) == [(11, "unattributed", 1, 1000, "no_token")]


def test_a_token_holds_to_the_moment_before_it_expires():
    order = replace(a_booked_order(a_booked_line(token="t")), ordered_at=at(9))

    assert parts(settled(order, a_claim(1, expires_at=at(10)))) == [(11, "direct", 1, 1000, None)]


def test_an_up_sell_earns_what_it_is_worth_more_than_what_it_replaced():
    order = a_booked_order(a_booked_line(net=5000, quantity=2, token="t"))
    dearer = a_claim(1, book="up_sell", replaced_unit_minor_units=1500)
    cheaper = a_claim(1, book="up_sell", replaced_unit_minor_units=3000)

    assert parts(settled(order, dearer)) == [
        (11, "direct", 2, 2000, None),
        (11, "unattributed", 0, 3000, "replaced_value"),
    ]
    assert parts(settled(order, cheaper)) == [
        (11, "direct", 2, 0, None),
        (11, "unattributed", 0, 5000, "replaced_value"),
    ]


def test_a_refunded_line_keeps_its_cause_and_earns_nothing():
    order = a_booked_order(a_booked_line(net=0, quantity=2, net_quantity=0, token="t"))

    assert parts(settled(order, a_claim(1))) == [(11, "direct", 0, 0, None)]


def test_money_kept_for_units_given_back_is_divided_over_the_units_that_were_sold():
    order = a_booked_order(a_booked_line(net=300, quantity=3, net_quantity=0, token="t"))

    assert parts(settled(order, a_claim(1, max_quantity=1))) == [
        (11, "direct", 1, 100, None),
        (11, "unattributed", 2, 200, "beyond_offer"),
    ]


def test_an_order_that_is_not_booked_has_no_credits():
    assert settled(a_booked_order(a_booked_line(net=0, token="t"), is_booked=False), a_claim(1)) == []


def test_what_refunds_took_beyond_the_lines_is_a_part_of_its_own():
    credits = settled(a_booked_order(a_booked_line(net=0, net_quantity=0), residual=-250))

    assert parts(credits) == [(11, "unattributed", 0, 0, "no_token"), (0, "residual", 0, -250, None)]


def test_a_line_that_our_changeset_added_is_credited_and_one_a_merchant_added_is_not():
    edits = (EditChange(91, 12, 1, at(2)), EditChange(92, 13, 1, at(3)), EditChange(93, 11, -1, at(4)))
    order = a_booked_order(a_booked_line(11), a_booked_line(12), a_booked_line(13, variant_id=2002), edits=edits)

    credits = settled(order, additions=[an_addition()])

    assert parts(credits) == [
        (11, "unattributed", 1, 1000, "no_token"),
        (12, "direct", 1, 1000, None),
        (13, "unattributed", 1, 1000, "no_token"),
    ]
    assert (credits[1].offer_id, credits[1].placement) == (9, "post_purchase/offer")


def test_of_a_line_that_grew_only_the_units_we_added_are_credited():
    order = a_booked_order(a_booked_line(11, net=4000, quantity=4), edits=(EditChange(91, 11, 2, at(2)),))

    assert parts(settled(order, additions=[an_addition()])) == [
        (11, "direct", 1, 1000, None),
        (11, "unattributed", 3, 3000, "beyond_offer"),
    ]


def test_two_changesets_take_a_line_each():
    edits = (EditChange(91, 12, 1, at(2)), EditChange(92, 13, 1, at(3)))
    order = a_booked_order(a_booked_line(12), a_booked_line(13), edits=edits)
    later = an_addition(changeset_id="c0", offer_id=10, signed_at=at(2))

    credits = settled(order, additions=[later, an_addition()])

    assert [(part.line_id, part.offer_id) for part in credits] == [(12, 9), (13, 10)]


def test_the_earliest_order_that_a_token_fits_wins_it():
    uses = [
        TokenUse(at(3), 3, 31, 2001),
        TokenUse(at(1), 9, 91, 2002),
        TokenUse(at(2), 2, 21, 2001),
        TokenUse(at(2), 4, 41, 2001),
    ]

    assert winner_of(a_claim(1), uses) == 2
    assert winner_of(a_claim(1, expires_at=at(2)), uses) is None
    assert winner_of(a_claim(1), []) is None
