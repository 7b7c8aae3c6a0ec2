"""The three things worth a merchant's next hour, best first: expected margin a month for each minute of work.

Pure. Comes in: what is measured of the shop. Goes out: exactly three actions, each about one thing and with one number,
always the same for the same facts. Done things drop out of the facts, and the next best moves up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WHOLE = 10_000
MONTHS = 12
COUNT = 3

TAKEN = 300
"""Of 10,000 orders, those in which a new offer is expected to be taken. Assumption: one card in thirty."""

AVOIDABLE = 5_000
"""Share of refunds that mending a product is expected to avoid. Assumption: half."""

MISJUDGED = 100
"""Share of a product's sales that a wrong cost is expected to misplace. Assumption: one per cent."""

LABELS = {
    "restock_product": "Bring a product that sells well back into stock.",
    "mend_product": "Find out why a product is sent back so often: it is left out of offers until then.",
    "state_cost": "Say what a product costs: until then its margin is assumed and cannot decide a rank.",
    "resume_offer": "Look at an offer that paused itself, and say why it may go on or let it rest.",
    "launch_draft": "Let a draft go live that passes every launch check.",
    "finish_draft": "Mend what keeps a draft from going live.",
    "write_offer": "Write an offer for a placement that has none.",
    "read_holds": "Read why customers are on hold: each is somebody who is unhappy.",
    "set_target": "Set a target for the month, so that the report can say how far you are.",
}
"""Every action in one sentence, by its code."""

MINUTES = {
    "restock_product": 60,
    "mend_product": 240,
    "state_cost": 2,
    "resume_offer": 10,
    "launch_draft": 5,
    "finish_draft": 20,
    "write_offer": 30,
    "read_holds": 15,
    "set_target": 3,
}
"""How long each is expected to take. Assumption of ours."""


@dataclass(frozen=True, slots=True)
class SellingFact:
    """A product. Units: `sold` and `refunded` pieces in the last year; `price` minor units of its cheapest variant."""

    product_id: int
    sold: int
    refunded: int
    price: int


@dataclass(frozen=True, slots=True)
class DraftFact:
    """A draft, and how many blocking launch checks it fails."""

    offer_id: int
    failing_count: int


@dataclass(frozen=True, slots=True)
class IncidentFact:
    """An offer that paused itself. Units: lines taken, and regretted of them, at that time."""

    offer_id: int
    taken_count: int
    regretted_count: int


@dataclass(frozen=True, slots=True)
class ShopFacts:
    """What is measured of a shop.

    `sold_out`, `poor`, `uncosted`: products that cannot be bought; that too many send back; whose cost nobody stated.
    `empty_placements`: served, and without a live offer. Units: `margin_basis_points` of a price are left after goods;
    `order_value` minor units of an order in the middle; `order_count` in the last 30 days.
    """

    currency: str
    margin_basis_points: int
    order_count: int
    order_value: int
    sold_out: tuple[SellingFact, ...] = ()
    poor: tuple[SellingFact, ...] = ()
    uncosted: tuple[SellingFact, ...] = ()
    drafts: tuple[DraftFact, ...] = ()
    incidents: tuple[IncidentFact, ...] = ()
    empty_placements: tuple[str, ...] = ()
    hold_count: int = 0


@dataclass(frozen=True, slots=True)
class NextAction:
    """One thing to do. `entity`: kind and id of what it is about. `measured`: a name and the number behind it.

    Units: `expected_minor_units` margin a month, an estimate from assumptions; `minutes` of work.
    """

    code: str
    entity: tuple[str, str]
    measured: tuple[str, int]
    expected_minor_units: int
    minutes: int

    @property
    def worth(self) -> float:
        """Expected margin a minute."""
        return self.expected_minor_units / self.minutes


def next_actions(facts: ShopFacts) -> tuple[NextAction, NextAction, NextAction]:
    """Choose exactly three. Ties go to the shorter work, then by code and entity; nothing is asked twice."""
    ranked = sorted(_actions(facts), key=lambda one: (-one.worth, one.minutes, one.code, _key(one.entity)))
    first, second, third = ranked[:COUNT]
    return first, second, third


def _actions(facts: ShopFacts) -> Iterator[NextAction]:
    yield from _product_actions(facts)
    a_card = _margin(facts, facts.order_value)
    a_month = facts.order_count * TAKEN * a_card // WHOLE
    for draft in facts.drafts:
        code = "finish_draft" if draft.failing_count else "launch_draft"
        yield _action(code, ("offer", draft.offer_id), ("failing_checks", draft.failing_count), a_month)
    for incident in facts.incidents:
        kept = incident.taken_count - incident.regretted_count
        counted = ("regretted_lines", incident.regretted_count)
        yield _action("resume_offer", ("offer", incident.offer_id), counted, max(kept, 0) * a_card // MONTHS)
    for placement in facts.empty_placements:
        yield _action("write_offer", ("placement", placement), ("orders_30_days", facts.order_count), a_month)
    # Always there, so that there are always three: what costs nothing and earns nothing that can be counted.
    yield _action("read_holds", ("shop", "customers"), ("customers_on_hold", facts.hold_count), 0)
    yield _action("set_target", ("shop", "targets"), ("orders_30_days", facts.order_count), 0)
    yield _action("write_offer", ("shop", "offers"), ("drafts", len(facts.drafts)), 0)


def _product_actions(facts: ShopFacts) -> Iterator[NextAction]:
    for one in facts.sold_out:
        lost = _margin(facts, one.sold * one.price) // MONTHS
        yield _action("restock_product", ("product", one.product_id), ("pieces_sold_last_year", one.sold), lost)
    for one in facts.poor:
        lost = _margin(facts, one.refunded * one.price) * AVOIDABLE // WHOLE // MONTHS
        yield _action("mend_product", ("product", one.product_id), ("pieces_sent_back", one.refunded), lost)
    for one in facts.uncosted:
        misjudged = one.sold * one.price * MISJUDGED // WHOLE // MONTHS
        yield _action("state_cost", ("product", one.product_id), ("pieces_sold_last_year", one.sold), misjudged)


def _margin(facts: ShopFacts, value: int) -> int:
    return value * facts.margin_basis_points // WHOLE


def _action(code: str, entity: tuple[str, object], measured: tuple[str, int], expected: int) -> NextAction:
    return NextAction(code, (entity[0], str(entity[1])), measured, expected, MINUTES[code])


def _key(entity: tuple[str, str]) -> tuple[str, int, str]:
    """Ids in the order of their numbers."""
    kind, name = entity
    return kind, int(name) if name.isdigit() else 0, name


def listed(actions: Iterable[NextAction], currency: str) -> list[dict[str, object]]:
    """Actions as plain JSON values."""
    return [
        {
            "code": one.code,
            "sentence": LABELS[one.code],
            "entity": {"kind": one.entity[0], "id": one.entity[1]},
            "measured": {"name": one.measured[0], "value": one.measured[1]},
            "expected_margin_a_month": {"minor_units": one.expected_minor_units, "currency": currency},
            "is_assumed": True,
            "minutes": one.minutes,
        }
        for one in actions
    ]
