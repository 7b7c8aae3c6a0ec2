"""Facts of the ledger: what Shopify said happened, in our words. Pure.

Amounts of an order are minor units of its own currency. Amounts of a refund stay decimal text, because a refund may
come before the order that names the currency. No fact carries a clock of ours, so equal facts give equal rows.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from shopify_upsell.core import CustomerId, LineId, OrderId, ProductId, VariantId, digest_of
from shopify_upsell.ledger.catalog import SellingPlan

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

IMPORT_SOURCE = "import"
"""The source name of an order that came from a file and of which Shopify has not spoken since."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Which of two contents of one thing is newer. Compared in this order: Shopify's clock, then delivery, then bytes.

    Source: Shopify orders webhooks by neither topic nor time; equal `updated_at` is decided by X-Shopify-Triggered-At.
    """

    at: datetime
    triggered_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What only the delivery of a document knows: when it was triggered, and the digest of its bytes."""

    triggered_at: datetime
    digest: str


NEVER = Version(EPOCH, EPOCH, "")
"""The version of a thing we know by name only, such as an order whose deletion came first. Any content beats it."""


@dataclass(frozen=True, slots=True)
class LineFact:
    """One line of an order. `current_quantity` is what Shopify says is left after refunds and edits, if it says so.

    Units: minor units; `discount` and `tax` for the whole line, `tax` only as far as the price contains it.
    `presentment`: unit price, discount and tax in the shopper's currency, where that is another and Shopify told all.
    """

    line_id: LineId
    position: int
    product_id: ProductId | None
    variant_id: VariantId | None
    quantity: int
    current_quantity: int | None
    unit_price: int
    discount: int
    tax: int
    is_gift_card: bool = False
    offer_token: str | None = None
    presentment: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class RefundLineFact:
    """What a refund gave back of one order line. Units: decimal text of the refund's currency."""

    line_id: LineId
    quantity: int
    subtotal: str
    tax: str


@dataclass(frozen=True, slots=True)
class RefundPresentment:
    """A refund in the shopper's currency. Shape: the same lines as the refund."""

    currency: str
    discrepancy: str
    lines: tuple[RefundLineFact, ...]


@dataclass(frozen=True, slots=True)
class RefundFact:
    """A refund. `discrepancy`: below zero it gave back more than its lines, above zero less.

    `presentment`: the same in the shopper's currency, where that is another and Shopify told all of it.
    """

    refund_id: int
    order_id: OrderId
    refunded_at: datetime
    currency: str | None
    discrepancy: str
    lines: tuple[RefundLineFact, ...]
    presentment: RefundPresentment | None = None

    @property
    def digest(self) -> str:
        """Digest of the content; of two contents for one refund id the greater digest is kept.

        A content that tells the shopper's currency is greater than any that does not: it says more of the same.
        """
        said = [self.order_id, self.refunded_at, self.currency, self.discrepancy, _digested(self.lines)]
        shown = self.presentment
        if shown is None:
            return digest_of(said)
        return "shown-" + digest_of([*said, shown.currency, shown.discrepancy, _digested(shown.lines)])


@dataclass(frozen=True, slots=True)
class EditFact:
    """A committed order edit: by how many units each line grew or shrank."""

    edit_id: int
    order_id: OrderId
    committed_at: datetime
    changes: tuple[tuple[LineId, int], ...]

    @property
    def digest(self) -> str:
        """Hex digest of the content; of two contents for one edit id the greater digest is kept."""
        return digest_of([self.order_id, self.committed_at, [list(change) for change in self.changes]])


@dataclass(frozen=True, slots=True)
class OrderFact:
    """An order as one delivery describes it, with the refunds that delivery happens to carry."""

    order_id: OrderId
    version: Version
    ordered_at: datetime
    cancelled_at: datetime | None
    is_test: bool
    financial_status: str
    source_name: str
    currency: str
    presentment_currency: str
    taxes_included: bool
    customer_id: CustomerId | None
    cart_token: str | None
    checkout_token: str | None
    lines: tuple[LineFact, ...]
    refunds: tuple[RefundFact, ...] = ()


@dataclass(frozen=True, slots=True)
class VariantFact:
    """A variant. Units: `price` and `unit_cost` in minor units of the shop's currency; `stock` pieces.

    `unit_cost` None: the shop tells none. `stock` None: not counted.
    """

    variant_id: VariantId
    position: int
    title: str
    sku: str
    price: int
    is_available: bool
    requires_components: bool
    unit_cost: int | None = None
    inventory_policy: str = "deny"
    stock: int | None = None


@dataclass(frozen=True, slots=True)
class ProductFact:
    """A product as one delivery describes it. `currency` is the shop's.

    `details_at`: version of the document that told `selling_plans` and the variants' costs; None: nobody has yet.
    """

    product_id: ProductId
    version: Version
    title: str
    handle: str
    status: str
    is_published: bool
    is_gift_card: bool
    requires_selling_plan: bool
    product_type: str
    vendor: str
    image_url: str | None
    currency: str
    variants: tuple[VariantFact, ...]
    selling_plans: tuple[SellingPlan, ...] = ()
    details_at: datetime | None = None


def _digested(lines: tuple[RefundLineFact, ...]) -> list[list[object]]:
    return [[line.line_id, line.quantity, line.subtotal, line.tax] for line in lines]
