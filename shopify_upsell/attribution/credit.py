"""Settle one order: divide what its lines are worth between our offers and everything else. Pure.

The parts add up to the ledger exactly, whatever was claimed: a line's direct part is cut out of its net value, the
rest is unattributed, a line without a claim may be assisted, and what refunds took beyond the lines is a part of its
own. Credits are a function of facts and claims alone, so settling again, in any order, gives the same parts. A line is
divided in a proportion fixed when it was sold, so that a refund never raises a part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.attribution.assisted import Assist
from shopify_upsell.attribution.token import OfferClaim, TokenRefusal
from shopify_upsell.core import DecisionId, LineId, OfferId, OrderId, VariantId
from shopify_upsell.ledger.booked import BookedLine, BookedOrder, TokenUse
from shopify_upsell.money import apportion

DIRECT, ASSISTED, UNATTRIBUTED, RESIDUAL = "direct", "assisted", "unattributed", "residual"
CREDIT_CLASSES = (DIRECT, ASSISTED, UNATTRIBUTED, RESIDUAL)

UP_SELL = "up_sell"

BOOKS = ("cross_sell", UP_SELL, "quantity", "replenish", "subscribe", "bundle")
"""Kinds of offer whose earnings are kept apart: added products, the difference of dearer ones, more of the same, bought
again, subscribed. A bundle's components are lines like any other, each booked under `bundle`. A book that is not named
here is reported under its own name, so that the books always add up to the total."""

REASONS = (
    "no_token",
    "forged_token",
    "foreign_shop",
    "wrong_variant",
    "expired_token",
    "token_used_elsewhere",
    "beyond_offer",
    "replaced_value",
)
"""Why a part is unattributed. `beyond_offer`: units more than were offered. `replaced_value`: an up-sell earns only
what it is worth more than the product it replaced."""

RESIDUAL_LINE = LineId(0)
"""The residual belongs to the order and to none of its lines; Shopify's ids begin above 0."""

Verdict = OfferClaim | TokenRefusal


@dataclass(frozen=True, slots=True)
class Credit:
    """A share of one order line. Units: minor units of the order's currency."""

    line_id: LineId
    credit_class: str
    quantity: int
    amount: int
    currency: str
    offer_id: OfferId | None = None
    decision_id: DecisionId | None = None
    book: str | None = None
    placement: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CreditTotal:
    """Credits of one class and book in one currency. Units: order lines, units sold, minor units."""

    currency: str
    credit_class: str
    book: str | None
    line_count: int
    quantity: int
    amount: int


@dataclass(frozen=True, slots=True)
class SignedAddition:
    """A post-purchase change that we signed and Shopify tied to this order."""

    changeset_id: str
    decision_id: DecisionId
    offer_id: OfferId
    book: str
    placement: str
    variant_id: VariantId
    quantity: int
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class _Cause:
    """What a line is credited to, and for how many of its units."""

    offer_id: OfferId
    decision_id: DecisionId
    book: str
    placement: str
    units: int
    replaced_unit: int = 0


def settle(
    order: BookedOrder,
    *,
    verdicts: Mapping[str, Verdict],
    winners: Mapping[str, OrderId],
    additions: Sequence[SignedAddition] = (),
    assists: Mapping[LineId, Assist] | None = None,
) -> list[Credit]:
    """Divide an order into credits, by line id.

    `verdicts`: what each token on the order proves. `winners`: for each genuine token the one order it may credit.
    `assists`: touches that may have helped lines along; they count only for lines without any token.
    An order that is not booked is worth nothing and has no credits.

    Shape: the amounts add up to the lines' net value plus the order's residual.
    """
    if not order.is_booked:
        return []
    causes, reasons = _token_causes(order, verdicts, winners)
    causes = _addition_causes(order, additions) | causes
    credits: list[Credit] = []
    for line in sorted(order.lines, key=lambda it: it.line_id):
        cause, reason = causes.get(line.line_id), reasons.get(line.line_id, "no_token")
        assist = (assists or {}).get(line.line_id) if reason == "no_token" else None
        if cause is None and assist is not None:
            credits.append(_assisted(line, assist, order.currency))
        else:
            credits += _parts(line, cause, reason, order.currency)
    if order.residual:
        credits.append(Credit(RESIDUAL_LINE, RESIDUAL, 0, order.residual, order.currency))
    return credits


def winner_of(claim: OfferClaim, uses: Sequence[TokenUse]) -> OrderId | None:
    """The one order a token credits: the earliest whose line it fits; None when it fits none."""
    fitting = [use for use in uses if use.variant_id == claim.variant_id and use.ordered_at < claim.expires_at]
    return min(fitting).order_id if fitting else None


