"""From sums of the ledger and of its credits to a statement. Pure: the export is added up by the same rules."""

from collections.abc import Sequence

from shopify_upsell.attribution.credit import ASSISTED, DIRECT, RESIDUAL, UNATTRIBUTED, CreditTotal
from shopify_upsell.ledger.booked import LedgerTotal
from shopify_upsell.reports.month import BookTotal, Statement


def credited(credits: Sequence[CreditTotal], currency: str, credit_class: str) -> int:
    """Sum of one class of credits in one currency. Units: minor units."""
    return sum(part.amount for part in credits if (part.currency, part.credit_class) == (currency, credit_class))


def assemble(month: str, time_zone: str, ledger: LedgerTotal, credits: Sequence[CreditTotal]) -> Statement:
    """Set what a month was worth beside what is claimed of it. Shape: `ledger` is of one currency."""
    direct = credited(credits, ledger.currency, DIRECT)
    assisted = credited(credits, ledger.currency, ASSISTED)
    unattributed = credited(credits, ledger.currency, UNATTRIBUTED)
    beyond_lines = credited(credits, ledger.currency, RESIDUAL)
    return Statement(
        month=month,
        time_zone=time_zone,
        currency=ledger.currency,
        order_count=ledger.order_count,
        unbooked_count=ledger.unbooked_count,
        gross_minor_units=ledger.gross,
        discounts_minor_units=ledger.discounts,
        taxes_minor_units=ledger.taxes,
        gift_cards_minor_units=ledger.gift_cards,
        refunds_minor_units=ledger.refunds,
        edits_minor_units=ledger.edits,
        unbooked_minor_units=ledger.unbooked,
        order_residual_minor_units=ledger.order_residual,
        ledger_minor_units=ledger.ledger,
        books=_books(credits, ledger.currency, DIRECT),
        direct_minor_units=direct,
        unattributed_minor_units=unattributed,
        order_residual_credit_minor_units=beyond_lines,
        residual_minor_units=ledger.ledger - direct - assisted - unattributed - beyond_lines,
        assisted_minor_units=assisted,
        assisted_books=_books(credits, ledger.currency, ASSISTED),
    )


def _books(credits: Sequence[CreditTotal], currency: str, credit_class: str) -> tuple[BookTotal, ...]:
    return tuple(
        BookTotal(part.book or "", part.line_count, part.quantity, part.amount)
        for part in credits
        if (part.currency, part.credit_class) == (currency, credit_class)
    )
