"""What would have come of an offer: past orders asked again, one moment after the other, through the real pipeline.

Pure. Comes in: moments with their snapshots, in time order. Goes out: how often the offer would have been shown, to
whom, when, why not, what that might have earned, and how much the caps pressed. The budget of every shopper is spent
as the moments go by, so that the hundredth card is judged like one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from shopify_upsell.customers.courtesy import CAP_CODES, MONTH_HOURS, NOTHING_SHOWN, CourtesyState, spend
from shopify_upsell.offers.candidate import Answer, Candidate, ChosenOffer, Rejection
from shopify_upsell.offers.drawing import Drawn
from shopify_upsell.offers.margin import contribution_of
from shopify_upsell.offers.offer import Offer
from shopify_upsell.offers.past_moments import PastMoment
from shopify_upsell.offers.pipeline import decide_from
from shopify_upsell.offers.snapshot import Snapshot
from shopify_upsell.offers.worth import acceptance_of

MOST_EXAMPLES = 3

STATE_LIFE = timedelta(hours=MONTH_HOURS + 1)

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

HONEST_LIMITS = (
    "Only visits that ended in an order are known: nobody knows who looked and left, so counts are a lower bound.",
    "Product pages and carts are derived from what was ordered, at assumed minutes before the order.",
    "Prices, stock, discounts, evidence and settings are those of today, not of that day.",
    "Snoozes are taken as they stand today, and a limit on the whole shop's cards is not replayed.",
    "Customers count as signed in; every guest's order counts as a visitor of its own.",
    "Nobody reacts: a dismissal or an acceptance would change what comes after it.",
)
"""What a simulation cannot know, told with every report."""


@dataclass(frozen=True, slots=True)
class Example:
    """One time that a code kept the offer back. `product_id` None: it struck the whole offer, or every offer."""

    at: datetime
    product_id: int | None
    detail: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """How many moments a code kept the offer from. A moment counts once for every code that struck a card of it."""

    code: str
    moment_count: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ExpectedMargin:
    """What the cards shown might leave. Units: minor units of `currency`.

    `expected_minor_units`: contribution times how readily it is taken; `if_all_taken_minor_units`: the contribution
    alone. `assumed`: what rests on an assumption; `acceptance` always does before the offer was ever shown.
    """

    currency: str
    expected_minor_units: int
    if_all_taken_minor_units: int
    card_count: int
    assumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Simulated:
    """The outcome. Moments are those at the offer's own placements.

    `withheld_count`: shown to nobody because the shopper is in the holdout. `cap_pressure`: share of moments at which a
    cap kept the offer back. `next_from`: moments by the month from which the offer could have been shown instead.
    """

    order_count: int
    moment_count: int
    shown_count: int
    withheld_count: int
    customer_count: int
    by_month: tuple[tuple[str, int], ...]
    by_weekday: tuple[tuple[str, int], ...]
    why_not: tuple[WhyNot, ...]
    cap_pressure: float
    margin: ExpectedMargin
    next_from: tuple[tuple[str, int], ...]
    limits: tuple[str, ...] = HONEST_LIMITS


@dataclass(slots=True)
class _Counts:
    orders: int = 0
    moments: int = 0
    shown: int = 0
    withheld: int = 0
    capped: int = 0
    cards: int = 0
    expected: float = 0.0
    all_taken: int = 0
    units: set[str] = field(default_factory=set)
    months: Counter[str] = field(default_factory=Counter)
    weekdays: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    next_from: Counter[str] = field(default_factory=Counter)
    assumed: set[str] = field(default_factory=lambda: {"acceptance"})


class Rehearsal:
    """Asks moment after moment and counts. What it keeps grows with shoppers, never with their orders."""

    def __init__(self, offer: Offer, *, currency: str, zone: tzinfo = UTC) -> None:
        self._offer, self._currency, self._zone = offer, currency, zone
        self._counts = _Counts()
        self._states: dict[str, CourtesyState] = {}

    def take_order(self) -> None:
        """Count an order whose moments follow."""
        self._counts.orders += 1
        if self._counts.orders % 10_000 == 0:
            self._forget_old()

    def take(self, moment: PastMoment, snapshot: Snapshot, drawn: Drawn | None = None) -> Answer:
        """Ask at one moment with the budget that is left, spend it, and count."""
        unit = next(iter(moment.request.subjects), "")
        state = self._states.get(unit, NOTHING_SHOWN)
        asked = replace(snapshot, courtesy=state)
        answer = decide_from(asked, drawn)
        if answer.chosen and unit:
            self._states[unit] = spend(state, [one.offer_id for one in answer.chosen], now=moment.at)
        if moment.request.placement in self._offer.placements:
            self._count(moment, asked, answer, drawn, unit)
        return answer

    def simulated(self) -> Simulated:
        """What was counted so far."""
        counts = self._counts
        codes = sorted(counts.codes, key=lambda code: (-counts.codes[code], code))
        return Simulated(
            order_count=counts.orders,
            moment_count=counts.moments,
            shown_count=counts.shown,
            withheld_count=counts.withheld,
            customer_count=len(counts.units),
            by_month=tuple(sorted(counts.months.items())),
            by_weekday=tuple((name, counts.weekdays[day]) for day, name in enumerate(WEEKDAYS)),
            why_not=tuple(WhyNot(code, counts.codes[code], tuple(counts.examples[code])) for code in codes),
            cap_pressure=counts.capped / counts.moments if counts.moments else 0.0,
            margin=ExpectedMargin(
                currency=self._currency,
                expected_minor_units=round(counts.expected),
                if_all_taken_minor_units=counts.all_taken,
                card_count=counts.cards,
                assumed=tuple(sorted(counts.assumed)),
            ),
            next_from=tuple(sorted(counts.next_from.items())),
        )

    def _count(self, moment: PastMoment, asked: Snapshot, answer: Answer, drawn: Drawn | None, unit: str) -> None:
        counts, offer_id = self._counts, self._offer.offer_id
        counts.moments += 1
        card = next((one for one in (*answer.chosen, *answer.would_have_shown) if one.offer_id == offer_id), None)
        if card is None:
            self._count_why_not(moment, answer)
            return
        if answer.is_holdout:
            counts.withheld += 1
            return
        local = moment.at.astimezone(self._zone)
        counts.shown += 1
        counts.units.add(unit)
        counts.months[f"{local:%Y-%m}"] += 1
        counts.weekdays[local.weekday()] += 1
        self._count_margin(card, asked, drawn)

    def _count_why_not(self, moment: PastMoment, answer: Answer) -> None:
        struck = _struck(answer, self._offer)
        for code, why in struck.items():
            self._counts.codes[code] += 1
            examples = self._counts.examples.setdefault(code, [])
            if len(examples) < MOST_EXAMPLES:
                examples.append(Example(moment.at, why.product_id, dict(why.detail)))
        self._counts.capped += any(code in CAP_CODES for code in struck)
        untils = [str(why.detail["until"]) for why in struck.values() if "until" in why.detail]
        if untils:
            self._counts.next_from[min(untils)[:7]] += 1

    def _count_margin(self, card: ChosenOffer, asked: Snapshot, drawn: Drawn | None) -> None:
        candidate = _candidate_of(card, drawn.candidates if drawn is not None else ())
        left = contribution_of(candidate, asked) if candidate is not None else None
        if candidate is None or left is None:
            return
        counts = {(one.offer_id, one.product_id): one for one in asked.acceptance}
        self._counts.cards += 1
        self._counts.all_taken += left.minor_units
        self._counts.expected += acceptance_of(candidate, counts) * left.minor_units
        self._counts.assumed.update(left.assumed)

    def _forget_old(self) -> None:
        """States that no window reaches any more: what is kept stays as large as a month of shoppers."""
        newest = max((state.session_last_at for state in self._states.values()), default=0)
        oldest = newest - STATE_LIFE.total_seconds()
        self._states = {unit: state for unit, state in self._states.items() if state.session_last_at >= oldest}


def _struck(answer: Answer, offer: Offer) -> dict[str, Rejection]:
    """Codes that struck the offer at this moment, each with its first rejection; a closed gate strikes every offer."""
    if answer.gate is not None:
        detail = {"until": answer.next_at.isoformat()} if answer.next_at is not None else {}
        return {answer.gate: Rejection(answer.gate, offer.offer_id, detail=detail)}
    struck: dict[str, Rejection] = {}
    for why in answer.rejections:
        if why.offer_id == offer.offer_id:
            struck.setdefault(why.code, why)
    return struck


def _candidate_of(card: ChosenOffer, candidates: Iterable[Candidate]) -> Candidate | None:
    variants = [(item.variant_id, item.quantity) for item in card.items]
    return next(
        (
            one
            for one in candidates
            if one.offer.offer_id == card.offer_id
            and [(item.variant_id, item.quantity) for item in one.items] == variants
        ),
        None,
    )
