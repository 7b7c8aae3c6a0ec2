"""Everything in a report that rests on something assumed: a badge, what is taken, where that is from. Pure.

A number derived from one carries its code; no number that rests on none does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from shopify_upsell.offers.costs import ASSUMED_COSTS
from shopify_upsell.reports.arm_figures import ArmFigures
from shopify_upsell.reports.incremental import CATEGORY_KAPPA
from shopify_upsell.reports.kept import KeptHistory
from shopify_upsell.reports.programme import ProgrammeReport


@dataclass(frozen=True, slots=True)
class Assumption:
    """One assumption. `badge`: what stands beside a number; `figures`: the parts of the report that rest on it."""

    code: str
    badge: str
    sentence: str
    source: str
    figures: tuple[str, ...]


MARGINS = ("margin", "claimed_margin")

COSTS = {
    "cost": Assumption(
        "cost",
        "goods cost",
        f"Goods that Shopify gives no cost for are taken to cost {ASSUMED_COSTS.goods_basis_points / 100:g} % of their "
        "list price.",
        "Our choice: the middle of retail gross margins. Give variants a cost in Shopify, and it counts instead.",
        MARGINS,
    ),
    "payment_fee": Assumption(
        "payment_fee",
        "payment fee",
        f"As far as you have not stated it, a payment costs {ASSUMED_COSTS.fee_basis_points / 100:g} % and "
        f"{ASSUMED_COSTS.fee_minor_units} minor units.",
        "List price of card payments on the platform's basic plan in the US.",
        MARGINS,
    ),
    "shipping": Assumption(
        "shipping",
        "shipping",
        "As far as you have not stated it, a further piece in a parcel costs nothing, and a parcel whose shipping an "
        f"offer gave away {ASSUMED_COSTS.free_shipping_minor_units} minor units.",
        "Our choice: state what a parcel costs you, and it counts instead.",
        MARGINS,
    ),
    "returns": Assumption(
        "returns",
        "returns",
        f"As far as you have not stated it, {ASSUMED_COSTS.goods_lost_basis_points / 100:g} % of what goods cost is "
        "lost when they come back, and the work of a return costs nothing.",
        "Our choice: a returned piece counts as lost until the merchant says otherwise.",
        MARGINS,
    ),
    "app": Assumption(
        "app",
        "app fee",
        "The app costs nothing per order.",
        "Our choice: it is free and runs on your own machine; state what that costs you.",
        MARGINS,
    ),
}

KAPPA = Assumption(
    "kappa",
    "usual share",
    f"The share of claimed revenue that is caused is pulled towards {CATEGORY_KAPPA.mean:g}, give or take "
    f"{CATEGORY_KAPPA.deviation:g}, because this shop's own interval is wider than 1.",
    "Our choice: half, give or take half.",
    ("claimed_revenue.kappa", "claimed_margin.kappa"),
)

LIFETIME = Assumption(
    "lifetime",
    "model",
    "Customers go on as a purchase model expects of shoppers who saw no offers; what they spend per purchase has "
    "nothing to do with how often they buy; nothing is discounted.",
    "BG/NBD and Gamma-Gamma models (Fader, Hardie and Lee 2005) with weak priors.",
    ("arms.lifetime",),
)

ZONE = Assumption(
    "time_zone",
    "time zone",
    "Days and months are those of UTC, because Shopify has not told the shop's time zone yet.",
    "Our choice.",
    ("customers", "attach_rates"),
)

DELIVERY = Assumption(
    "delivery",
    "delivery",
    "Orders of which no delivery is known are taken to arrive five days after they were placed.",
    "Our choice: two days to ship and three on the way, until ten orders have shown otherwise.",
    ("timing",),
)

WINDOW = Assumption(
    "window",
    "window",
    "The window in use is not learned from this pair: it is what we take for pairs of this kind.",
    "Our choice; see the manual of the matrix.",
    ("timing.window_in_use",),
)


def assumptions_of(report: ProgrammeReport, arms: ArmFigures | None, history: KeptHistory) -> tuple[Assumption, ...]:
    """List what this report rests on."""
    return tuple(_assumed(report, arms, history))


def _assumed(report: ProgrammeReport, arms: ArmFigures | None, history: KeptHistory) -> Iterator[Assumption]:
    if report.margin is not None:
        yield from (COSTS[part] for part in report.assumed)
    if any(claim is not None and claim.is_kappa_shrunk for claim in (report.claimed_revenue, report.claimed_margin)):
        yield KAPPA
    if arms is not None and any(one.expected is not None for one in arms.lifetime):
        yield LIFETIME
    if history.is_zone_assumed:
        yield ZONE
    if history.sample_share < 1:
        yield sample(history)


def sample(history: KeptHistory) -> Assumption:
    """Figures about customers that are read from a part of them."""
    return Assumption(
        "sample",
        "sample",
        f"Figures about customers are read from {history.sample_share:.1%} of them, each with all of their orders.",
        "The shop is too large to read whole in a moment; customers are dealt by number, not by what they bought.",
        ("customers", "attach_rates.customer_attach_rate", "arms.arpu", "arms.products", "arms.lifetime"),
    )
