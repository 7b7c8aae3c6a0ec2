"""A seeded history of webhook deliveries: orders paid, edited, refunded, cancelled and deleted, some with tokens."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shopify_upsell.attribution.token import OfferClaim, write_token
from shopify_upsell.core import DecisionId, OfferId, ShopId, VariantId
from shopify_upsell.keyring import SigningKey

START = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Message:
    """One webhook as Shopify would send it."""

    topic: str
    webhook_id: str
    triggered_at: datetime
    body: bytes


class History:
    """Writes the messages of a shop's orders, in the order in which they happened."""

    def __init__(self, seed: int, key: SigningKey, shop_id: ShopId) -> None:
        self._random = random.Random(seed)
        self._key, self._shop_id = key, shop_id
        self.messages: list[Message] = []

    def write(self, count: int) -> list[Message]:
        """At least `count` messages; whole orders only."""
        order_id = 5_000_000_000
        while len(self.messages) < count:
            order_id += 1
            self._order(order_id)
        return self.messages[:count]

    def _order(self, order_id: int) -> None:
        chance = self._random.random
        moment = START + timedelta(minutes=self._random.randrange(40_000))
        order = self._new_order(order_id, moment)
        self._say("orders/create", order, moment)
        order |= {"financial_status": "paid"}
        moment = self._say_later("orders/paid", order, moment, seconds=self._random.choice((0, 0, 1, 5)))
        if chance() < 0.35:
            moment = self._edit(order, moment)
        if chance() < 0.4:
            moment = self._refund(order, moment)
        if chance() < 0.15:
            moment = self._refund(order, moment)
        if chance() < 0.12:
            moment += timedelta(minutes=3)
            order |= {"cancelled_at": moment.isoformat()}
            self._say_later("orders/cancelled", order, moment, seconds=0)
        if chance() < 0.03:
            self._say("orders/delete", {"id": order_id}, moment + timedelta(minutes=9), stamp=False)

    def _new_order(self, order_id: int, moment: datetime) -> dict:
        lines = [self._line(order_id * 10 + n) for n in range(self._random.randrange(1, 5))]
        return {
            "id": order_id,
            "created_at": moment.isoformat(),
            "processed_at": moment.isoformat(),
            "cancelled_at": None,
            "test": False,
            "source_name": "web",
            "financial_status": "pending",
            "currency": "USD",
            "presentment_currency": "USD",
            "taxes_included": False,
            "cart_token": f"cart{order_id}",
            "checkout_token": f"checkout{order_id}",
            "customer": {"id": 7_000 + order_id % 90} if self._random.random() < 0.7 else None,
            "line_items": lines,
            "refunds": [],
        }

    def _line(self, line_id: int) -> dict:
        quantity, price = self._random.randrange(1, 4), self._random.randrange(500, 9000)
        product = self._random.randrange(1, 40)
        discount = self._random.choice((0, 0, 0, price // 10))
        return {
            "id": line_id,
            "product_id": product,
            "variant_id": product * 10,
            "quantity": quantity,
            "current_quantity": quantity,
            "price": f"{price / 100:.2f}",
            "discount_allocations": [{"amount": f"{discount / 100:.2f}"}] if discount else [],
            "tax_lines": [],
            "gift_card": False,
            "properties": self._properties(product * 10, line_id),
        }

    def _properties(self, variant_id: int, line_id: int) -> list[dict]:
        if self._random.random() > 0.4:
            return []
        # One token in ten is the same on several lines: only the earliest order may earn the credit.
        nonce = "shared" if self._random.random() < 0.1 else f"n{line_id}"
        claim = OfferClaim(
            shop_id=self._shop_id,
            decision_id=DecisionId("d" * 32),
            offer_id=OfferId(1),
            variant_id=VariantId(variant_id),
            max_quantity=1,
            expires_at=START + timedelta(days=90),
            nonce=nonce,
            book="cross_sell",
            placement="theme/product_page",
        )
        return [{"name": "_wp", "value": write_token(claim, self._key)}]

    def _edit(self, order: dict, moment: datetime) -> datetime:
        moment += timedelta(minutes=self._random.randrange(1, 50))
        edit_id = order["id"] * 100 + self._random.randrange(99)
        additions, removals = [], []
        if self._random.random() < 0.5:
            line = self._line(order["id"] * 10 + 9)
            order["line_items"] = [*order["line_items"], line]
            additions.append({"id": line["id"], "delta": line["quantity"]})
        else:
            line = dict(order["line_items"][0])
            line["current_quantity"] = max(0, line["current_quantity"] - 1)
            order["line_items"] = [line, *order["line_items"][1:]]
            removals.append({"id": line["id"], "delta": 1})
        edit = {
            "id": edit_id,
            "order_id": order["id"],
            "created_at": moment.isoformat(),
            "committed_at": moment.isoformat(),
            "line_items": {"additions": additions, "removals": removals},
        }
        self._say("orders/edited", {"order_edit": edit}, moment, stamp=False)
        return self._say_later("orders/updated", order, moment, seconds=self._random.choice((0, 1)))

    def _refund(self, order: dict, moment: datetime) -> datetime:
        moment += timedelta(minutes=self._random.randrange(1, 500))
        line = dict(self._random.choice(order["line_items"]))
        amount_only = self._random.random() < 0.3 or line["current_quantity"] == 0
        unit = round(float(line["price"]) * 100)
        refund = {
            "id": order["id"] * 1000 + len(order["refunds"]) + 1,
            "order_id": order["id"],
            "created_at": moment.isoformat(),
            "processed_at": moment.isoformat(),
            "refund_line_items": [],
            "transactions": [],
            "order_adjustments": [],
        }
        if amount_only:
            refund["order_adjustments"] = [{"kind": "refund_discrepancy", "amount": f"-{unit / 300:.2f}"}]
        else:
            refund["refund_line_items"] = [
                {"id": refund["id"], "line_item_id": line["id"], "quantity": 1, "subtotal": unit / 100, "total_tax": 0}
            ]
            line["current_quantity"] -= 1
            order["line_items"] = [line if other["id"] == line["id"] else other for other in order["line_items"]]
        order |= {"refunds": [*order["refunds"], refund], "financial_status": "partially_refunded"}
        self._say("refunds/create", refund, moment, stamp=False)
        return self._say_later("orders/updated", order, moment, seconds=1)

    def _say_later(self, topic: str, order: dict, moment: datetime, *, seconds: int) -> datetime:
        moment += timedelta(seconds=seconds, milliseconds=self._random.randrange(1, 900))
        self._say(topic, order, moment)
        return moment

    def _say(self, topic: str, document: dict, moment: datetime, *, stamp: bool = True) -> None:
        # Shopify's updated_at has whole seconds: versions within one second differ by Triggered-At only.
        said = document | ({"updated_at": moment.replace(microsecond=0).isoformat()} if stamp else {})
        number = len(self.messages) + 1
        self.messages.append(Message(topic, f"webhook-{number:06d}", moment, json.dumps(said).encode()))
