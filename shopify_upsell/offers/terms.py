"""Terms of an offer: what it is for, what it gives, to whom, from when until when, and what it must earn.

Pure. Everything has a default that changes nothing, so that an offer written before a term existed reads as it did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.core import InvalidInput, VariantId
from shopify_upsell.money import EXPONENTS, LARGEST_AMOUNT
from shopify_upsell.offers.claims import benefit_problems

NONE, PERCENTAGE, AMOUNT, FIXED_PRICE = "none", "percentage", "amount", "fixed_price"
FREE_SHIPPING, GIFT = "free_shipping", "gift"
INCENTIVES = (NONE, PERCENTAGE, AMOUNT, FIXED_PRICE, FREE_SHIPPING, GIFT)

DISCOUNT_CLASSES = ("product", "order", "shipping")
"""Source: Shopify's three discount classes, admin schema 2026-10, `DiscountClass`."""

PRIMARY_METRICS = (
    "contribution_per_shopper",
    "net_revenue_per_shopper",
    "attach_rate",
    "acceptance_rate",
    "repeat_rate",
)

B2B = ("any", "only", "never")

LARGEST_DISCOUNT = 9000
"""Units: basis points. Above 90 % it is a mistake in a form, or a gift, and a gift is another kind of offer."""

WHOLE = 10_000
MOST_QUANTITY = 100
MOST_DAYS = 1095
LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Incentive:
    """What the shopper gets for saying yes.

    Units: `basis_points` off each unit; `minor_units` of `currency` off the whole offer (amount), or what one unit, or
    a whole bundle, costs (fixed_price); `threshold_minor_units` is the cart's value from which free shipping or the
    gift is given. `combines_with`: classes of other discounts that may apply as well. `is_shop_rate`: the merchant
    says that the shop's own shipping rates are free from the threshold on, which no discount tells.
    """

    kind: str = NONE
    basis_points: int = 0
    minor_units: int = 0
    currency: str = ""
    gift_variant_id: VariantId | None = None
    threshold_minor_units: int = 0
    combines_with: tuple[str, ...] = ()
    is_shop_rate: bool = False

    @property
    def is_promise(self) -> bool:
        """Tell whether a price, shipping or a gift is promised that Shopify would not charge by itself."""
        return self.kind != NONE


@dataclass(frozen=True, slots=True)
class RequiredAttribute:
    """A tag, metafield, company or market attribute that a shopper must be known to have."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom an offer is for. Empty: everybody. `countries`: ISO 3166 codes; `markets`: Shopify market handles."""

    stages: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    attributes: tuple[RequiredAttribute, ...] = ()
    b2b: str = "any"

    def has_attributes(self, known: Mapping[str, str]) -> bool:
        """Tell whether the shopper is known to have every attribute. What is not known does not match."""
        return all(known.get(wanted.name) == wanted.value for wanted in self.attributes)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an offer runs. `lasts_hours`: each customer's own deadline, counted from the first showing to them."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    lasts_hours: int | None = None

    def is_open(self, now: datetime) -> bool:
        """Tell whether the offer runs. The end is excluded."""
        has_begun = self.starts_at is None or self.starts_at <= now
        return has_begun and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class Floor:
    """The least contribution an offer may leave. Units: minor units an offer; basis points of its net price."""

    minor_units: int = 0
    basis_points: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """All terms of an offer.

    `objective`, `hypothesis`, `primary_metric`: why it exists and what decides whether it worked. `benefits`: at most
    three short lines. `solves`: what both products are for, in the merchant's words. `window_days`: first and last day
    after delivery, in the merchant's words, over what was learned. `needs_positive_signal`: only for shoppers with a
    good experience. `quantity`: pieces that a quantity offer ends at. `supply_days`: days one piece lasts, where
    nothing was learned. `max_per_customer` None: no limit of its own.
    """

    objective: str = ""
    hypothesis: str = ""
    primary_metric: str = ""
    incentive: Incentive = Incentive()
    schedule: Schedule = Schedule()
    audience: Audience = Audience()
    floor: Floor = Floor()
    max_per_customer: int | None = None
    benefits: tuple[str, ...] = ()
    solves: str = ""
    window_days: tuple[int, ...] | None = None
    needs_positive_signal: bool = True
    quantity: int | None = None
    supply_days: int | None = None


STANDARD_TERMS = Terms()


def expiry_of(schedule: Schedule, first_shown_at: datetime) -> datetime | None:
    """The one deadline of one customer: the same on every device and after every reload; None without a deadline."""
    ends = [schedule.ends_at] if schedule.ends_at is not None else []
    if schedule.lasts_hours is not None:
        ends.append(first_shown_at + timedelta(hours=schedule.lasts_hours))
    return min(ends) if ends else None