def _token_causes(
    order: BookedOrder, verdicts: Mapping[str, Verdict], winners: Mapping[str, OrderId]
) -> tuple[dict[LineId, _Cause], dict[LineId, str]]:
    """Lines whose token counts, and why the others' does not.

    Shopify may split one cart line in two with the same properties, so lines of the winning order share the units
    that were offered, in the order of their ids.
    """
    causes: dict[LineId, _Cause] = {}
    reasons: dict[LineId, str] = {}
    left: dict[str, int] = {}
    for line in sorted(order.lines, key=lambda it: it.line_id):
        token = line.offer_token
        if token is None:
            continue
        verdict = verdicts[token]
        refusal = _refusal(order, line, verdict, winners.get(token))
        if isinstance(verdict, TokenRefusal) or refusal is not None:
            reasons[line.line_id] = refusal or "forged_token"
            continue
        units = min(line.quantity, left.setdefault(token, verdict.max_quantity))
        left[token] -= units
        causes[line.line_id] = _Cause(
            offer_id=verdict.offer_id,
            decision_id=verdict.decision_id,
            book=verdict.book,
            placement=verdict.placement,
            units=units,
            replaced_unit=(verdict.replaced_unit_minor_units or 0) if verdict.book == UP_SELL else 0,
        )
    return causes, reasons


def _refusal(order: BookedOrder, line: BookedLine, verdict: Verdict, winner: OrderId | None) -> str | None:
    if isinstance(verdict, TokenRefusal):
        return verdict.code
    if line.variant_id != verdict.variant_id:
        return "wrong_variant"
    if order.ordered_at >= verdict.expires_at:
        return "expired_token"
    return "token_used_elsewhere" if winner != order.order_id else None


def _addition_causes(order: BookedOrder, additions: Sequence[SignedAddition]) -> dict[LineId, _Cause]:
    """Lines that grew by an order edit, as far as a changeset of ours asked for it, the earliest signed first."""
    grown: dict[LineId, int] = {}
    for change in order.edits:
        if change.delta > 0:
            grown[change.line_id] = grown.get(change.line_id, 0) + change.delta
    lines = [line for line in sorted(order.lines, key=lambda it: it.line_id) if line.line_id in grown]
    causes: dict[LineId, _Cause] = {}
    for addition in sorted(additions, key=lambda it: (it.signed_at, it.changeset_id)):
        wanted = addition.quantity
        for line in lines:
            if line.variant_id != addition.variant_id or line.line_id in causes or wanted == 0:
                continue
            added = min(wanted, grown[line.line_id])
            wanted -= added
            causes[line.line_id] = _Cause(
                offer_id=addition.offer_id,
                decision_id=addition.decision_id,
                book=addition.book,
                placement=addition.placement,
                units=min(added, line.quantity),
            )
    return causes


def _parts(line: BookedLine, cause: _Cause | None, reason: str, currency: str) -> list[Credit]:
    """Cut a line into its direct part and the rest; without a cause all of it is the rest.

    Units offered and units sold stay in proportion whatever is given back, and what an up-sell replaced stays
    replaced: were either counted by units left, a refund of one part could raise another.
    """
    units = _units(line)
    if cause is None:
        return [Credit(line.line_id, UNATTRIBUTED, units, line.net_minor_units, currency, reason=reason)]
    sold = [cause.units, line.quantity - cause.units]
    share = apportion(line.net_minor_units, sold)[0] if line.quantity else 0
    amount = max(0, share - cause.units * cause.replaced_unit)
    credited = apportion(units, sold)[0] if line.quantity else 0
    direct = Credit(
        line_id=line.line_id,
        credit_class=DIRECT,
        quantity=credited,
        amount=amount,
        currency=currency,
        offer_id=cause.offer_id,
        decision_id=cause.decision_id,
        book=cause.book,
        placement=cause.placement,
    )
    rest = line.net_minor_units - amount
    if rest == 0 and cause.units == line.quantity:
        return [direct]
    why = "beyond_offer" if cause.units < line.quantity else "replaced_value"
    return [direct, Credit(line.line_id, UNATTRIBUTED, units - credited, rest, currency, reason=why)]


def _assisted(line: BookedLine, assist: Assist, currency: str) -> Credit:
    return Credit(
        line_id=line.line_id,
        credit_class=ASSISTED,
        quantity=_units(line),
        amount=line.net_minor_units,
        currency=currency,
        offer_id=assist.offer_id,
        decision_id=assist.decision_id,
        book=assist.book,
        placement=assist.placement,
    )


def _units(line: BookedLine) -> int:
    """Units that share the line's value: those left, or all when money is kept for units given back."""
    return line.net_quantity if line.net_quantity or not line.net_minor_units else line.quantity
