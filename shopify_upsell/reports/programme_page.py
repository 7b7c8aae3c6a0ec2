"""The programme as a page for people: verdict, pictures, tables, and every assumption by name. Pure.

What offers claim never stands alone, a number without an interval is a count, and what is missing is said in words.
"""

from collections.abc import Iterator

from shopify_upsell.experiments.layers import HOLDOUT, OPEN
from shopify_upsell.reports.arm_figures import ArmFigures, ArmProducts
from shopify_upsell.reports.assumptions import MARGINS, Assumption
from shopify_upsell.reports.chart import BarChart, Chart
from shopify_upsell.reports.chart_paper import escaped, percent, plain_number, signed_percent
from shopify_upsell.reports.charts import figure
from shopify_upsell.reports.customer_figures import CustomerFigures, Share, cells_by_cohort
from shopify_upsell.reports.figures import freshness_stamp
from shopify_upsell.reports.figures_by_cohort import CohortCell
from shopify_upsell.reports.incremental import Claim, Effect, Missing
from shopify_upsell.reports.lifetime_by_arm import AHEAD_DAYS, BEFORE, Lifetime
from shopify_upsell.reports.page import badge, facts, page, paragraph, section, table, wide
from shopify_upsell.reports.pair_figures import ATTACH_DAYS, PairAttach
from shopify_upsell.reports.programme_charts import (
    ARM_WORDS,
    claim_chart,
    money_words,
    sequence_chart,
    survival_chart,
    uplift_chart,
)
from shopify_upsell.reports.programme_text import SHORTAGES
from shopify_upsell.reports.programme_view import ProgrammeView

MOST_MONTHS = 12
"""Months and cohorts of the retention table. Source: what a page of paper holds."""

NOT_OVER, NONE_YET = "not over", "not enough data"


def programme_page(view: ProgrammeView) -> str:
    """Write the page."""
    report = view.report
    parts = [_verdict(view)]
    if report.revenue is not None:
        parts.append(_caused(view))
    if view.arms is not None:
        parts += [_kept(view, view.arms), _lifetimes(view, view.arms)]
    parts += [_retention(view.customers), _pairs(view.pairs), _assumptions(view.assumptions), _stamp(view)]
    return page(f"Programme, quarter {report.quarter // 10} Q{report.quarter % 10}", parts)


def _verdict(view: ProgrammeView) -> str:
    report = view.report
    said = [paragraph(report.words, "verdict")]
    if report.missing is not None:
        said.append(paragraph(f"Still missing: {_missing(report.missing)}."))
    said += [paragraph(f"Warning: {warning.replace('_', ' ')}.") for warning in report.warnings]
    kappa = "kappa" if any(one.code == "kappa" for one in view.assumptions) else ""
    claim, shrunk = report.claimed_revenue, badge("kappa", "usual share") if kappa else ""
    counts = [
        ("Shoppers who saw offers", f"{report.units[OPEN]:,}", "counted once each", ""),
        ("Shoppers held out", f"{report.units[HOLDOUT]:,}", "never saw an offer", ""),
    ]
    if claim is not None:
        counts.append(("Offers claim", money_words(claim.claimed, report.currency), "credited by rule", ""))
        counts.append(("Offers caused", *_caused_words(view, claim), ""))
        counts.append(("Caused ÷ claimed (κ)", *_range_words(claim.kappa, claim.kappa_low, claim.kappa_high), shrunk))
        inverse = (claim.claimed_over_caused, claim.claimed_over_caused_low, claim.claimed_over_caused_high)
        beside = "nothing need have been caused" if claim.kappa is not None and None in inverse else ""
        number, ends = _range_words(*inverse)
        counts.append(("Claimed ÷ caused", "no upper end" if beside else number, beside or ends, ""))
    return section("verdict", "Did offers help?", [*said, facts(counts)])


def _caused_words(view: ProgrammeView, claim: Claim) -> tuple[str, str]:
    if claim.caused is None or claim.caused_low is None or claim.caused_high is None:
        return NONE_YET, _missing(claim.missing) if claim.missing else ""
    money = [money_words(value, view.report.currency) for value in (claim.caused, claim.caused_low, claim.caused_high)]
    said = "" if claim.is_measurable else "; no measurable effect"
    return money[0], f"{money[1]} to {money[2]}{said}"


