"""The whole journey as a shopper takes it, over HTTP alone: product page, offer, cart, checkout, post-purchase, thanks.

Every step that is not observed stops the journey with a sentence that says so.
"""

from dataclasses import dataclass, field
from typing import Any

from shopify_upsell.devstore.browsing import (
    add_to_cart,
    ask_after_purchase,
    ask_offers,
    check_out,
    open_block,
    order_on_receipt,
    pick_product,
    proxy_of,
    reference_of,
    token_of,
)
from shopify_upsell.devstore.shopper import JourneyFailed, Shopper, id_number

__all__ = ["JourneyFailed", "walk_journey"]

VISITORS_TRIED = 40
TOKEN_PROPERTY = "_wp"  # noqa: S105 - the name of a line property
FLUSH_SECONDS = 60


@dataclass(slots=True)
class _Observed:
    """What has been seen so far, over all the visitors it took."""

    visitors: int = 0
    holdout_decisions: int = 0
    accepted_minor_units: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    order_ids: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def walk_journey(store_url: str, app_url: str) -> dict[str, Any]:
    """Walk until one shopper has accepted both an offer on the product page and one after the purchase.

    A visitor in the holdout is shown nothing, so further visitors come until one is not.

    Units: accepted_minor_units are minor units of the shop's currency, of all orders placed on the way.
    Raises: JourneyFailed naming the first step that was not observed.
    """
    observed = _Observed()
    while not observed.facts.get("post_purchase_accepted"):
        if observed.visitors >= VISITORS_TRIED:
            raise JourneyFailed(f"{_missing(observed)} after {observed.visitors} visitors.")
        _one_visitor(store_url, app_url, observed)
    Shopper(store_url, app_url).store_json("POST", f"/_dev/webhooks/flush?timeout={FLUSH_SECONDS}")
    return {
        **observed.facts,
        "visitors_tried": observed.visitors,
        "holdout_decisions": observed.holdout_decisions,
        "accepted_minor_units": observed.accepted_minor_units,
        "order_ids": observed.order_ids,
        "reasons": observed.reasons,
    }


def _missing(observed: _Observed) -> str:
    if not observed.facts.get("decision_id"):
        return "The app never answered the product page with a decision"
    if not observed.facts.get("offer_shown"):
        return "No product page showed an offer"
    return "No offer was shown after the purchase"


def _one_visitor(store_url: str, app_url: str, observed: _Observed) -> None:
    shopper = Shopper(store_url, app_url)
    product = pick_product(shopper, observed.visitors)
    observed.visitors += 1
    shopper.agree()
    block = open_block(shopper, f"/products/{product['handle']}")
    answer = ask_offers(shopper, block)
    if answer.get("decision_id"):
        observed.facts["decision_id"] = answer["decision_id"]
    if not answer.get("offers"):
        observed.holdout_decisions += bool(answer.get("decision_id"))
        return
    offer = next((row for row in answer["offers"] if row["kind"] == "cross_sell"), answer["offers"][0])
    observed.facts.update(
        offer_shown=True,
        offer_kind=offer["kind"],
        product=product["title"],
        offered=", ".join(item.get("title", "") for item in offer["items"]),
        why=offer["why"]["text"],
    )
    observed.reasons.append(offer["why"]["code"])
    _add_to_cart(shopper, block, answer["decision_id"], offer, product)
    observed.facts["cart_token_seen"] = True
    _buy(shopper, observed)


def _add_to_cart(
    shopper: Shopper, block: dict[str, str], decision_id: str, offer: dict[str, Any], product: dict[str, Any]
) -> None:
    """See the offer, click it, add the product looked at and then the offer in one click."""
    events = f"{proxy_of(block)}/events"
    said = {"decision_id": decision_id, "offer_id": offer["offer_id"]}
    for event in ("impression", "click"):
        if not shopper.store_json("POST", events, {**said, "event": event}).get("recorded"):
            raise JourneyFailed(f"The app did not record the {event}.")
    if offer.get("replaces") is None:
        add_to_cart(shopper, product)
    items = [
        {
            "id": id_number(item["variant_id"]),
            "quantity": item["quantity"],
            "properties": {TOKEN_PROPERTY: item["token"]},
        }
        for item in offer["items"]
    ]
    shopper.store_json("POST", "/cart/add.js", {"items": items})
    shopper.store_json("POST", events, {**said, "event": "accept"})
    lines = shopper.store_json("GET", "/cart.js")["items"]
    carried = {line["properties"].get(TOKEN_PROPERTY) for line in lines}
    if not {item["token"] for item in offer["items"]} <= carried:
        raise JourneyFailed("The cart does not carry the offer's token.")
    if any(item["token"] in shopper.page("/cart") for item in offer["items"]):
        raise JourneyFailed("The cart page shows the offer's token to the shopper.")


def _buy(shopper: Shopper, observed: _Observed) -> None:
    """Check out, take the post-purchase step, and read the receipt."""
    settings = check_out(shopper)
    accepted = _accept_after_purchase(shopper, settings, observed)
    order = shopper.store_json("GET", f"/_dev/orders/{order_on_receipt(shopper, settings)}")
    _read_order(order, accepted, observed)


def _accept_after_purchase(shopper: Shopper, settings: dict[str, Any], observed: _Observed) -> list[int]:
    """Play the post-purchase extension: ask, show, sign, apply. Gives the variants added, if any."""
    token, reference = token_of(settings), reference_of(settings)
    answer = ask_after_purchase(shopper, settings)
    if not answer.get("offers"):
        observed.holdout_decisions += bool(answer.get("decision_id"))
        return []
    offer = answer["offers"][0]
    said = {**reference, "decision_id": answer["decision_id"], "offer_id": offer["offer_id"]}
    shopper.extension_json("/ext/post-purchase/events", token, {**said, "event": "impression"})
    signed = shopper.extension_json("/ext/post-purchase/sign", token, said)["token"]
    priced = shopper.store_json("POST", settings["calculateUrl"], {"token": signed})
    if priced.get("status") != "processed":
        raise JourneyFailed(f"The checkout could not price the signed changeset: {priced.get('errors')}.")
    applied = shopper.store_json("POST", settings["applyUrl"], {"token": signed})
    if applied.get("status") != "processed":
        raise JourneyFailed(f"The checkout refused the signed changeset: {applied.get('errors')}.")
    shopper.extension_json("/ext/post-purchase/events", token, {**said, "event": "accept"})
    observed.facts.update(post_purchase_accepted=True, post_purchase_decision_id=answer["decision_id"])
    return [id_number(item["variant_id"]) for item in offer["items"]]


def _read_order(order: dict[str, Any], accepted: list[int], observed: _Observed) -> None:
    """Count what was accepted: lines with the token, and the lines that the changeset added at the end."""
    with_token = [line for line in order["lines"] if TOKEN_PROPERTY in line["properties"]]
    if not with_token:
        raise JourneyFailed("The order's lines do not carry the offer's token.")
    added = order["lines"][len(order["lines"]) - len(accepted) :] if accepted else []
    if [line["variant_id"] for line in added] != accepted:
        raise JourneyFailed("The order does not hold what was accepted after the purchase.")
    observed.order_ids.append(order["order_id"])
    observed.facts.update(order_id=order["order_id"], currency=order["currency"])
    observed.facts["theme_minor_units"] = sum(line["net_minor_units"] for line in with_token)
    observed.facts["post_purchase_minor_units"] = sum(line["net_minor_units"] for line in added)
    observed.accepted_minor_units += sum(line["net_minor_units"] for line in [*with_token, *added])
