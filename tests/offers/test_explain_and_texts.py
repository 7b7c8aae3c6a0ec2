"""Words: every code has a sentence, an example in the documentation, and a text for shoppers where they read it."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from builders_database import NOW
from builders_offers import (
    BOOTS,
    SOCKS,
    WAX,
    a_cart,
    a_decision,
    a_product,
    a_request,
    a_snapshot,
    a_variant,
    a_word,
    an_edge,
    an_offer,
    having_seen,
    owning,
)
from builders_signals import a_shopper, a_signal

from shopify_upsell.customers.suppression import snooze
from shopify_upsell.offers.codes import EMPTY_REASONS, GATES, REASONS, REJECTIONS
from shopify_upsell.offers.explain import explain_decision, explanation_fields, reasons_of, sentence_of
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.snapshot import AcceptanceCount
from shopify_upsell.offers.texts import HEADLINES, WHY, headline_of, reason_of

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = REJECTIONS | REASONS | EMPTY_REASONS | GATES


def test_documentation_explains_every_code_once_with_its_sentence_and_an_example():
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", (ROOT / "docs/decisions-explained.md").read_text(), re.M)
    documented = {code: sentence for code, sentence, _ in rows}

    assert documented == VOCABULARY
    assert len(rows) == len(documented)
    assert all(len(example) > 20 for _, _, example in rows)
    assert len({example for _, _, example in rows}) == len(rows)


def test_every_code_used_in_the_source_is_in_the_vocabulary():
    folder = ROOT / "shopify_upsell/offers"
    text = "".join(file.read_text() for file in folder.rglob("*.py"))
    used = set(re.findall(r'(?:Rejection\(|reject\(candidate, |_first\(candidate, |return )"([a-z_]+)"', text))

    assert used - set(REASONS) - {"count"} <= set(REJECTIONS) | {"picked_by_shop"}
    assert len(used) > 10


def test_vocabularies_do_not_overlap():
    assert len(VOCABULARY) == len(REJECTIONS) + len(REASONS) + len(EMPTY_REASONS) + len(GATES)


@pytest.mark.parametrize("language", WHY)
def test_every_reason_and_kind_has_a_short_text_without_a_price_or_a_deadline(language):
    assert set(WHY[language]) == set(REASONS)
    assert set(HEADLINES[language]) == {*KINDS, "post_purchase"}
    for text in (*WHY[language].values(), *HEADLINES[language].values()):
        assert 3 < len(text) <= 90
        assert not re.search(r"\d|%|€|\$|now|jetzt|nur noch|only|hurry", text, re.IGNORECASE)


def test_language_is_found_by_its_first_part_and_falls_back_to_english():
    assert reason_of("often_bought_together", "de-AT") == "Oft zusammen gekauft"
    assert reason_of("often_bought_together", "fr") == "Often bought together"
    assert reason_of("often_bought_together", None) == "Often bought together"
    assert headline_of("cross_sell", "theme/cart", "de") == "Passt gut dazu"
    assert headline_of("cross_sell", "post_purchase/offer", "en") == "Goes with your order"


def test_decision_that_shows_something_says_why():
    assert reasons_of(a_decision()) == ("often_bought_together",)


def test_decision_that_shows_nothing_says_why():
    paused = a_decision(
        offers=(an_offer(1, state="paused"), an_offer(2, state="paused"), an_offer(3, placements=("a/b",)))
    )

    assert reasons_of(paused) == ("not_live", "wrong_placement")
    assert reasons_of(a_decision(offers=())) == ("no_offers",)
    assert reasons_of(a_decision(request=a_request(visitor_id="a"), holdout_basis_points=10_000)) == ("holdout",)


@pytest.mark.parametrize("code", VOCABULARY)
def test_every_code_has_a_sentence(code):
    assert re.fullmatch(r"[A-Z].+\.", sentence_of(code))


def test_explanation_tells_choice_evidence_rejections_and_when_next():
    decision = a_decision(suppressions=(snooze("v:a", SOCKS, 7, now=NOW),), request=a_request(cart=a_cart(4)))

    text = explain_decision(decision)

    assert "1 x Product 3 [3] at 20.00 USD" in text
    assert "30 of 60 orders with 1 also had 3 (confidence 0.500), 6.25 times what chance explains" in text
    assert f"product 2; next from {decision.rejections[0].detail['until']}" in text
    assert "already_in_cart (1): The product is in the cart already." in text


def test_explanation_of_the_holdout_says_what_was_missed():
    text = explain_decision(a_decision(request=a_request(visitor_id="a"), holdout_basis_points=10_000))

    assert "Would have been shown:" in text
    assert "Product 2" in text


def test_explanation_of_nothing_says_so():
    assert "Nothing is shown." in explain_decision(a_decision(offers=()))


def known(*signals, **changes):
    return a_decision(shopper=a_shopper(*signals), **changes)


def lines_of(decision):
    return explain_decision(decision).splitlines()


def test_closed_gate_comes_first_with_its_date_and_nothing_else_is_told_of_offers():
    lines = lines_of(known(a_signal("refunded", 3), a_signal("quiz_done", 5)))

    until = (NOW + timedelta(days=11)).isoformat()
    assert lines[2] == f"  closed: recent_refund: Money was given back recently.; not before {until}"
    assert lines[3] == f"  readiness hold, score 0.49, stage established, until {until}"
    assert lines[4] == "    recent_refund: Money was given back recently."
    assert lines[-2:] == ["Nothing is shown.", f"Worth asking again from {until}"]
    assert "Not shown:" not in lines


def test_gate_without_a_date_names_none():
    lines = lines_of(a_decision(preference="none"))

    assert lines[2] == "  closed: preference_none: The shopper wants no offers."
    assert not [line for line in lines if line.startswith("Worth asking")]


def test_readiness_is_told_where_something_is_known_of_the_person():
    unhappy = known(a_signal("review", 60, value=2.0))

    assert reasons_of(unhappy) == ("not_ready",)
    assert "  readiness not_yet, score 0.26" in explain_decision(unhappy)
    assert "readiness" not in explain_decision(a_decision())
    assert explanation_fields(a_decision())["readiness"] is None


def test_card_tells_its_moment_with_window_day_level_and_source():
    asked = a_request(placement="account/page")
    offers = (an_offer(placements=("account/page",)),)
    good = a_shopper(a_signal("review", 2, value=5.0))

    def moment_of(word, **changes):
        inputs = a_snapshot(request=asked, offers=offers, shopper=good, timing=(word,), **changes)
        return [line.strip() for line in lines_of(a_decision(inputs)) if "moment of 2" in line]

    assert moment_of(a_word(), owned=owning(BOOTS)) == [
        "moment of 2 after 1: days 30 to 60 after delivery, learned of this pair; it is day 40"
    ]
    assert moment_of(a_word(source="prior", level="shop"), owned=owning(BOOTS, delivered_is_estimate=True)) == [
        "moment of 2 after 1: days 30 to 60 after delivery, assumed (prior) of any pair; it is day 40 (estimated)"
    ]
    assert moment_of(a_word(source="merchant", window=None)) == [
        "moment of 2 after 1: any day, the merchant's word of this pair; it is being bought"
    ]


def test_card_tells_what_it_should_bring_out_of_which_parts_and_which_are_assumed():
    socks = a_product(SOCKS, variants=(a_variant(SOCKS, unit_cost_minor_units=800),))
    counted = (AcceptanceCount(an_offer().offer_id, SOCKS, 400, 30, 6.0),)

    text = explain_decision(a_decision(products=(socks,), acceptance=counted))

    # 2000 - 800 goods - 58 - 30 fee; (200 x .1 x .3 + 30 - 6) / (200 + 400).
    assert "expected 55.6000 minor units a card: taken 5.00% of the time x 11.12 USD left" in text
    assert "acceptance: 30 of 400 cards taken, 6 of them anyway" in text
    assert "leaves 11.12 USD: list 20.00, cost -8.00, payment_fee -0.88 (assumed)" in text
    unknown = explain_decision(a_decision())
    assert "x 1, because no cost of goods is known and acceptance alone decides" in unknown
    beside_wax = a_snapshot(products=(a_product(WAX, variants=(a_variant(WAX, unit_cost_minor_units=1500),)),))
    assert "x 4.12 USD left (assumed: the middle of the other candidates)" in explain_decision(a_decision(beside_wax))
    assert "acceptance: assumed from the score, no card was shown yet" in unknown
    assert "cost -10.00 (assumed)" in unknown


def test_caps_are_told_for_all_offers_and_for_each_that_was_shown():
    lines = lines_of(a_decision(courtesy=having_seen((1, 0.1), (1, 30), (7, 0.2))))

    assert "  cards shown: 2 of 12 in this session, 2 of 24 in 24 hours, 3 of 120 in 30 days; 10 left" in lines
    assert "    offer 1: 1 of 4 in 24 hours, 2 of 12 in 30 days" in lines
    assert not [line for line in lines if line.startswith("    offer 7")]


def test_at_most_three_reasons_sum_a_decision_up():
    offers = (
        an_offer(1, state="paused"), an_offer(2, placements=("a/b",)), an_offer(3, anchors=(WAX,)),
        an_offer(4, companions=()),
    )  # fmt: skip

    assert len(reasons_of(a_decision(offers=offers))) == 3
    assert len(explanation_fields(a_decision(offers=offers))["summary"]) == 3


def test_fields_survive_json_and_hold_what_the_text_says():
    held = a_decision(
        request=a_request(visitor_id="a"), holdout_basis_points=10_000, negative_edges=(an_edge(BOOTS, WAX),),
        timing=(a_word(window=(0, 9)),),
    )  # fmt: skip

    told = explanation_fields(held)

    assert json.loads(json.dumps(told)) == told
    assert (told["shown"], told["is_holdout"]) == ([], True)
    (card,) = told["would_have_shown"]
    assert [item["product_id"] for item in card["items"]] == [SOCKS]
    assert (card["expected"]["cards_shown"], card["moments"][0]["state"]) == (0, "open")
    assert [(one["code"], one["count"]) for one in told["rejected"]] == [("negative_edge", 1), ("outranked", 1)]
    assert told["never_offered"][0]["companion_product_id"] == WAX
    assert told["never_offered"][0]["review_at"] == (NOW + timedelta(days=90)).isoformat()


def test_card_that_the_rules_of_today_no_longer_propose_is_told_without_its_worth():
    decision = a_decision()
    changed = replace(decision, inputs=replace(decision.inputs, companions={}))

    (card,) = explanation_fields(changed)["shown"]

    assert (card["expected"], card["contribution"], card["moments"]) == (None, None, [])
    assert "Product 2" in explain_decision(changed)


def test_date_that_is_worth_asking_again_ends_the_explanation():
    wish = snooze("v:a", SOCKS, 7, now=NOW)
    only_socks = (an_offer(companions=(SOCKS,)),)

    lines = lines_of(a_decision(offers=only_socks, suppressions=(wish,)))

    assert lines[-1] == f"Worth asking again from {wish.until.isoformat()}"