def _caused(view: ProgrammeView) -> str:
    report = view.report
    badges = _badges(view, MARGINS)
    parts = [f"<p>Every margin below rests on assumptions: {badges}</p>"] if badges else []
    parts += [_figure(uplift_chart(report)), _figure(claim_chart(report))]
    if view.arms is not None:
        parts.append(_figure(sequence_chart(report, view.arms.sequence)))
    effects = [
        ("Net revenue per shopper", report.revenue),
        ("Margin per shopper (assumed)" if badges else "Margin per shopper", report.margin),
        ("Orders per shopper", report.orders_per_unit),
        ("Order value", report.order_value),
    ]
    if view.arms is not None:
        effects.append(("Net revenue per known customer, first 30 days", view.arms.arpu))
        effects.append(("Orders per shopper in 30 days", view.arms.frequency))
    rows = [_effect_row(name, effect) for name, effect in effects if effect is not None]
    parts.append(table("Change against the holdout, intervals at every look", ("", "Change", "From", "To", ""), rows))
    return section("caused", "What offers caused", parts)


def _effect_row(name: str, effect: Effect) -> tuple[str, ...]:
    if effect.missing is not None:
        return (name, NONE_YET, "", "", _missing(effect.missing))
    if effect.lift is None or effect.lift_low is None or effect.lift_high is None:
        return (name, NONE_YET, "", "", "the holdout's own value may be zero")
    said = "" if effect.is_measurable else "no measurable effect"
    return (name, *(signed_percent(value) for value in (effect.lift, effect.lift_low, effect.lift_high)), said)


def _kept(view: ProgrammeView, arms: ArmFigures) -> str:
    parts = [_figure(survival_chart(arms))]
    report = view.report
    rows = []
    for who, found in (("shoppers", report.retention_of_everyone), ("customers", report.retention_of_customers)):
        for effect in found.lapse if found is not None else ():
            name = f"{who.capitalize()} without an order in {effect.metric.split('_')[1]} days"
            rows.append(_points_row(name, effect))
    parts.append(
        table("Lapse against the holdout, in points; below 0 fewer lapsed", ("", "Change", "From", "To", ""), rows)
    )
    head = ("", "Known customers", "Products per buyer", "Further orders per buyer", "Further products per buyer")
    parts.append(table("What known customers bought since", head, [_products_row(one) for one in arms.products]))
    return section("kept", "Do customers come back more?", parts)


def _points_row(name: str, effect: Effect) -> tuple[str, ...]:
    if effect.difference is None or effect.low is None or effect.high is None:
        return (name, NONE_YET, "", "", _missing(effect.missing) if effect.missing else "")
    said = "" if effect.is_measurable else "no measurable effect"
    return (name, *(signed_percent(value) for value in (effect.difference, effect.low, effect.high)), said)


def _products_row(one: ArmProducts) -> tuple[str, ...]:
    rates = (one.breadth.mean, one.additional.orders_per_buyer, one.additional.products_per_buyer)
    return (ARM_WORDS[one.arm], f"{one.customers:,}", *(_number(rate) for rate in rates))


def _lifetimes(view: ProgrammeView, arms: ArmFigures) -> str:
    head = ("", "Customers", "Realised each", f"Next {AHEAD_DAYS} days each", "From", "To", "Share of target")
    rows = [_lifetime_row(one, view.report.currency) for one in arms.lifetime]
    parts = [table("Lifetime value by arm", head, rows)]
    known = [one for one in arms.lifetime if one.fitted_on is not None]
    if known:
        whose = "everybody's orders from before the programme" if known[0].fitted_on == BEFORE else "the holdout"
        note = f"The model knows {whose}; the interval is that of the number of purchases."
        parts.append(f"{paragraph(note)}<p>{badge('lifetime', 'model')}</p>")
    return section("lifetime", "What a customer brings", parts)


def _lifetime_row(one: Lifetime, currency: str | None) -> tuple[str, ...]:
    name, customers = ARM_WORDS[one.arm], f"{one.customers:,}"
    if one.missing is not None or one.realised is None:
        said = _missing(one.missing) if one.missing is not None else ""
        return (name, customers, NONE_YET, said, "", "", "")
    values = (one.realised, one.expected or 0.0, one.expected_low or 0.0, one.expected_high or 0.0)
    reached = percent(one.share_of_target) if one.share_of_target is not None else "no target"
    return (name, customers, *(money_words(value, currency) for value in values), reached)


