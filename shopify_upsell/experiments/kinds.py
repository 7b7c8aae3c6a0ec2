"""The six questions a merchant may ask, each as a kind of experiment with its unit, its metric and its one factor.

Comes in: a kind, and what the arms would serve. Goes out: a checked plan, and every field in which two arms differ
although they may not. A new kind of experiment is one entry in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.assignment import ALL_BASIS_POINTS, Arm
from shopify_upsell.experiments.guardrails import GUARDRAILS, Guardrail
from shopify_upsell.experiments.payload_fields import (
    Path,
    Payload,
    by_variant,
    currencies_of,
    differing,
    is_under,
    shared_order,
    variants_of,
)
from shopify_upsell.experiments.sequential import PLANNED_ALPHA, SequentialPlan

VISITOR, CUSTOMER, ORDER = "visitor", "customer", "order"

NET_REVENUE, MARGIN = "net_revenue_per_unit", "contribution_margin_per_unit"

SECONDARY = (
    "conversion_rate",
    "average_order_value",
    "attach_rate",
    "revenue_30_days_per_unit",
    "revenue_60_days_per_unit",
    "revenue_90_days_per_unit",
    "orders_per_unit",
)
"""Read beside the primary metric in every kind, corrected by Benjamini-Hochberg. Averages per order and attach rates
are ratios of sums over the randomised unit, never tests over orders."""

CONTROL = "control"

LEAST_WINDOW_HORIZON_DAYS = 60
"""Time windows are compared over sixty days at least: a short window moves purchases forward before it adds any."""

PART_OF_THE_ANSWER = ("offer_id", "offer_version", "decision_id", "arm", "token", "items.*.token")
"""Fields that say which answer this is; no shopper sees them, and they differ between any two answers."""


@dataclass(frozen=True, slots=True)
class ExperimentKind:
    """One guided kind.

    `may_differ` are the fields of the served offer that the factor consists of. `swaps_items`: the arms may hold other
    products; a product that both hold must still be served alike. `needs_stock_parity`: an arm that is out of stock
    pauses all arms.
    """

    name: str
    units: tuple[str, ...]
    primary: str
    guardrails: tuple[str, ...]
    may_differ: tuple[str, ...]
    secondary: tuple[str, ...] = SECONDARY
    swaps_items: bool = False
    needs_stock_parity: bool = False
    least_horizon_days: int = 1


KINDS: Mapping[str, ExperimentKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ExperimentKind(
                name="placement",
                units=(VISITOR, CUSTOMER),
                primary=NET_REVENUE,
                guardrails=("checkout_completion_rate", "page_load_milliseconds", "dismissal_rate"),
                may_differ=("placement", "surface"),
            ),
            ExperimentKind(
                name="discount",
                units=(VISITOR, CUSTOMER),
                primary=MARGIN,
                guardrails=("order_value_without_offer", "refund_rate"),
                may_differ=(
                    "total", "original_total", "saving", "discount", "discount_basis_points", "discount_code",
                    "incentive", "items.*.price", "items.*.original_price", "items.*.discount_basis_points",
                ),
            ),
            ExperimentKind(
                name="creative",
                units=(VISITOR, CUSTOMER),
                primary=NET_REVENUE,
                guardrails=("dismissal_rate", "refund_rate"),
                may_differ=(
                    "headline", "text", "benefits", "why.text", "button", "badge", "image", "template", "layout",
                    "style", "items.*.image",
                ),
            ),
            ExperimentKind(
                name="personalisation",
                units=(VISITOR, CUSTOMER),
                primary=NET_REVENUE,
                guardrails=("coverage_rate", "refund_rate", "complaint_rate"),
                may_differ=("total", "original_total", "saving", "why", "replaces", "greeting"),
                swaps_items=True,
            ),
            ExperimentKind(
                name="bundle_composition",
                units=(VISITOR, CUSTOMER),
                primary=MARGIN,
                guardrails=("single_item_revenue", "refund_rate"),
                may_differ=("total", "original_total", "saving"),
                swaps_items=True,
                needs_stock_parity=True,
            ),
            ExperimentKind(
                name="time_window",
                units=(CUSTOMER, ORDER),
                primary=NET_REVENUE,
                guardrails=("unsubscribe_rate", "dismissal_rate", "repurchase_90_day_rate"),
                may_differ=("starts_at", "ends_at", "expires_at", "window_days", "deadline"),
                least_horizon_days=LEAST_WINDOW_HORIZON_DAYS,
            ),
        )
    }
)  # fmt: skip
"""Source: the measured design's table of six kinds."""


def kind_named(name: str) -> ExperimentKind:
    """Find a kind. Raises: InvalidInput when there is none of that name."""
    if name not in KINDS:
        raise InvalidInput(f"no such kind of experiment: one of {', '.join(KINDS)}")
    return KINDS[name]


def primary_metric(kind: str, *, discounts_differ: bool) -> str:
    """Name the metric that decides: margin wherever one arm gives away more than the other, whatever the kind."""
    return MARGIN if discounts_differ else kind_named(kind).primary