def check_purpose(terms: Terms) -> None:
    """Refuse an offer whose writer cannot say what it is for. Raises: InvalidInput naming the field."""
    for name in ("objective", "hypothesis", "primary_metric"):
        need(bool(getattr(terms, name).strip()), name, "is required")


def check_terms(terms: Terms) -> None:
    """Refuse terms that contradict themselves. Raises: InvalidInput naming the field."""
    for name in ("objective", "hypothesis", "solves"):
        text = getattr(terms, name)
        need(len(text) <= LONGEST_TEXT and "\n" not in text, name, "is one line of at most 200 characters")
    need(terms.primary_metric in ("", *PRIMARY_METRICS), "primary_metric", "is not one we measure")
    _check_incentive(terms.incentive)
    _check_schedule(terms.schedule)
    _check_limits(terms)
    need(terms.audience.b2b in B2B, "audience.b2b", "is any, only or never")
    for problem in benefit_problems(terms.benefits, is_reserved=bool(terms.audience.stages)):
        need(False, "benefits", problem)


def need(holds: bool, name: str, message: str) -> None:
    """Raises: InvalidInput naming the field unless the claim holds."""
    if not holds:
        raise InvalidInput(f"{name}: {message}")


def _check_incentive(one: Incentive) -> None:
    need(one.kind in INCENTIVES, "incentive.kind", "is unknown")
    needs_share, needs_amount = one.kind == PERCENTAGE, one.kind in (AMOUNT, FIXED_PRICE)
    need(bool(one.basis_points) == needs_share, "incentive.basis_points", "belongs to a percentage, and it needs them")
    need(0 <= one.basis_points <= LARGEST_DISCOUNT, "incentive.basis_points", "are 0 to 9,000")
    need(bool(one.minor_units) == needs_amount, "incentive.minor_units", "belong to an amount or a fixed price")
    need(0 <= one.minor_units <= LARGEST_AMOUNT, "incentive.minor_units", "are a positive amount")
    needs_currency = needs_amount or bool(one.threshold_minor_units)
    need(
        (one.currency in EXPONENTS) if needs_currency else one.currency == "", "incentive.currency", "goes with amounts"
    )
    has_gift = one.gift_variant_id is not None
    need(has_gift == (one.kind == GIFT), "incentive.gift_variant_id", "belongs to a gift, and it needs one")
    _check_threshold(one)
    unknown = set(one.combines_with) - set(DISCOUNT_CLASSES)
    need(not unknown, "incentive.combines_with", "names product, order or shipping")


def _check_threshold(one: Incentive) -> None:
    amount = one.threshold_minor_units
    need(0 <= amount <= LARGEST_AMOUNT, "incentive.threshold_minor_units", "is a positive amount")
    need(amount == 0 or one.kind in (FREE_SHIPPING, GIFT), "incentive.threshold_minor_units", "goes with an extra")
    need(amount > 0 or one.kind != FREE_SHIPPING, "incentive.threshold_minor_units", "is required for free shipping")
    need(not one.is_shop_rate or one.kind == FREE_SHIPPING, "incentive.is_shop_rate", "is about shipping")


def _check_schedule(schedule: Schedule) -> None:
    for name in ("starts_at", "ends_at"):
        moment = getattr(schedule, name)
        need(moment is None or moment.tzinfo is not None, f"schedule.{name}", "needs a time zone")
    if schedule.starts_at is not None and schedule.ends_at is not None:
        need(schedule.starts_at < schedule.ends_at, "schedule.ends_at", "comes after the start")
    hours = schedule.lasts_hours
    need(hours is None or 0 < hours <= MOST_DAYS * 24, "schedule.lasts_hours", "is at least one hour")


def _check_limits(terms: Terms) -> None:
    _check_range(terms.max_per_customer, "max_per_customer", 1, 1000)
    _check_range(terms.quantity, "quantity", 2, MOST_QUANTITY)
    _check_range(terms.supply_days, "supply_days", 1, MOST_DAYS)
    need(0 <= terms.floor.basis_points <= WHOLE, "floor.basis_points", "are 0 to 10,000")
    need(abs(terms.floor.minor_units) <= LARGEST_AMOUNT, "floor.minor_units", "are an amount")
    days = terms.window_days
    is_window = days is None or (len(days) == 2 and 0 <= days[0] <= days[1] <= MOST_DAYS)
    need(is_window, "window_days", "are a first and a last day")


def _check_range(value: int | None, name: str, low: int, high: int) -> None:
    need(value is None or low <= value <= high, name, f"is {low} to {high}")
