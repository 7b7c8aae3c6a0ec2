"""The journal of credits: how the shares of an order's lines changed. Pure.

A credit is divided over the channels of its path by Webster, so channels add up to the credit, which adds up to the
line. Postings are differences between what facts give now and what was posted before; their sums equal the credits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopify_upsell.attribution.credit import Credit
from shopify_upsell.attribution.models.path import Path
from shopify_upsell.attribution.models.registry import PathWeights
from shopify_upsell.core import DecisionId, LineId, OfferId
from shopify_upsell.money import apportion


@dataclass(frozen=True, slots=True)
class FrozenPath:
    """A path and its weights, as they were when the line was first credited, and the decision credited."""

    path: Path
    weights: PathWeights
    decision_id: DecisionId


@dataclass(frozen=True, slots=True)
class Account:
    """What a posting is booked on. Model and channel are null where nothing of ours is credited."""

    line_id: LineId
    credit_class: str
    book: str | None
    offer_id: OfferId | None
    decision_id: DecisionId | None
    placement: str | None
    model: str | None
    model_version: str | None
    channel: str | None
    currency: str

    @property
    def order(self) -> tuple[str, ...]:
        """Sorts accounts, empty names first."""
        named = (self.credit_class, self.book, self.decision_id, self.placement, self.model_version, self.channel)
        return (f"{self.line_id:020d}", *(name or "" for name in named), f"{self.offer_id or 0:020d}", self.currency)


@dataclass(frozen=True, slots=True)
class Balance:
    """Units: pieces, minor units of the shop's currency, minor units of the shopper's (null when not known)."""

    quantity: int = 0
    amount: int = 0
    presentment: int | None = None

    def __sub__(self, other: "Balance") -> "Balance":
        shown = None
        if self.presentment is not None or other.presentment is not None:
            shown = (self.presentment or 0) - (other.presentment or 0)
        return Balance(self.quantity - other.quantity, self.amount - other.amount, shown)

    @property
    def is_zero(self) -> bool:
        """Tell whether nothing is to be posted."""
        return not (self.quantity or self.amount or self.presentment)


def order_balances(
    credits: Sequence[Credit],
    paths: Mapping[tuple[LineId, str], FrozenPath],
    presentment: Mapping[LineId, int] | None = None,
) -> dict[Account, Balance]:
    """What an order's accounts hold when its credits are these.

    `paths`: by line and class. `presentment`: what each line is worth in the shopper's currency, apportioned by the
    same integers as the shop's currency; left out while the ledger holds none.

    Shape: amounts and quantities add up to those of the credits, line by line and class by class.
    """
    shown = _presentment_shares(credits, presentment)
    balances: dict[Account, Balance] = {}
    for index, credit in enumerate(credits):
        frozen = paths.get((credit.line_id, credit.credit_class))
        balances |= _shares(credit, frozen, None if shown is None else shown[index])
    return balances


def deltas(wanted: Mapping[Account, Balance], held: Mapping[Account, Balance]) -> list[tuple[Account, Balance]]:
    """What must be posted so that `held` becomes `wanted`. Nothing when it is so already."""
    changes = [
        (account, wanted.get(account, Balance()) - held.get(account, Balance()))
        for account in sorted(wanted.keys() | held.keys(), key=lambda it: it.order)
    ]
    return [(account, change) for account, change in changes if not change.is_zero]


def _shares(credit: Credit, frozen: FrozenPath | None, presentment: int | None) -> dict[Account, Balance]:
    if frozen is None:
        return {_account(credit, None, None): Balance(credit.quantity, credit.amount, presentment)}
    weights = list(frozen.weights.weights)
    if not sum(weights):
        weights = [1] * len(weights)
    amounts, quantities = apportion(credit.amount, weights), apportion(credit.quantity, weights)
    shown = None if presentment is None else apportion(presentment, weights)
    balances: dict[Account, Balance] = {}
    for index, channel in enumerate(frozen.path.channels):
        account = _account(credit, frozen.weights, channel)
        before = balances.get(account, Balance())
        part = None if shown is None else shown[index] + (before.presentment or 0)
        balances[account] = Balance(before.quantity + quantities[index], before.amount + amounts[index], part)
    return balances


def _account(credit: Credit, weights: PathWeights | None, channel: str | None) -> Account:
    return Account(
        line_id=credit.line_id,
        credit_class=credit.credit_class,
        book=credit.book,
        offer_id=credit.offer_id,
        decision_id=credit.decision_id,
        placement=credit.placement,
        model=weights.model if weights else None,
        model_version=weights.model_version if weights else None,
        channel=channel,
        currency=credit.currency,
    )


def _presentment_shares(credits: Sequence[Credit], presentment: Mapping[LineId, int] | None) -> list[int | None] | None:
    """Each credit's part of what its line is worth in the shopper's currency, in proportion to the shop's money."""
    if presentment is None:
        return None
    shares: list[int | None] = [None] * len(credits)
    for line_id, worth in presentment.items():
        parts = [index for index, credit in enumerate(credits) if credit.line_id == line_id]
        weights = [credits[index].amount for index in parts]
        if not sum(weights):
            # Worth less than half of the shop's smallest coin: whoever holds the line holds it.
            weights = [0] * (len(parts) - 1) + [1]
        for index, share in zip(parts, apportion(worth, weights), strict=True):
            shares[index] = share
    return shares
