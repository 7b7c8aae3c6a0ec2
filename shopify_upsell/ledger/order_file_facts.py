"""From the rows of an order file to facts. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from shopify_upsell.core import CustomerId, LineId, OrderId, ProductId, VariantId, digest_of
from shopify_upsell.ledger.facts import EPOCH, IMPORT_SOURCE, LineFact, OrderFact, ProductFact, VariantFact, Version


@dataclass(frozen=True, slots=True)
class OrderHead:
    """What every row of an order must say alike."""

    ordered_at: datetime
    customer_id: CustomerId | None
    currency: str
    financial_status: str


@dataclass(frozen=True, slots=True)
class OrderFileLine:
    """One row, read. `line_id` None: numbered by place in the order."""

    line_number: int
    order_id: OrderId
    header: OrderHead
    line_id: LineId | None
    product_id: ProductId
    variant_id: VariantId | None
    quantity: int
    unit_price: int
    discount: int
    product_title: str


def line_id_at(line: OrderFileLine, place: int) -> LineId:
    """The line's own id, else its place in the order."""
    return line.line_id if line.line_id is not None else LineId(place)


def order_from_lines(order_id: OrderId, lines: list[OrderFileLine]) -> OrderFact:
    """Make an order of its rows."""
    header = lines[0].header
    facts = tuple(
        LineFact(
            line_id=line_id_at(line, place),
            position=place,
            product_id=line.product_id,
            variant_id=line.variant_id,
            quantity=line.quantity,
            current_quantity=None,
            unit_price=line.unit_price,
            discount=line.discount,
            tax=0,
        )
        for place, line in enumerate(lines, 1)
    )
    return OrderFact(
        order_id=order_id,
        # As old as the order itself, so that any webhook about it wins.
        version=Version(header.ordered_at, header.ordered_at, _digest(header, facts)),
        ordered_at=header.ordered_at,
        cancelled_at=None,
        is_test=False,
        financial_status=header.financial_status,
        source_name=IMPORT_SOURCE,
        currency=header.currency,
        presentment_currency=header.currency,
        taxes_included=False,
        customer_id=header.customer_id,
        cart_token=None,
        checkout_token=None,
        lines=facts,
    )


def _digest(header: OrderHead, lines: tuple[LineFact, ...]) -> str:
    said = [header.ordered_at, header.customer_id, header.currency, header.financial_status]
    return digest_of(
        [
            said,
            [
                [line.line_id, line.variant_id, line.product_id, line.quantity, line.unit_price, line.discount]
                for line in lines
            ],
        ]
    )


def products_from_lines(lines: list[OrderFileLine]) -> Iterator[ProductFact]:
    """Products by the titles the file gives, the newest order's first; any word from Shopify about them wins.

    Not published: a product that Shopify has not confirmed may be long gone and must not be offered.
    """
    newest: dict[ProductId, OrderFileLine] = {}
    variants: dict[ProductId, dict[VariantId, OrderFileLine]] = {}
    for line in sorted(lines, key=lambda it: (it.header.ordered_at, it.order_id, it.line_number)):
        if line.product_title:
            newest[line.product_id] = line
        if line.variant_id is not None:
            variants.setdefault(line.product_id, {})[line.variant_id] = line
    for product_id, line in sorted(newest.items()):
        yield _product(line, variants.get(product_id, {}))


def _product(newest: OrderFileLine, variants: dict[VariantId, OrderFileLine]) -> ProductFact:
    currency = newest.header.currency
    facts = tuple(
        VariantFact(variant_id, place, "", "", line.unit_price, is_available=True, requires_components=False)
        for place, (variant_id, line) in enumerate(sorted(variants.items()), 1)
        if line.header.currency == currency
    )
    said = [newest.product_title, currency, [[fact.variant_id, fact.price] for fact in facts]]
    return ProductFact(
        product_id=newest.product_id,
        version=Version(EPOCH, EPOCH, digest_of(said)),
        title=newest.product_title,
        handle="",
        status="active",
        is_published=False,
        is_gift_card=False,
        requires_selling_plan=False,
        product_type="",
        vendor="",
        image_url=None,
        currency=currency,
        variants=facts,
    )