def _retention(customers: CustomerFigures) -> str:
    rows = list(cells_by_cohort(customers.cohorts).items())[-MOST_MONTHS:]
    width = min(MOST_MONTHS, max((len(cells) for _, cells in rows), default=0))
    head = ("First order", "Customers", *(f"Month {month}" for month in range(width)))
    shares = [(cohort, f"{cells[0].customers:,}", *_padded(cells, width)) for cohort, cells in rows]
    money = [(cohort, f"{cells[0].customers:,}", *_padded(cells, width, of_money=True)) for cohort, cells in rows]
    yearly = customers.revenue
    listed = [
        (
            "Revenue kept year on year",
            _percent(yearly.rate),
            f"of {yearly.customers:,} customers of the year before",
            "",
        ),
        ("Products per customer", _number(customers.breadth.mean), f"{customers.breadth.customers:,} customers", ""),
        (
            "Further orders per customer",
            _number(customers.additional.orders_per_buyer),
            f"{customers.additional.repeat_buyers:,} of {customers.additional.buyers:,} came again",
            "",
        ),
    ]
    if not rows:
        return section(
            "retention", "The shop's customers", [paragraph("Not enough data: no customer has ordered yet.")]
        )
    parts = [
        paragraph("These describe the shop with everything in it; they do not say what offers caused."),
        facts(listed),
        table("Customers who ordered in a month, by month of first order", head, shares),
        table("Revenue in a month as a share of the first month's", head, money),
    ]
    if customers.sample_share < 1:
        parts.append(f"<p>{badge('sample', 'sample')}</p>")
    return section("retention", "The shop's customers", parts)


def _padded(cells: list[CohortCell], width: int, *, of_money: bool = False) -> Iterator[str]:
    for month in range(width):
        if month >= len(cells):
            yield "–"
        elif not cells[month].is_complete:
            yield NOT_OVER
        else:
            yield _percent(cells[month].revenue_retention if of_money else cells[month].retention)


def _pairs(pairs: tuple[PairAttach, ...]) -> str:
    head = ("Anchor → companion", "Customers who attach", "95 %", "of", "Orders with both", "95 %", "of")
    rows = [(_named(one), *_share_words(one.customers), *_share_words(one.orders)) for one in pairs]
    if not rows:
        return section("pairs", "Attach rates", [paragraph("Not enough data: no two products were bought together.")])
    note = (
        f"Customers: of those who own the anchor and did not own the companion, who bought and kept it within "
        f"{ATTACH_DAYS} days. Orders: of the orders with the anchor, those that hold both. Returns count in neither."
    )
    return section("pairs", "Attach rates", [paragraph(note), table("Pairs", head, rows)])


def _named(pair: PairAttach) -> str:
    anchor, companion = pair.titles
    return f"{anchor or pair.anchor_id} → {companion or pair.companion_id}"


def _share_words(share: Share) -> tuple[str, str, str]:
    if share.value is None or share.low is None or share.high is None:
        return NONE_YET, "", f"{share.of:,}"
    few = " (few)" if share.is_few else ""
    return f"{percent(share.value)}{few}", f"{percent(share.low)} to {percent(share.high)}", f"{share.of:,}"


def _assumptions(listed: tuple[Assumption, ...]) -> str:
    if not listed:
        return section("assumptions", "Assumptions", [paragraph("No number above rests on an assumption.")])
    each = "".join(
        f'<dt id="assumption-{one.code}"><span class="badge">Assumed: {escaped(one.badge)}</span></dt>'
        f'<dd>{escaped(one.sentence)}</dd><dd class="quiet">{escaped(one.source)}</dd>'
        for one in listed
    )
    lead = paragraph("Everything above that is not measured:")
    return section("assumptions", "Assumptions", [lead, f'<dl class="assumptions">{each}</dl>'])


def _stamp(view: ProgrammeView) -> str:
    day = f"Customers up to {view.customers.last_full_day}, the last full day. "
    return paragraph(day + freshness_stamp(view.fresh), "quiet")


def _figure(chart: BarChart | Chart) -> str:
    """Draw a chart that may scroll within itself where there is no room for it."""
    return wide(chart.words.title, figure(chart))


def _badges(view: ProgrammeView, figures: tuple[str, ...]) -> str:
    return " ".join(badge(one.code, one.badge) for one in view.assumptions if set(one.figures) & set(figures))


def _missing(missing: Missing) -> str:
    words = SHORTAGES.get(missing.code, missing.code.replace("_", " "))
    return f"{missing.seen:,} of {missing.needed:,} {words}"


def _range_words(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    if value is None or low is None or high is None:
        return NONE_YET, ""
    return _number(value), f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return NONE_YET if value is None else plain_number(round(value, 2))


def _percent(value: float | None) -> str:
    return NONE_YET if value is None else percent(value)
