"""The closed vocabulary: why something is not shown, and why it is. Every code has one sentence.

Pure. `docs/decisions-explained.md` explains each with an example; a test keeps both complete.
"""

from shopify_upsell.customers.readiness import GATES as CUSTOMER_GATES
from shopify_upsell.matrix.exploring import COLD_START

REJECTIONS = {
    # Readiness: the whole offer.
    "not_live": "The offer is a draft or paused.",
    "wrong_placement": "The offer is not meant for this placement.",
    "no_anchor": "The request names no product that an offer could go with.",
    "wrong_anchor": "The offer is meant for other products than the one looked at.",
    "no_evidence": "Nothing is known that goes with this product, and the merchant picked nothing either.",
    # Eligibility: one candidate.
    "bundle_component_missing": "A part of the bundle is unknown or has no variant.",
    "product_not_active": "The product is a draft, archived, unlisted, deleted or unknown.",
    "not_published": "The product is not published in the online store.",
    "gift_card": "Gift cards are money, not a product that goes with another.",
    "needs_selling_plan": "The product is sold by subscription only, which one click cannot sign up for.",
    "is_anchor": "It is the very product that the shopper looks at or has just bought.",
    "already_in_cart": "The product is in the cart already.",
    "replaces_nothing": "The upgrade would replace a variant, and that variant is not in the cart.",
    "currency_not_supported": "The shopper sees prices in another currency than the shop's, which are not known here.",
    "discount_not_backed": "Nothing at this placement would charge the promised discount.",
    "no_selling_plan": "The product has no plan to buy it regularly whose price is known.",
    "subscription_in_order": "The order may have a subscription already, and a second cannot be added to it.",
    "cart_value_unknown": "What the cart is worth is not known, so nothing can be said of a threshold.",
    "threshold_reached": "The cart has reached the threshold already.",
    "threshold_missed": "The cart would still be below the threshold.",
    "discount_unpredictable": "What the shop's discounts would make of the promised price cannot be told in advance.",
    "discount_conflict": "Another discount of the shop would change the promised price.",
    "below_margin_floor": "It would leave the shop less than the offer's floor.",
    "negative_edge": "Buyers of the one product clearly do not go on to the other, or the merchant said so.",
    "weak_evidence": "The two products do not sell together more often than by chance.",
    "not_due": "What the shopper has will last for a while yet.",
    "no_longer_due": "The shopper would have run out long ago.",
    "unhealthy_product": "Too many buyers send the product back or rate it badly: mend it first.",
    "not_started": "The offer starts later.",
    "ended": "The offer has ended.",
    "offer_over": "The time that this shopper had for the offer is over.",
    "taken_enough": "The customer has taken the offer as often as its merchant allows.",
    "wrong_audience": "The offer is meant for other shoppers, or what it asks of a shopper is not known.",
    "no_consent": "The customer has not agreed to be written to.",
    "no_positive_signal": "Nothing good happened lately, and such an offer does not come out of nowhere.",
    "undelivered": "The last order is still under way.",
    "newcomer_asked": "A customer whose first parcel came lately was asked once, which is enough for the first month.",
    "already_owned": "The customer has the product and should not have used it up yet.",
    "too_early": "It is too early after the delivery for this pair.",
    "blocked_interval": "At this time after the delivery the pair does not go down well.",
    "window_expired": "The time for this pair has passed.",
    "preference_restock_only": "The shopper only wants to hear of what runs out.",
    "cap_offer_day": "The shopper has seen this offer often enough today.",
    "cap_offer_month": "The shopper has seen this offer often enough this month.",
    "suppressed_dismissed": "The shopper waved the offer, the product or the pair away, and that is remembered.",
    "suppressed_snoozed": "The shopper asked for a pause that has not ended.",
    "requires_components": "The variant is made of components that must be chosen first.",
    "too_few_in_stock": "Fewer pieces are in stock than the offer needs.",
    "out_of_stock": "No variant can be bought at the moment.",
    "not_explored": "Nothing is known of the pair yet, and few showings, drawn by lot, may try such a pair.",
    # Choice: it was fit to be shown, and something else was better.
    "outranked": "Another product of the same offer ranks higher.",
    "repeats_product": "A better offer on the same page shows this product already.",
    "limit_reached": "The placement shows no more offers than this at once.",
}

REASONS = {
    "often_bought_together": "Shoppers buy both in one order far more often than chance explains.",
    "completes_the_set": "The parts of the bundle are often bought in one order.",
    "goes_with_purchase": "It is often bought with what was just ordered.",
    "larger_size": "The next larger variant of a product in the cart.",
    "larger_quantity": "More pieces of what is in the cart.",
    "running_out": "What the shopper bought should be used up about now.",
    "regular_delivery": "A product bought once that the shop also delivers regularly.",
    "closes_the_gap": "It takes the cart to free shipping.",
    "gift_with_cart": "The cart has earned a gift.",
    "picked_by_shop": "The merchant picked this product for this place.",
    COLD_START: "Nothing is known of the pair yet: the catalogue alone suggests it, and the lot allowed to try it.",
}
"""Why an offer is shown. Each has a text for shoppers in `texts.WHY`."""

GATES = {
    "preference_none": "The shopper wants no offers.",
    "not_ready": "Bad experiences outweigh the good ones.",
    "cap_session": "The shopper has seen enough in this session.",
    "cap_day": "The shopper has seen enough today.",
    "cap_month": "The shopper has seen enough this month.",
    "cap_shop_day": "The shop has shown as many cards today as its merchant allows.",
    "budget_taken": "Another page of the shopper's took the last of the budget at the same moment.",
    "quiet_returns": "The page is about returns.",
    "quiet_cancel": "The page is about cancelling.",
    "quiet_order_tracking": "The page is about an order that is on its way or in trouble.",
    "quiet_payment": "The shopper is paying.",
    "quiet_login": "The shopper is signing in.",
    "quiet_policy": "The page tells of rights and policies.",
    "quiet_accessibility": "The page is about accessibility.",
    **CUSTOMER_GATES,
}
"""Why a shopper is asked nothing at all, whatever the offers."""

EMPTY_REASONS = {
    "holdout": "This shopper is in the holdout and never sees an offer.",
    "no_offers": "The shop has no live offer.",
}
"""Why a decision shows nothing, besides the rejection codes."""
