"""What happens to customers after they bought, over HTTP alone: a good parcel, a late one, a return, a ticket, a wish.

Each story is one customer: what happened, what they were shown before and after, and how long it took.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import requests

from shopify_upsell.devstore.browsing import (
    add_to_cart,
    ask_after_purchase,
    ask_offers,
    check_out,
    open_block,
    order_on_receipt,
    pick_product,
    proxy_of,
)
from shopify_upsell.devstore.shopper import TIMEOUT, JourneyFailed, Shopper

FIRST_CUSTOMER = 9_100_000_001
"""Numbers that no generated customer has."""

CUSTOMERS_TRIED = 60
SILENCE_SECONDS = 60.0
"""By then every surface must have heard. Source: the promise to shoppers; a test of its own measures it."""

ASKED_EVERY = 0.5

WHOLE_SECOND = 1.1
"""Carriers' times have whole seconds; a promise of the very second of the arrival is none. Units: seconds."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a stored decision is what it is. `gate` refused every offer, `until` is its end, where there is one.

    `reasons`: codes of the customer's readiness, where something is known of them.
    """

    gate: str | None
    until: str | None
    sentence: str
    reasons: tuple[str, ...] = ()


Explain: TypeAlias = Callable[[str], Explained]


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the stories happen. `explain` asks the app why; `signals_key` lets a helpdesk speak."""

    store_url: str
    app_url: str
    explain: Explain
    signals_key: str


@dataclass(slots=True)
class Story:
    """What happened to one customer. Units: cards on one page; `seconds` from the news to the answer that honours it.

    `cards_again`: once the trouble was over, of which `ended` tells; None where the story does not get there.
    """

    name: str
    happened: str
    customer_id: int
    cards_before: int
    cards_after: int = 0
    decision_id: str = ""
    gate: str | None = None
    until: str | None = None
    sentence: str = ""
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0
    ended: str = ""
    cards_again: int | None = None
    places_asked: tuple[str, ...] = ("theme/product_page",)


@dataclass(slots=True)
class Customer:
    """A logged-in customer in front of one product's page. Units: `news_at` seconds of the monotonic clock."""

    number: int
    shopper: Shopper
    product: dict[str, Any]
    block: dict[str, str]
    offers: list[dict[str, Any]] = field(default_factory=list)
    decision_id: str = ""
    news_at: float = 0.0

    def ask(self) -> int:
        """Look at the page again; gives the number of cards. One at a time, so that the budget lasts."""
        answer = ask_offers(self.shopper, self.block, limit=1)
        self.offers, self.decision_id = answer["offers"], answer.get("decision_id", "")
        return len(self.offers)

    def buy(self) -> int:
        """Buy the product, without what is offered beside it; gives the order."""
        add_to_cart(self.shopper, self.product)
        return order_on_receipt(self.shopper, check_out(self.shopper))

    def switch(self, path: str, **said: Any) -> dict[str, Any]:
        """Let the dev store do something; that is news for the app."""
        self.news_at = time.monotonic()
        return self.shopper.store_json("POST", f"/_dev/{path}", said)

    def say(self, path: str, **said: Any) -> dict[str, Any]:
        """Tell the app something, as its block does; that is news too."""
        self.news_at = time.monotonic()
        return self.shopper.store_json("POST", f"{proxy_of(self.block)}/{path}", said)


def walk_afterwards(scene: Scene, hear: Callable[[Story], None] = lambda _: None) -> list[Story]:
    """Live every story, each with a customer who was shown an offer before; `hear` is told of each as it ends.

    Raises: JourneyFailed naming the first step that was not observed.
    """
    told: list[Story] = []
    number = FIRST_CUSTOMER
    for tell in STORIES:
        customer = _customer_with_offers(scene, number)
        number = customer.number + 1
        told.append(tell(scene, customer))
        hear(told[-1])
    return told


def good_parcel(scene: Scene, customer: Customer) -> Story:
    """They open an account, agree to mails, and the parcel comes on the promised day."""
    happened = "opened an account, agreed to mails, bought, and the parcel came on the promised day"
    story = Story("delivered_on_time", happened, customer.number, len(customer.offers))
    customer.switch(f"customers/{customer.number}/account", state="enabled")
    customer.switch(f"customers/{customer.number}/consent", state="subscribed")
    _deliver(customer, customer.buy(), promised=datetime.now(UTC) + timedelta(days=2))
    _flush(customer)
    return _until(scene, customer, story, lambda why: "delivered_on_time" in why.reasons, has_cards=True)


def late_parcel(scene: Scene, customer: Customer) -> Story:
    """The parcel comes three days after the day that the carrier named."""
    story = Story("late_delivery", "bought, and the parcel came three days late", customer.number, len(customer.offers))
    _deliver(customer, customer.buy(), promised=datetime.now(UTC) - timedelta(days=3))
    return _until_closed(scene, customer, story, "late_delivery")


def return_called_off(scene: Scene, customer: Customer) -> Story:
    """They ask to send it back, and change their mind."""
    story = Story("return_requested", "asked to return the order", customer.number, len(customer.offers))
    order_id = customer.buy()
    _flush(customer)
    asked = customer.switch(f"orders/{order_id}/return", action="request")
    _until_closed(scene, customer, story, "return_in_progress")
    customer.switch(f"orders/{order_id}/return", action="cancel", return_id=asked["return_id"])
    story.ended, story.cards_again = "they changed their mind", _cards_again(customer, story)
    return story


