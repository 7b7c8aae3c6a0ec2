"""What shoppers read: one headline a kind and one short reason an offer, a greeting and a fact of their own orders.

Pure. English is complete; another language falls back to it word by word. No text names a price or a deadline.
"""

from shopify_upsell.matrix.exploring import COLD_START

FALLBACK = "en"
AFTER_PURCHASE = "post_purchase"

HEADLINES = {
    "en": {
        "cross_sell": "Goes well with this",
        "up_sell": "A larger size",
        "bundle": "Complete the set",
        "quantity": "Take another with you",
        "replenish": "Running low?",
        "subscribe": "Delivered regularly",
        "free_shipping": "Free shipping is close",
        "gift": "A gift with your order",
        AFTER_PURCHASE: "Goes with your order",
    },
    "de": {
        "cross_sell": "Passt gut dazu",
        "up_sell": "Eine größere Größe",
        "bundle": "Als Set",
        "quantity": "Gleich mehr mitnehmen",
        "replenish": "Bald aufgebraucht?",
        "subscribe": "Regelmäßig geliefert",
        "free_shipping": "Bald versandkostenfrei",
        "gift": "Ein Geschenk zur Bestellung",
        AFTER_PURCHASE: "Passt zu Ihrer Bestellung",
    },
}

UNTRIED = {"en": {COLD_START: "Also in our shop"}, "de": {COLD_START: "Auch bei uns im Shop"}}
"""Title of a card of which nothing is known yet: it may not claim that the two go together."""

WHY = {
    "en": {
        "often_bought_together": "Often bought together",
        "completes_the_set": "Often bought as a set",
        "goes_with_purchase": "Often bought with what you ordered",
        "larger_size": "Larger size of the one in your cart",
        "larger_quantity": "More of the one in your cart",
        "running_out": "The one you bought may be running out",
        "regular_delivery": "Comes regularly, without ordering again",
        "closes_the_gap": "Takes your cart to free shipping",
        "gift_with_cart": "Comes with this cart",
        "picked_by_shop": "Picked by the shop",
        COLD_START: "A suggestion that we are trying out",
    },
    "de": {
        "often_bought_together": "Oft zusammen gekauft",
        "completes_the_set": "Oft als Set gekauft",
        "goes_with_purchase": "Oft mit Ihrer Bestellung gekauft",
        "larger_size": "Größer als die im Warenkorb",
        "larger_quantity": "Mehr von dem im Warenkorb",
        "running_out": "Ihr Vorrat könnte zur Neige gehen",
        "regular_delivery": "Kommt regelmäßig, ohne neu zu bestellen",
        "closes_the_gap": "Damit ist der Versand kostenlos",
        "gift_with_cart": "Gehört zu diesem Warenkorb",
        "picked_by_shop": "Vom Shop ausgesucht",
        COLD_START: "Ein Vorschlag, den wir ausprobieren",
    },
}


GREETINGS = {
    "en": {"with_name": "{first_name}, this may suit you", "without_name": "This may suit you"},
    "de": {"with_name": "{first_name}, das könnte passen", "without_name": "Das könnte passen"},
}
"""The place in braces is filled in the shopper's own browser: the name never comes to our server."""

FACTS = {
    "en": {
        "bought_once": "You have bought this once in the last two years",
        "bought_often": "You have bought this {count} times in the last two years",
    },
    "de": {
        "bought_once": "Sie haben das in den letzten zwei Jahren einmal gekauft",
        "bought_often": "Sie haben das in den letzten zwei Jahren {count}-mal gekauft",
    },
}
"""Two years: as far back as a decision looks at what somebody owns, so that the number is the whole truth of it."""


def headline_of(kind: str, placement: str, locale: str | None, reason_code: str = "") -> str:
    """Title of a card. After a purchase it speaks of the order, for every kind; of a try it claims nothing."""
    if reason_code == COLD_START:
        return _text(UNTRIED, COLD_START, locale)
    key = AFTER_PURCHASE if placement.startswith(AFTER_PURCHASE + "/") else kind
    return _text(HEADLINES, key, locale)


def reason_of(reason_code: str, locale: str | None) -> str:
    """The one reason on a card, in the shopper's language if we speak it."""
    return _text(WHY, reason_code, locale)


def greeting_of(locale: str | None) -> dict[str, str]:
    """How a card may greet somebody who agreed to it: with a place for the first name, and without."""
    return {key: _text(GREETINGS, key, locale) for key in ("with_name", "without_name")}


def fact_of(order_count: int, locale: str | None) -> str:
    """What the shopper's own orders say about a product. Units: orders that hold it, at least one."""
    key = "bought_once" if order_count == 1 else "bought_often"
    return _text(FACTS, key, locale).format(count=order_count)


def _text(texts: dict[str, dict[str, str]], key: str, locale: str | None) -> str:
    """Look for `de-AT` under `de`; unknown languages read English."""
    language = (locale or FALLBACK).replace("_", "-").split("-")[0].lower()
    return texts.get(language, {}).get(key) or texts[FALLBACK][key]
