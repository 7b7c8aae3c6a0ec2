"""Every readiness rule, and that an offer that is not ready is refused once."""

import pytest
from builders_offers import BOOTS, SOCKS, a_candidate, a_request, a_snapshot, an_offer

from shopify_upsell.offers import readiness
from shopify_upsell.offers.candidate import Rejection
from shopify_upsell.offers.codes import REJECTIONS

NO_ANCHOR = a_snapshot(request=a_request(anchor_product_ids=()))

FOR_THE_CART = an_offer(placements=("theme/cart",))

BREAKS = [
    ("not_live", an_offer(state="draft"), a_snapshot(), {"state": "draft"}),
    ("not_live", an_offer(state="paused"), a_snapshot(), {"state": "paused"}),
    ("wrong_placement", FOR_THE_CART, a_snapshot(), {"asked": "theme/product_page"}),
    ("no_anchor", an_offer(), NO_ANCHOR, {}),
    ("wrong_anchor", an_offer(anchors=(SOCKS,)), a_snapshot(), {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "offer", "snapshot", "detail"), BREAKS)
def test_rule_refuses_the_whole_offer_with_its_code(code, offer, snapshot, detail):
    assert getattr(readiness, code)(offer, snapshot) == Rejection(code, offer.offer_id, None, detail)


def test_live_offer_for_this_place_and_product_with_candidates_is_ready():
    assert readiness.refusal(an_offer(anchors=(BOOTS,)), a_snapshot()) is None


def test_offer_without_a_single_candidate_is_refused_once():
    expected = Rejection("no_evidence", an_offer().offer_id, None, {"matrix_version": 3})
    assert readiness.no_evidence(an_offer(), [], a_snapshot()) == expected
    assert readiness.no_evidence(an_offer(), [a_candidate()], a_snapshot()) is None


def test_every_rule_is_named_after_its_code_and_has_a_case_that_breaks_it():
    names = [rule.__name__ for rule in readiness.RULES]

    assert set(names) == {case[0] for case in BREAKS}
    assert set(names) <= set(REJECTIONS)


def test_first_broken_rule_is_told():
    assert readiness.refusal(an_offer(state="draft"), NO_ANCHOR).code == "not_live"
