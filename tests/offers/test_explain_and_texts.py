"""Words: every code has a sentence, an example in the documentation, and a text for shoppers where they read it."""

import re
from pathlib import Path

import pytest
from builders_database import NOW
from builders_offers import SHOP, SOCKS, a_cart, a_request, a_snapshot, an_offer

from shopify_upsell.core import DecisionId
from shopify_upsell.customers.suppression import snooze
from shopify_upsell.offers.candidate import Decision
from shopify_upsell.offers.codes import EMPTY_REASONS, REASONS, REJECTIONS
from shopify_upsell.offers.explain import explain_decision, reasons_of, sentence_of
from shopify_upsell.offers.kinds.registry import KINDS
from shopify_upsell.offers.pipeline import decide_from
from shopify_upsell.offers.texts import HEADLINES, WHY, headline_of, reason_of

ROOT = Path(__file__).resolve().parents[2]


def a_decision(snapshot=None, **changes):
    inputs = snapshot or a_snapshot(**changes)
    return Decision(DecisionId("d1"), SHOP, NOW, inputs.request.placement, decide_from(inputs), inputs, "1")


def test_documentation_explains_every_code_once_with_its_sentence_and_an_example():
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", (ROOT / "docs/rejection-codes.md").read_text(), re.M)
    documented = {code: sentence for code, sentence, _ in rows}

    assert documented == REJECTIONS | REASONS | EMPTY_REASONS
    assert len(rows) == len(documented)
    assert all(len(example) > 20 for _, _, example in rows)


def test_every_code_used_in_the_source_is_in_the_vocabulary():
    folder = ROOT / "shopify_upsell/offers"
    text = "".join(file.read_text() for file in folder.rglob("*.py"))
    used = set(re.findall(r'(?:Rejection\(|reject\(candidate, |_first\(candidate, |return )"([a-z_]+)"', text))

    assert used - set(REASONS) - {"count"} <= set(REJECTIONS) | {"picked_by_shop"}
    assert len(used) > 10


def test_vocabularies_do_not_overlap():
    assert not set(REJECTIONS) & set(REASONS)
    assert not (set(REJECTIONS) | set(REASONS)) & set(EMPTY_REASONS)


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


@pytest.mark.parametrize("code", [*REJECTIONS, *REASONS, *EMPTY_REASONS])
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
