"""The closed vocabulary: why something is not shown, and why it is. Every code has one sentence.

Pure. `docs/rejection-codes.md` explains each with an example; a test keeps both complete.
"""

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
    "negative_edge": "Buyers of the one product clearly do not go on to the other, or the merchant said so.",
    "weak_evidence": "The two products do not sell together more often than by chance.",
    "suppressed_dismissed": "The shopper dismissed the product less than 30 days ago.",
    "suppressed_snoozed": "The shopper asked for a pause that has not ended.",
    "requires_components": "The variant is made of components that must be chosen first.",
    "out_of_stock": "No variant can be bought at the moment.",
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
    "picked_by_shop": "The merchant picked this product for this place.",
}
"""Why an offer is shown. Each has a text for shoppers in `texts.WHY`."""

EMPTY_REASONS = {
    "holdout": "This shopper is in the holdout and never sees an offer.",
    "no_offers": "The shop has no live offer.",
}
"""Why a decision shows nothing, besides the rejection codes."""