def single_factor_check(kind: str, payload_a: Payload, payload_b: Payload) -> tuple[str, ...]:
    """Name every field in which two arms' served offers differ although this kind of experiment does not vary it.

    Whatever is not listed for the kind may not differ, so a field that is new in the payload is guarded from its first
    day. The currency never differs.

    Shape: the JSON of one offer as the surfaces serve it; paths joined by points and sorted, empty when all is well.
    Raises: InvalidInput when there is no such kind.
    """
    found = kind_named(kind)
    if found.swaps_items:
        paths = _differing_in_shared_items(payload_a, payload_b)
    else:
        paths = set(differing(payload_a, payload_b))
    forbidden = {".".join(path) for path in paths if not _may_differ(found, path)}
    if len(currencies_of(payload_a) | currencies_of(payload_b)) > 1:
        forbidden.add("currency")
    return tuple(sorted(forbidden))


def out_of_stock_arms(kind: str, has_stock: Mapping[str, bool]) -> tuple[str, ...]:
    """Name the arms, sorted, whose missing stock pauses every arm: else the arm that still sells wins by default.

    Shape: the arm's name to whether all it would offer is in stock.
    Raises: InvalidInput when there is no such kind.
    """
    if not kind_named(kind).needs_stock_parity:
        return ()
    return tuple(sorted(arm for arm, is_there in has_stock.items() if not is_there))


def common_horizon_days(window_days: Sequence[int]) -> int:
    """Choose one measuring time for all arms of a test of time windows: the longest window, sixty days at least.

    Raises: InvalidInput when a window is not a day or more.
    """
    if not window_days or min(window_days) < 1:
        raise InvalidInput("a time window lasts a day or more")
    return max(LEAST_WINDOW_HORIZON_DAYS, *window_days)


def is_within_horizon(exposed_at: datetime, occurred_at: datetime, horizon_days: int) -> bool:
    """Tell whether what happened counts for the unit. The far end is excluded; the arm plays no part."""
    return exposed_at <= occurred_at < exposed_at + timedelta(days=horizon_days)


def is_mature(exposed_at: datetime, now: datetime, horizon_days: int) -> bool:
    """Tell whether the unit's measuring time is over. Only mature units are compared, in every arm.

    So whoever buys late in a long window is waited for, and a short window is not ahead for being short.
    """
    return now >= exposed_at + timedelta(days=horizon_days)


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """What is written down before an experiment starts, and not changed after it.

    Shape: one arm is named "control"; shares sum to 10,000 basis points.
    Units: `n_max` triggered units over all arms; `alpha` two-sided; `horizon_days` counted from each unit's exposure.
    Raises: InvalidInput when a part is missing or makes no sense.
    """

    kind: str
    objective: str
    hypothesis: str
    primary_metric: str
    arms: tuple[Arm, ...]
    n_max: int
    alpha: float = PLANNED_ALPHA
    horizon_days: int = 14
    longest_days: int = 90
    discounts_differ: bool = False

    def __post_init__(self) -> None:
        found = kind_named(self.kind)
        if not self.objective.strip() or not self.hypothesis.strip():
            raise InvalidInput("an experiment needs an objective and a hypothesis in words")
        needed = primary_metric(self.kind, discounts_differ=self.discounts_differ)
        if self.primary_metric != needed:
            raise InvalidInput(f"the primary metric of this experiment is {needed}")
        _check_arms(self.arms)
        if self.n_max < 200 * len(self.arms):
            raise InvalidInput("an experiment needs 200 units an arm at least")
        if not 0 < self.alpha <= 0.2:
            raise InvalidInput("alpha lies above 0 and is 0.2 at most")
        if not found.least_horizon_days <= self.horizon_days <= 365:
            raise InvalidInput(f"the horizon is {found.least_horizon_days} to 365 days")
        if not 7 <= self.longest_days <= 365:
            raise InvalidInput("an experiment runs for 7 to 365 days")

    @property
    def guardrails(self) -> tuple[Guardrail, ...]:
        """The guardrails that are always on for this kind, with their default margins."""
        return tuple(GUARDRAILS[name] for name in kind_named(self.kind).guardrails)

    def sequential_plan(self, arm: str) -> SequentialPlan:
        """Plan the comparison of one arm with control: the two arms' part of all units, at the whole alpha.

        Raises: InvalidInput when there is no such arm, or it is control itself.
        """
        shares = {each.name: each.basis_points for each in self.arms}
        if arm not in shares or arm == CONTROL:
            raise InvalidInput("compare an arm of the experiment with its control")
        n_max = self.n_max * (shares[arm] + shares[CONTROL]) // ALL_BASIS_POINTS
        # The last unit's measuring time runs on after the last day on which units are let in.
        return SequentialPlan(n_max, self.alpha, timedelta(days=self.longest_days + self.horizon_days))


def _check_arms(arms: Sequence[Arm]) -> None:
    names = [arm.name for arm in arms]
    if len(names) < 2 or len(set(names)) != len(names) or CONTROL not in names or not all(names):
        raise InvalidInput("an experiment needs control and another arm, each with its own name")
    if min(arm.basis_points for arm in arms) <= 0 or sum(arm.basis_points for arm in arms) != ALL_BASIS_POINTS:
        raise InvalidInput("the arms' shares must be positive and sum to 10,000 basis points")


def _differing_in_shared_items(first: Payload, second: Payload) -> set[Path]:
    """Leave out the products that only one offer has: which products there are is the factor."""
    shared = set(variants_of(first)) & set(variants_of(second))
    found = differing(by_variant(first), by_variant(second))
    paths = {path for path in found if path[0] != "items" or (path[1:] and path[1] in shared)}
    return paths if shared_order(first, second) else {*paths, ("items", "order")}


def _may_differ(kind: ExperimentKind, path: Path) -> bool:
    return any(is_under(path, pattern) for pattern in (*PART_OF_THE_ANSWER, *kind.may_differ))