def ticket(scene: Scene, customer: Customer) -> Story:
    """The helpdesk tells of a ticket, and later that it was solved."""
    story = Story("ticket_opened", "wrote to support", customer.number, len(customer.offers))
    _tell_helpdesk(scene, customer, "ticket_opened", datetime.now(UTC) - timedelta(minutes=1))
    _until_closed(scene, customer, story, "open_ticket")
    _tell_helpdesk(scene, customer, "ticket_solved_happy", datetime.now(UTC))
    story.ended, story.cards_again = "they were helped", _cards_again(customer, story)
    return story


def snooze(scene: Scene, customer: Customer) -> Story:
    """They want a pause of thirty days."""
    story = Story("snooze", "asked for a pause of 30 days", customer.number, len(customer.offers))
    card = {"decision_id": customer.decision_id, "offer_id": customer.offers[0]["offer_id"]}
    customer.say("events", **card, event="snooze", days=30)
    return _until_closed(scene, customer, story, "suppressed_snoozed")


def no_offers(scene: Scene, customer: Customer) -> Story:
    """They want no offers: none on the product page, in the cart, or after the purchase."""
    story = Story("preference_none", "chose to get no offers at all", customer.number, len(customer.offers))
    customer.say("preferences", level="none")
    _until_closed(scene, customer, story, "preference_none")
    add_to_cart(customer.shopper, customer.product)
    cart = open_block(customer.shopper, "/cart")
    settings = check_out(customer.shopper)
    answers = {
        "theme/cart": ask_offers(customer.shopper, cart),
        "post_purchase/offer": ask_after_purchase(customer.shopper, settings),
    }
    story.cards_after = sum(len(answer["offers"]) for answer in answers.values())
    story.places_asked += tuple(answers)
    return story


STORIES = (good_parcel, late_parcel, return_called_off, ticket, snooze, no_offers)


def _customer_with_offers(scene: Scene, number: int) -> Customer:
    """The next customer who is shown something; one in the holdout never is."""
    for tried in range(CUSTOMERS_TRIED):
        shopper = Shopper(scene.store_url, scene.app_url)
        shopper.agree()
        shopper.session.cookies.set("customer", str(number + tried))
        product = pick_product(shopper, tried)
        block = open_block(shopper, f"/products/{product['handle']}")
        customer = Customer(number + tried, shopper, product, block)
        if customer.ask():
            return customer
    raise JourneyFailed(f"None of {CUSTOMERS_TRIED} customers was shown an offer.")


def _deliver(customer: Customer, order_id: int, *, promised: datetime) -> None:
    """Ship an order, let the carrier name the day, and let the parcel arrive now."""
    parcel = customer.switch(f"orders/{order_id}/ship")
    track, named = f"orders/{order_id}/track", {"fulfillment_id": parcel["fulfillment_id"]}
    customer.switch(track, **named, status="in_transit", estimated_delivery_at=promised.isoformat())
    time.sleep(WHOLE_SECOND)
    customer.switch(track, **named, status="delivered")


def _flush(customer: Customer) -> None:
    customer.shopper.store_json("POST", "/_dev/webhooks/flush?timeout=60")


def _until_closed(scene: Scene, customer: Customer, story: Story, gate: str) -> Story:
    return _until(scene, customer, story, lambda why: why.gate == gate)


def _until(
    scene: Scene, customer: Customer, story: Story, is_honoured: Callable[[Explained], bool], *, has_cards: bool = False
) -> Story:
    """Ask until a decision honours the latest news, and write it into the story.

    Raises: JourneyFailed after a minute.
    """
    while (asked_at := time.monotonic()) - customer.news_at < SILENCE_SECONDS:
        story.cards_after, story.decision_id = customer.ask(), customer.decision_id
        # Caps silence as well, and an explanation takes its time: only an answer as expected is looked into.
        if story.decision_id and bool(story.cards_after) == has_cards:
            why = scene.explain(story.decision_id)
            if is_honoured(why):
                story.seconds = round(asked_at - customer.news_at, 2)
                story.gate, story.until, story.sentence, story.reasons = why.gate, why.until, why.sentence, why.reasons
                return story
        time.sleep(ASKED_EVERY)
    raise JourneyFailed(f"A customer {story.happened}, and {SILENCE_SECONDS:.0f} s later no decision knew of it.")


def _cards_again(customer: Customer, story: Story) -> int:
    """Cards once the trouble is over. Raises: JourneyFailed when there are none for a minute."""
    started = time.monotonic()
    while time.monotonic() - started < SILENCE_SECONDS:
        if cards := customer.ask():
            return cards
        time.sleep(ASKED_EVERY)
    raise JourneyFailed(f"A customer {story.happened}, and {SILENCE_SECONDS:.0f} s later still saw no offers.")


def _tell_helpdesk(scene: Scene, customer: Customer, kind: str, occurred_at: datetime) -> None:
    """Tell a signal as a helpdesk does. Raises: JourneyFailed when it is refused."""
    customer.news_at = time.monotonic()
    signal = {
        "kind": kind,
        "customer_id": customer.number,
        "occurred_at": occurred_at.isoformat(),
        "external_id": f"ticket-{customer.number}",
    }
    answer = requests.post(
        f"{scene.app_url}/api/v1/signals",
        json={"signals": [signal]},
        headers={"Authorization": f"Bearer {scene.signals_key}"},
        timeout=TIMEOUT,
    )
    if answer.status_code != 200 or answer.json() != {"accepted": 1, "new": 1}:
        raise JourneyFailed(f"The app did not take the signal {kind}: {answer.status_code} {answer.text[:200]}")
