"""Every rule about this shopper: cases that break it with code, detail and date, and cases beside them that do not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders_database import NOW
from builders_offers import (
    BOOTS,
    LACES,
    SOCKS,
    WAX,
    a_candidate,
    a_dismissal,
    a_product,
    a_request,
    a_snapshot,
    a_word,
    an_offer,
    having_seen,
    owning,
    variant_id_of,
)
from builders_signals import a_shopper, a_signal, an_order, days

from shopify_upsell.customers.courtesy import DEFAULT_CAPS, NOTHING_SHOWN
from shopify_upsell.customers.suppression import EVERY_PRODUCT, dismissal, snooze
from shopify_upsell.offers import personal
from shopify_upsell.offers.candidate import CandidateItem, Rejection
from shopify_upsell.offers.codes import REJECTIONS
from shopify_upsell.offers.eligibility import refusal
from shopify_upsell.offers.gates import EVERY_OFFER
from shopify_upsell.offers.moments import merchant_word
from shopify_upsell.offers.personal import PERSONAL_RULES, rules_for
from shopify_upsell.offers.snapshot import ThrottledOffer
from shopify_upsell.offers.terms import Audience, RequiredAttribute, Schedule, Terms

MOMENT = timedelta(microseconds=1)
MAIL, ACCOUNT, AFTER = "email/picks", "account/page", "post_purchase/offer"
LASTING_30 = (a_product(SOCKS, supply_days=30.0),)


def an_offer_for(candidate=None, /, kind="cross_sell", **terms):
    return replace(candidate or a_candidate(), offer=an_offer(kind=kind, terms=Terms(**terms)))


def at(placement, *signals, **changes):
    changes = {"shopper": a_shopper(*signals)} | changes
    return a_snapshot(request=a_request(placement=placement), **changes)


def known_as(**given):
    return a_snapshot(shopper=a_shopper(**given))


def asked(**changes):
    return a_snapshot(request=a_request(**changes))


GOOD = a_signal("review", 2, value=5.0)


def owned(*products, placement="theme/product_page", timing=(), products_known=(), **changes):
    """Somebody who owns products, asking at a placement."""
    return a_snapshot(
        request=a_request(placement=placement),
        shopper=a_shopper(GOOD),
        owned=owning(*products, **changes),
        timing=timing,
        products=products_known,
    )


def told(until=None, **detail):
    return detail if until is None else detail | {"until": until.isoformat()}


def shown(*cards, **changes):
    return a_snapshot(courtesy=having_seen(*cards), **changes)


ON_THE_WAY = (an_order(1, 2),)
WITH_A_DAY = (*ON_THE_WAY, a_signal("delivery_estimated", 1, order_id=1, value=(NOW + days(3)).timestamp()))
GOT_IT = (an_order(1, 9), a_signal("delivered", 5, order_id=1))
REPEAT = a_candidate(SOCKS, offer=an_offer(kind="replenish"), anchor_product_id=SOCKS, includes_anchor=True)
BUNDLE = a_candidate(BOOTS, SOCKS, offer=an_offer(kind="bundle"), includes_anchor=True)
EARLIER = {"level": "pair", "source": "learned"}
NEWCOMER = {"stage": "delivered"}


def seen_hours_ago(hours, **changes):
    """A visitor whose first card of offer 1 was shown in the hour that began so many hours before now."""
    hour = int(NOW.timestamp()) // 3600 - hours
    courtesy = replace(NOTHING_SHOWN, shown=((hour, 1, 1), (hour + 1, 1, 1), (hour - 50, 2, 1)))
    return a_snapshot(request=a_request(visitor_id="visitor-1"), courtesy=courtesy, **changes)


TAKEN_ONCE = a_signal("offer_accepted", 3, reason="offer:1")

BREAKS = [
    ("offer_over", "offer_over", an_offer_for(schedule=Schedule(lasts_hours=48)), seen_hours_ago(48), {
        "ended_at": NOW.replace(minute=0, second=0, microsecond=0).isoformat(),
    }),
    ("offer_over", "wrong_audience", an_offer_for(schedule=Schedule(lasts_hours=48)), a_snapshot(), {"missed": "name"}),
    ("taken_enough", "taken_enough", an_offer_for(max_per_customer=1), at("theme/cart", TAKEN_ONCE), {"taken": 1}),
    # rule, code, candidate, snapshot, detail
    ("not_scheduled", "not_started", an_offer_for(schedule=Schedule(NOW + MOMENT)), a_snapshot(), told(NOW + MOMENT)),
    ("not_scheduled", "ended", an_offer_for(schedule=Schedule(None, NOW)), a_snapshot(), {}),
    ("wrong_audience", "wrong_audience", an_offer_for(audience=Audience(stages=("lapsed",))), known_as(),
        {"missed": "stage"}),
    ("wrong_audience", "wrong_audience", an_offer_for(audience=Audience(markets=("eu",))), asked(market="us"),
        {"missed": "market"}),
    ("wrong_audience", "wrong_audience", an_offer_for(audience=Audience(markets=("eu",))), asked(),
        {"missed": "market"}),
    ("wrong_audience", "wrong_audience", an_offer_for(audience=Audience(countries=("DE",))), asked(country="AT"),
        {"missed": "country"}),
    ("wrong_audience", "wrong_audience",
        an_offer_for(audience=Audience(attributes=(RequiredAttribute("tier", "gold"),))),
        known_as(attributes={"tier": "silver", "gold": "tier"}), {"missed": "attribute"}),
    ("wrong_audience", "wrong_audience", an_offer_for(audience=Audience(b2b="only")), asked(), {"missed": "b2b"}),
    ("wrong_audience", "wrong_audience", an_offer_for(audience=Audience(b2b="never")), asked(), {"missed": "b2b"}),
    ("wrong_audience", "wrong_audience", an_offer_for(audience=Audience(b2b="never")), asked(is_b2b=True),
        {"missed": "b2b"}),
    ("no_consent", "no_consent", a_candidate(), at(MAIL), {}),
    ("no_consent", "no_consent", a_candidate(), at(MAIL, shopper=a_shopper(marketing_consent=False)), {}),
    ("no_positive_signal", "no_positive_signal", a_candidate(), at(ACCOUNT), {}),
    ("no_positive_signal", "no_positive_signal", a_candidate(), at(ACCOUNT, a_signal("review", 2, value=3.0)), {}),
    ("no_positive_signal", "no_positive_signal", a_candidate(), at(ACCOUNT, a_signal("review", 60, value=5.0)), {}),
    ("undelivered", "undelivered", a_candidate(), at(ACCOUNT, *ON_THE_WAY), told(NOW + days(8))),
    ("undelivered", "undelivered", a_candidate(), at(ACCOUNT, *WITH_A_DAY), told(NOW + days(3))),
    ("undelivered", "undelivered", a_candidate(), at("theme/cart", *ON_THE_WAY, timing=(a_word(),)),
        told(NOW + days(8))),
    ("undelivered", "undelivered", a_candidate(), at(AFTER, *ON_THE_WAY, timing=(a_word(source="merchant"),)),
        told(NOW + days(8))),
    ("undelivered", "undelivered", an_offer_for(window_days=(14, 30)), at("theme/cart", *ON_THE_WAY),
        told(NOW + days(8))),
    ("undelivered", "undelivered", REPEAT, at("theme/product_page", *ON_THE_WAY), told(NOW + days(8))),
    ("newcomer_asked", "newcomer_asked", a_candidate(), at(ACCOUNT,
        shopper=a_shopper(*GOT_IT, **NEWCOMER), courtesy=having_seen((9, 24))), told(NOW + days(25))),
    ("already_owned", "already_owned", a_candidate(), owned(SOCKS), {}),
    ("already_owned", "already_owned", a_candidate(offer=an_offer(kind="gift")), owned(SOCKS), {}),
    ("already_owned", "already_owned", a_candidate(offer=an_offer(kind="free_shipping")), owned(SOCKS), {}),
    ("already_owned", "already_owned", BUNDLE, owned(SOCKS), {"items": "1+2"}),
    ("already_owned", "already_owned", a_candidate(), owned(SOCKS, days_ago=23, products_known=LASTING_30),
        told(NOW + days(1))),
    ("already_owned", "already_owned", a_candidate(),
        owned(SOCKS, days_ago=71, quantity_last=3, products_known=LASTING_30), told(NOW + days(1))),
    ("wrong_moment", "too_early", a_candidate(), owned(BOOTS, placement=ACCOUNT, days_ago=29.5, timing=(a_word(),)),
        told(NOW + days(0.5), **EARLIER, days_since=29)),
    ("wrong_moment", "window_expired", a_candidate(), owned(BOOTS, placement=ACCOUNT, days_ago=61, timing=(a_word(),)),
        told(**EARLIER, days_since=61)),
    ("wrong_moment", "blocked_interval", a_candidate(),
        owned(BOOTS, placement=ACCOUNT, days_ago=40, timing=(a_word(blocked=((35, 44),)),)),
        told(NOW + days(5), **EARLIER, days_since=40)),
    ("wrong_moment", "too_early", BUNDLE, owned(BOOTS, placement=ACCOUNT, days_ago=1, timing=(a_word(),)),
        told(NOW + days(29), **EARLIER, days_since=1, items="1+2")),
    ("wrong_moment", "too_early", an_offer_for(window_days=(90, 120)),
        owned(BOOTS, placement=ACCOUNT, timing=(a_word(),)),
        told(NOW + days(50), level="pair", source="merchant", days_since=40)),
    ("wrong_moment", "too_early", a_candidate(), a_snapshot(
        request=a_request(placement=AFTER), timing=(a_word(),)), told(NOW + days(30), **EARLIER)),
    ("wants_restock_only", "preference_restock_only", a_candidate(), a_snapshot(preference="restock_only"), {}),
    ("suppressed_dismissed", "suppressed_dismissed", a_candidate(),
        a_snapshot(suppressions=(dismissal("v:a", SOCKS, now=NOW),)), told(NOW + days(30))),
    ("suppressed_dismissed", "suppressed_dismissed", a_candidate(),
        a_snapshot(dismissals=(a_dismissal(5, offer_id=1),)), told(NOW + days(5))),
    ("suppressed_dismissed", "suppressed_dismissed", a_candidate(),
        a_snapshot(dismissals=(a_dismissal(5, product_id=SOCKS),)), told(NOW + days(5))),
    ("suppressed_dismissed", "suppressed_dismissed", a_candidate(),
        a_snapshot(dismissals=(a_dismissal(5, anchor_product_id=BOOTS, product_id=SOCKS),)), told(NOW + days(5))),
    ("suppressed_dismissed", "suppressed_dismissed", a_candidate(), a_snapshot(
        suppressions=(dismissal("v:a", SOCKS, now=NOW),),
        dismissals=(a_dismissal(5, offer_id=1), a_dismissal(80, product_id=SOCKS))), told(NOW + days(80))),
    ("suppressed_snoozed", "suppressed_snoozed", a_candidate(),
        a_snapshot(suppressions=(snooze("v:a", SOCKS, 7, now=NOW),)), told(NOW + days(7))),
    ("suppressed_snoozed", "suppressed_snoozed", BUNDLE,
        a_snapshot(suppressions=(snooze("v:a", SOCKS, 90, now=NOW),)), told(NOW + days(90), items="1+2")),
    ("offer_shown_enough", "cap_offer_day", a_candidate(), shown(*[(1, 2)] * 4), told(NOW + timedelta(hours=23))),
    ("offer_shown_enough", "cap_offer_month", a_candidate(), shown(*[(1, 24 * n + 30) for n in range(12)]),
        told(NOW + days(30) - timedelta(hours=24 * 11 + 30) + timedelta(hours=1))),
    ("offer_shown_enough", "cap_offer_day", a_candidate(),
        shown((1, 2), throttles=(ThrottledOffer(an_offer().offer_id, 2),)), told(NOW + timedelta(hours=23))),
    ("offer_shown_enough", "cap_offer_month", a_candidate(),
        a_snapshot(caps=replace(DEFAULT_CAPS, offer_day=0, offer_month=0)), told(NOW + days(30))),
    ("not_due", "not_due", replace(REPEAT, offered_from=NOW + MOMENT), a_snapshot(), told(NOW + MOMENT)),
    ("no_longer_due", "no_longer_due", replace(REPEAT, offered_until=NOW), a_snapshot(), {"since": NOW.isoformat()}),
]  # fmt: skip

PASSES = [
    ("an hour before a shopper's time is over", an_offer_for(schedule=Schedule(lasts_hours=48)), seen_hours_ago(47)),
    ("an offer taken less often than allowed", an_offer_for(max_per_customer=2), at("theme/cart", TAKEN_ONCE)),
    ("an offer that starts at this very moment", an_offer_for(schedule=Schedule(NOW, NOW + MOMENT)), a_snapshot()),
    ("the right audience in every respect", an_offer_for(audience=Audience(
        ("delivered", "established"), ("us", "eu"), ("DE",), (RequiredAttribute("tier", "gold"),), "never")),
        a_snapshot(request=a_request(market="eu", country="DE", is_b2b=False), shopper=a_shopper(
            attributes={"tier": "gold"}))),
    ("a business where only businesses are meant", an_offer_for(audience=Audience(b2b="only")), asked(is_b2b=True)),
    ("an e-mail to somebody who agreed", a_candidate(), at(MAIL, shopper=a_shopper(GOOD, marketing_consent=True))),
    ("an account page after a good review", a_candidate(), at(ACCOUNT, GOOD)),
    ("an offer that needs no good news", an_offer_for(needs_positive_signal=False), at(ACCOUNT)),
    ("a cart of somebody who waits for a parcel", a_candidate(), at("theme/cart", *ON_THE_WAY)),
    ("a pair that goes together at once, while waiting", a_candidate(), at("theme/cart", *ON_THE_WAY, timing=(
        a_word(window=(30, 60), peaks_at_zero=True),))),
    ("a pair assumed to be for later, while waiting", a_candidate(), at("theme/cart", *ON_THE_WAY, timing=(
        a_word(source="prior"),))),
    ("a parcel that came", a_candidate(), at(ACCOUNT, *GOT_IT, GOOD)),
    ("a parcel that should have come by now", a_candidate(), at(ACCOUNT, an_order(1, 10), GOOD)),
    ("a newcomer who was not asked since the parcel came", a_candidate(), at(ACCOUNT,
        shopper=a_shopper(*GOT_IT, GOOD, **NEWCOMER), courtesy=having_seen((9, 24 * 6)))),
    ("a newcomer on a product page", a_candidate(), at("theme/product_page",
        shopper=a_shopper(*GOT_IT, **NEWCOMER), courtesy=having_seen((9, 24)))),
    ("a newcomer of 30 days ago", a_candidate(), at(ACCOUNT, shopper=a_shopper(
        an_order(1, 34), a_signal("delivered", 30, order_id=1), GOOD, **NEWCOMER), courtesy=having_seen((9, 24)))),
    ("a regular customer who was asked", a_candidate(), at(ACCOUNT, *GOT_IT, GOOD, courtesy=having_seen((9, 24)))),
    ("something else that is owned", a_candidate(), owned(WAX, BOOTS)),
    ("a product due at this very moment", a_candidate(), owned(SOCKS, days_ago=24, products_known=LASTING_30)),
    ("more of what is owned", replace(REPEAT, offered_from=NOW), owned(SOCKS)),
    ("the owned anchor of a bundle", BUNDLE, owned(BOOTS)),
    ("the first day of the window", a_candidate(), owned(BOOTS, placement=ACCOUNT, days_ago=30, timing=(a_word(),))),
    ("the last day of the window", a_candidate(), owned(BOOTS, placement=ACCOUNT, days_ago=60.9, timing=(a_word(),))),
    ("the day after a silent stretch", a_candidate(), owned(
        BOOTS, placement=ACCOUNT, days_ago=45, timing=(a_word(blocked=((35, 44),)),))),
    ("a word about another pair", a_candidate(), a_snapshot(request=a_request(placement=AFTER), timing=(
        a_word(companion=LACES), a_word(anchor=WAX), a_word(anchor=SOCKS, companion=BOOTS)))),
    ("the merchant's window in the place of the learned one", an_offer_for(window_days=(0, 400)), owned(
        BOOTS, placement="theme/cart", days_ago=1, timing=(a_word(),))),
    ("a reminder for somebody who wants only those", REPEAT, a_snapshot(preference="restock_only")),
    ("a dismissal that ends at this very moment", a_candidate(), a_snapshot(
        suppressions=(dismissal("v:a", SOCKS, now=NOW - days(30)),), dismissals=(a_dismissal(0, offer_id=1),))),
    ("other offers, products and pairs dismissed", a_candidate(), a_snapshot(
        suppressions=(dismissal("v:a", LACES, now=NOW),),
        dismissals=(
            a_dismissal(5, offer_id=2), a_dismissal(5, product_id=LACES),
            a_dismissal(5, anchor_product_id=WAX, product_id=SOCKS),
            a_dismissal(5, anchor_product_id=SOCKS, product_id=BOOTS)))),
    ("a pause that ends at this very moment", a_candidate(), a_snapshot(
        suppressions=(snooze("v:a", SOCKS, 7, now=NOW - days(7)),))),
    ("a pause about something else", a_candidate(), a_snapshot(suppressions=(snooze("v:a", WAX, 7, now=NOW),))),
    ("another offer shown often", a_candidate(), shown(*[(2, 2)] * 4)),
    ("one showing less than the cap", a_candidate(), shown(*[(1, 2)] * 3)),
    ("another offer's throttle", a_candidate(), shown(*[(1, 2)] * 3, throttles=(
        ThrottledOffer(an_offer(2).offer_id, 3),))),
    ("due from this very moment", replace(REPEAT, offered_from=NOW, offered_until=NOW + MOMENT), a_snapshot()),
]  # fmt: skip

BY_RULE = {rule.__name__: rule for rule in PERSONAL_RULES}


@pytest.mark.parametrize(
    ("name", "code", "candidate", "snapshot", "detail"), BREAKS, ids=[f"{n}-{case[1]}" for n, case in enumerate(BREAKS)]
)
def test_rule_refuses_with_its_code_detail_and_date(name, code, candidate, snapshot, detail):
    refused = BY_RULE[name](candidate, snapshot)

    assert (refused.code, refused.offer_id, dict(refused.detail)) == (code, candidate.offer.offer_id, detail)
    assert refused.product_id in {item.product_id for item in candidate.items}


@pytest.mark.parametrize(("candidate", "snapshot"), [case[1:] for case in PASSES], ids=[case[0] for case in PASSES])
def test_candidate_beside_the_line_passes_every_rule(candidate, snapshot):
    assert refusal(candidate, snapshot, PERSONAL_RULES) is None


@pytest.mark.parametrize(
    ("name", "candidate", "snapshot"),
    [(case[0], case[2], case[3]) for case in BREAKS if "until" in case[4] and case[0] != "wrong_moment"],
)
def test_what_is_refused_until_a_date_is_free_at_that_very_moment(name, candidate, snapshot):
    rule = BY_RULE[name]
    until = personal_until(rule(candidate, snapshot))

    assert rule(candidate, replace(snapshot, now=until - MOMENT)) is not None
    if snapshot.caps.offer_day:
        assert rule(candidate, replace(snapshot, now=until)) is None


def personal_until(rejection: Rejection):
    return NOW.fromisoformat(str(rejection.detail["until"]))


def test_moment_opens_at_the_date_it_named():
    too_early = owned(BOOTS, placement=ACCOUNT, days_ago=29.5, timing=(a_word(),))
    opens = personal_until(personal.wrong_moment(a_candidate(), too_early))

    assert personal.wrong_moment(a_candidate(), replace(too_early, now=opens - MOMENT)).code == "too_early"
    assert personal.wrong_moment(a_candidate(), replace(too_early, now=opens)) is None
    closes = opens + days(31)
    assert personal.wrong_moment(a_candidate(), replace(too_early, now=closes - MOMENT)) is None
    assert personal.wrong_moment(a_candidate(), replace(too_early, now=closes)).code == "window_expired"


def test_every_rule_has_a_case_that_breaks_it_and_its_codes_are_in_the_vocabulary():
    assert set(BY_RULE) == {case[0] for case in BREAKS}
    assert {case[1] for case in BREAKS} <= set(REJECTIONS)
    assert set(personal.TIMING_CODES.values()) <= {case[1] for case in BREAKS}


@pytest.mark.parametrize(("candidate", "snapshot"), [case[2:4] for case in BREAKS] + [case[1:] for case in PASSES])
def test_rules_left_out_for_a_snapshot_would_not_have_refused_anything(candidate, snapshot):
    assert refusal(candidate, snapshot, rules_for(snapshot)) == refusal(candidate, snapshot, PERSONAL_RULES)
    assert set(rules_for(snapshot)) <= set(PERSONAL_RULES)


def test_anonymous_shopper_on_a_product_page_is_asked_a_handful():
    names = [rule.__name__ for rule in rules_for(a_snapshot())]

    assert names == [
        "not_scheduled", "wrong_audience", "offer_over", "taken_enough", "wrong_moment", "not_due", "no_longer_due",
    ]  # fmt: skip


def test_order_says_schedule_before_wishes_and_wishes_before_caps():
    names = list(BY_RULE)

    assert names.index("not_scheduled") < names.index("wrong_moment") < names.index("suppressed_dismissed")
    assert names.index("suppressed_dismissed") < names.index("offer_shown_enough")


def test_pause_of_every_product_reaches_each_of_them():
    everything = a_snapshot(suppressions=(snooze("v:a", EVERY_PRODUCT, 7, now=NOW),))

    assert personal.suppressed_snoozed(a_candidate(), everything).code == "suppressed_snoozed"
    assert personal.suppressed_snoozed(a_candidate(WAX), everything).code == "suppressed_snoozed"


def test_merchants_window_keeps_what_is_known_of_the_pair():
    word = merchant_word((BOOTS, SOCKS), (7, 14), a_word(n=91))

    assert (word.window, word.source, word.n, word.pair) == ((7, 14), "merchant", 91, (BOOTS, SOCKS))
    assert merchant_word((BOOTS, SOCKS), (0, 14), None).peaks_at_zero


def test_shop_wide_throttle_lowers_the_caps_of_every_offer_by_the_same():
    throttled = shown(*[(1, 2)] * 2, throttles=(ThrottledOffer(EVERY_OFFER, 1),))

    assert personal.offer_shown_enough(a_candidate(), throttled).code == "cap_offer_day"
    assert personal.offer_shown_enough(a_candidate(), replace(throttled, throttles=())) is None


def test_cards_of_all_offers_together_are_no_reason_against_one():
    many = shown(*[(number, 1) for number in range(2, 40)])

    assert personal.offer_shown_enough(a_candidate(), many) is None
    assert many.courtesy != NOTHING_SHOWN


def test_subscription_of_a_line_in_the_cart_is_no_repeat_of_an_older_purchase():
    line = a_candidate(
        SOCKS, offer=an_offer(kind="subscribe"), anchor_product_id=SOCKS, includes_anchor=True,
        items=(CandidateItem(SOCKS, variant_id_of(SOCKS), 1, 71),),
    )  # fmt: skip
    waiting = at("theme/cart", *ON_THE_WAY)

    assert personal.undelivered(line, waiting).code == "undelivered"
    assert personal.undelivered(replace(line, replaces_variant_id=variant_id_of(SOCKS)), waiting) is None
