"""The programme's pictures: the difference and its bounds, claimed beside caused, who came back. Pure.

Each names its interval: one that holds at every look, or one for a single look.
"""

from collections.abc import Iterator, Sequence

from shopify_upsell.experiments.layers import HOLDOUT, OPEN
from shopify_upsell.money import EXPONENTS
from shopify_upsell.reports.arm_figures import ONE_LOOK, ArmFigures
from shopify_upsell.reports.chart import Axis, Bar, BarChart, Chart, Point, Series, Words
from shopify_upsell.reports.chart_paper import percent, plain_number
from shopify_upsell.reports.figures import as_amount
from shopify_upsell.reports.incremental import Claim, Effect
from shopify_upsell.reports.pair_timing import PairTiming, WaitWindow
from shopify_upsell.reports.programme import ProgrammeReport
from shopify_upsell.reports.unit_curves import Step

ARM_WORDS = {OPEN: "Saw offers", HOLDOUT: "Held out"}

WIDTH = 640

WHOLE_FROM = 1_000
"""Amounts from which a picture leaves cents out, so that its ticks keep apart. The tables of the report keep them."""


def uplift_chart(report: ProgrammeReport) -> BarChart:
    """Difference per shopper in revenue and margin, with the interval of one look and of every look."""
    bars = [
        *_looks("Revenue", report.revenue),
        *_looks(_margin(report), report.margin),
    ]
    return BarChart(
        Words(
            "uplift",
            "What offers changed per shopper",
            "Difference in net revenue and in contribution margin per shopper, shoppers who saw offers less shoppers "
            "held out. The interval at every look is wider and may be read at any time; the other holds for one "
            "planned look only and decides nothing here.",
        ),
        _money_axis(report.currency, "Difference per shopper"),
        tuple(bars),
        width=WIDTH,
    )


def sequence_chart(report: ProgrammeReport, steps: Sequence[Step]) -> Chart:
    """The difference in revenue as shoppers came, inside the bound that holds at every look."""
    points = tuple(Point(step.x, step.value, step.low, step.high) for step in steps)
    return Chart(
        Words(
            "sequence",
            "How the difference settled as shoppers came",
            "Difference in net revenue per shopper over the first shoppers counted, not adjusted for what they spent "
            "before. The band holds at every point at once: while it covers zero, no effect is shown.",
        ),
        Axis("Shoppers counted", is_whole=True),
        _money_axis(report.currency, "Difference per shopper"),
        (Series("Difference", points),),
        width=WIDTH,
    )


def claim_chart(report: ProgrammeReport) -> BarChart:
    """Money that offers claim beside money they caused."""
    bars = [*_claims("Revenue", report.claimed_revenue), *_claims(_margin(report), report.claimed_margin)]
    return BarChart(
        Words(
            "claims",
            "Claimed beside caused",
            "Claimed is the revenue of order lines credited to an offer by rule. Caused is the difference that the "
            "holdout shows, with an interval that holds at every look.",
        ),
        _money_axis(report.currency, "All shoppers who saw offers"),
        tuple(bars),
        width=WIDTH,
    )


def survival_chart(arms: ArmFigures) -> Chart:
    """The share still without an order, by arm."""
    series = tuple(
        Series(ARM_WORDS[arm], tuple(Point(step.x, step.value, step.low, step.high) for step in arms.survival[arm]))
        for arm in (OPEN, HOLDOUT)
        if arms.survival.get(arm)
    )
    return Chart(
        Words(
            "survival",
            "Shoppers still without an order",
            "Share of shoppers who have not ordered yet, by days since they first met the programme, by the arm that "
            "chance assigned. Lower is better. Bands are 95 % at each day taken alone.",
        ),
        Axis("Days since first met", low=0.0, is_whole=True),
        Axis("Still without an order", percent, low=0.0, high=1.0),
        series,
        is_step=True,
        width=WIDTH,
    )


def timing_chart(timing: PairTiming) -> BarChart:
    """The chance, a day, that a waiting buyer of the anchor buys the companion, by days since delivery."""
    window = timing.in_use.window
    names = zip(timing.titles, (timing.anchor_id, timing.companion_id), strict=True)
    anchor, companion = (title or f"product {number}" for title, number in names)
    said = "any day" if window is None else f"days {window[0]} to {window[1]}"
    return BarChart(
        Words(
            "timing",
            f"When buyers of {anchor} come for {companion}",
            f"Chance a day to buy {companion} for those still waiting, by days since {anchor} was delivered, with "
            f"95 % intervals. {timing.buyers} buyers, {timing.bought} bought it. "
            f"Decisions use {said} ({timing.in_use.source}), marked with a star.",
        ),
        Axis("Chance to buy, a day", _small_percent, low=0.0),
        tuple(_window_bar(one, window) for one in timing.windows),
        width=WIDTH,
    )


def money_words(amount: float, currency: str | None) -> str:
    """Write an amount of minor units; without a currency, as minor units."""
    return plain_number(round(amount)) if currency is None else as_amount(amount, currency).replace("-", "−")


def _margin(report: ProgrammeReport) -> str:
    return "Margin (assumed)" if report.assumed else "Margin"


def _looks(name: str, effect: Effect | None) -> Iterator[Bar]:
    if effect is None or effect.difference is None or effect.standard_error is None:
        yield Bar(name, None)
        return
    once = ONE_LOOK * effect.standard_error
    yield Bar(f"{name}, every look", effect.difference, effect.low, effect.high)
    yield Bar(f"{name}, one look", effect.difference, effect.difference - once, effect.difference + once)


def _claims(name: str, claim: Claim | None) -> Iterator[Bar]:
    if claim is None:
        return
    if name == "Revenue":
        yield Bar("Revenue claimed", claim.claimed)
    yield Bar(f"{name} caused", claim.caused, claim.caused_low, claim.caused_high)


def _window_bar(one: WaitWindow, window: tuple[int, int] | None) -> Bar:
    is_used = window is None or (window[0] <= one.last_day and one.first_day <= window[1])
    return Bar(
        f"{'★ ' if is_used else ''}Days {one.first_day}–{one.last_day}", one.daily, one.daily_low, one.daily_high
    )


def _small_percent(value: float) -> str:
    return f"{plain_number(round(100 * value, 3))} %"


def _money_axis(currency: str | None, label: str) -> Axis:
    digits = EXPONENTS.get(currency or "", 0)

    def write(value: float) -> str:
        amount = value / 10**digits
        return f"{amount:,.{0 if abs(amount) >= WHOLE_FROM else digits}f}".replace("-", "−")

    return Axis(label if currency is None else f"{label}, {currency}", write)
