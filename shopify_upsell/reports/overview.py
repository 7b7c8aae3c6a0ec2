"""What came in, what was learned, what offers earned: the first page of the admin, and what the demo checks."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from shopify_upsell.attribution.store import CREDIT_CLASSES, CreditTotal, credit_totals
from shopify_upsell.core import ShopId
from shopify_upsell.ledger.store import LedgerTotal, count_products, ledger_totals
from shopify_upsell.matrix.store import latest_build
from shopify_upsell.money import Money
from shopify_upsell.offers.store import live_offers
from shopify_upsell.reports.totals import credited
from shopify_upsell.shops.store import get_shop


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """The ledger and its credits in one currency. `residual` is what credits fail to explain: 0 once all is settled."""

    currency: str
    ledger_minor_units: int
    credited_minor_units: int
    unattributed_minor_units: int
    residual_minor_units: int

    @property
    def ledger(self) -> str:
        """Net revenue, as people write it."""
        return Money(self.ledger_minor_units, self.currency).to_decimal_string()

    @property
    def direct(self) -> str:
        """What offers earned, as people write it."""
        return Money(self.credited_minor_units, self.currency).to_decimal_string()

    @property
    def residual(self) -> str:
        """What is not explained, as people write it."""
        return Money(self.residual_minor_units, self.currency).to_decimal_string()


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts, and totals by currency, the shop's own currency first."""

    products: int
    orders_ingested: int
    pairs_learned: int
    live_offers: int
    totals: tuple[CurrencyTotal, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; the shop's main currency at the top level, every currency under `totals`."""
        first = self.totals[0] if self.totals else None
        return {
            "products": self.products,
            "orders_ingested": self.orders_ingested,
            "pairs_learned": self.pairs_learned,
            "live_offers": self.live_offers,
            "currency": first.currency if first else None,
            "ledger_minor_units": first.ledger_minor_units if first else 0,
            "credited_minor_units": first.credited_minor_units if first else 0,
            "residual_minor_units": first.residual_minor_units if first else 0,
            "totals": [
                {
                    "currency": total.currency,
                    "ledger_minor_units": total.ledger_minor_units,
                    "credited_minor_units": total.credited_minor_units,
                    "unattributed_minor_units": total.unattributed_minor_units,
                    "residual_minor_units": total.residual_minor_units,
                }
                for total in self.totals
            ],
        }


def read_overview(session: Session, shop_id: ShopId) -> Overview:
    """Read what the shop's first page shows."""
    ledger = ledger_totals(session, shop_id)
    credits = credit_totals(session, shop_id)
    main = get_shop(session, shop_id).currency
    build = latest_build(session, shop_id)
    totals = [_total(total, credits) for total in ledger]
    return Overview(
        products=count_products(session, shop_id),
        orders_ingested=sum(total.order_count for total in ledger),
        pairs_learned=build.pair_count if build else 0,
        live_offers=len(live_offers(session, shop_id)),
        totals=tuple(sorted(totals, key=lambda total: (total.currency != main, total.currency))),
    )


def _total(ledger: LedgerTotal, credits: list[CreditTotal]) -> CurrencyTotal:
    by_class = {name: credited(credits, ledger.currency, name) for name in CREDIT_CLASSES}
    return CurrencyTotal(
        currency=ledger.currency,
        ledger_minor_units=ledger.ledger,
        credited_minor_units=by_class["direct"],
        unattributed_minor_units=by_class["unattributed"],
        residual_minor_units=ledger.ledger - sum(by_class.values()),
    )
