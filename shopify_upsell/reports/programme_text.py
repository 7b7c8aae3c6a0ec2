"""The programme's report for people at a terminal; `programme_page` writes the page.

Pure. Numbers are shown only with their intervals, or with what is missing for one. What offers claim never stands
alone: what they caused stands beside it.
"""

from collections.abc import Iterator

from shopify_upsell.experiments.layers import HOLDOUT, OPEN
from shopify_upsell.money import Money
from shopify_upsell.reports.incremental import Claim, Effect, Missing
from shopify_upsell.reports.programme import ProgrammeReport
from shopify_upsell.reports.statement import Freshness

SHORTAGES = {
    "too_few_units": "units in an arm",
    "too_few_converters": "units with an order in each arm",
    "too_few_days": "full days",
    "no_variation": "units that differ",
    "no_denominator": "orders",
    "no_attributed_revenue": "attributed revenue",
}

Row = tuple[str, str]


def programme_text(report: ProgrammeReport, fresh: Freshness) -> str:
    """Lines for a terminal."""
    lines = [f"Programme, quarter {_quarter(report)}: {report.verdict}", report.words, ""]
    lines += [f"{name:<34}{value}" for name, value in rows_of(report)]
    return "\n".join([*lines, "", _stamp(fresh)])


def rows_of(report: ProgrammeReport) -> Iterator[Row]:
    """Everything that is said, as names and values."""
    yield "Shoppers who could see offers", f"{report.units[OPEN]:,}"
    yield "Shoppers held out", f"{report.units[HOLDOUT]:,}"
    if report.missing is not None:
        yield "Still missing", _missing(report.missing)
    yield from _claim(report, "Revenue", report.claimed_revenue, report.revenue)
    yield from _claim(report, "Margin", report.claimed_margin, report.margin)
    for name, effect in (("Orders per shopper", report.orders_per_unit), ("Order value", report.order_value)):
        if effect is not None:
            yield name, _lift(effect)
    if report.attach_rate is not None:
        yield "Orders with an offer", f"{report.attach_rate:.1%}"
    yield from _retention(report)
    for warning in report.warnings:
        yield "Warning", warning
    if report.assumed and report.margin is not None:
        yield "Assumed in margins", ", ".join(report.assumed)


def _claim(report: ProgrammeReport, name: str, claim: Claim | None, effect: Effect | None) -> Iterator[Row]:
    if claim is None:
        return
    if name == "Revenue":
        yield "Revenue that offers claim", _money(report, claim.claimed)
    if effect is not None:
        yield f"{name} per shopper, change", _lift(effect)
    if claim.caused is not None and claim.caused_low is not None and claim.caused_high is not None:
        ends = f"{_money(report, claim.caused_low)} to {_money(report, claim.caused_high)}"
        said = "" if claim.is_measurable else " (no measurable effect)"
        yield f"{name} that offers caused", f"{_money(report, claim.caused)}, {ends}{said}"
    if claim.kappa is not None and claim.kappa_low is not None and claim.kappa_high is not None and name == "Revenue":
        shrunk = ", pulled towards what is usual" if claim.is_kappa_shrunk else ""
        yield "Caused of what is claimed", f"{claim.kappa:.2f}, {claim.kappa_low:.2f} to {claim.kappa_high:.2f}{shrunk}"
        yield "Claimed ÷ caused", _ratio(claim)


def _ratio(claim: Claim) -> str:
    low, high = claim.claimed_over_caused_low, claim.claimed_over_caused_high
    if claim.claimed_over_caused is None or low is None or high is None:
        return "no upper end: nothing need have been caused"
    return f"{claim.claimed_over_caused:.1f}, {low:.1f} to {high:.1f}"


def _retention(report: ProgrammeReport) -> Iterator[Row]:
    for who, found in (("shoppers", report.retention_of_everyone), ("customers", report.retention_of_customers)):
        for effect in found.lapse if found is not None else ():
            days = effect.metric.split("_")[1]
            if effect.difference is not None and effect.low is not None and effect.high is not None:
                said = "" if effect.is_measurable else " (no measurable effect)"
                points = f"{effect.difference:+.1%} points, {effect.low:+.1%} to {effect.high:+.1%}{said}"
                yield f"Lapsed {who}, {days} days", points


def _lift(effect: Effect) -> str:
    if effect.missing is not None:
        return f"not enough data: {_missing(effect.missing)}"
    said = "" if effect.is_measurable else " (no measurable effect)"
    if effect.lift is None or effect.lift_low is None or effect.lift_high is None:
        return f"{effect.difference:+.2f}, {effect.low:+.2f} to {effect.high:+.2f}{said}"
    return f"{effect.lift:+.1%}, {effect.lift_low:+.1%} to {effect.lift_high:+.1%}{said}"


def _missing(missing: Missing) -> str:
    return f"{missing.seen} of {missing.needed} {SHORTAGES.get(missing.code, missing.code)}"


def _money(report: ProgrammeReport, amount: int) -> str:
    return (
        str(amount)
        if report.currency is None
        else f"{Money(amount, report.currency).to_decimal_string()} {report.currency}"
    )


def _quarter(report: ProgrammeReport) -> str:
    return f"{report.quarter // 10} Q{report.quarter % 10}"


def _stamp(fresh: Freshness) -> str:
    newest = fresh.newest_event_at.isoformat() if fresh.newest_event_at else "never"
    return f"As of {fresh.as_of.isoformat()}; newest webhook handled {newest}; {fresh.waiting_events} waiting."
