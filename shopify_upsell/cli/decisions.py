"""`shopify-upsell decide`: ask for a decision as a surface would, and see why."""

import json
import re
import secrets

import click

from shopify_upsell.cli.joined import joined_parts, require_shop
from shopify_upsell.core import LARGEST_ID, CustomerId, DecisionId, ProductId, VariantId
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.offers.candidate import CartLine
from shopify_upsell.offers.decide import OfferRequest
from shopify_upsell.offers.decide import decide as run_decide
from shopify_upsell.offers.decisions import read_decision
from shopify_upsell.offers.explain import explain_decision
from shopify_upsell.offers.replay import replay


@click.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--placement", default="theme/product_page", show_default=True)
@click.option(
    "--product", "products", type=click.IntRange(0, LARGEST_ID), multiple=True, help="Anchor product id; may repeat."
)
@click.option("--cart", multiple=True, metavar="VARIANT:QUANTITY[:PLAN]", help="A cart line; may repeat.")
@click.option("--customer", type=click.IntRange(0, LARGEST_ID), help="Customer id.")
@click.option("--visitor", help="Visitor id.")
@click.option("--limit", default=3, show_default=True, type=click.IntRange(1, 6))
@click.option("--decision", "decision_id", help="Explain this stored decision, and replay it, instead.")
@click.option("--explain", is_flag=True, help="Say why each offer was chosen and why each other was not.")
def decide(
    domain: str,
    placement: str,
    products: tuple[int, ...],
    cart: tuple[str, ...],
    customer: int | None,
    visitor: str | None,
    limit: int,
    decision_id: str | None,
    explain: bool,
) -> None:
    """Decide what would be offered now; nothing is stored and nobody is shown anything."""
    parts = joined_parts()
    with parts.database.read() as session:
        shop = require_shop(session, domain)
        if decision_id:
            decision = read_decision(session, shop.shop_id, DecisionId(decision_id))
            click.echo(explain_decision(decision))
            same = replay(session, shop.shop_id, decision.decision_id).is_identical
            click.echo("Replay: identical." if same else "Replay: DIFFERENT.")
            return
        request = OfferRequest(
            shop_id=shop.shop_id,
            placement=placement,
            anchor_product_ids=tuple(ProductId(product) for product in products),
            cart=tuple(_cart_line(text) for text in cart),
            customer_id=CustomerId(customer) if customer is not None else None,
            visitor_id=visitor,
            cart_token=None,
            currency=shop.currency,
            limit=limit,
            reference_id=None,
        )
        decision = run_decide(
            session,
            request,
            now=utc_now(),
            decision_id=DecisionId(secrets.token_hex(16)),
            shop=shop,
            holdout_basis_points=parts.settings.holdout_basis_points,
        )
    if explain:
        click.echo(explain_decision(decision))
    else:
        chosen = [
            {"offer_id": o.offer_id, "kind": o.kind, "items": [i.title for i in o.items]} for o in decision.chosen
        ]
        click.echo(
            json.dumps({"is_holdout": decision.is_holdout, "offers": chosen, "rejected": len(decision.rejections)})
        )


def _cart_line(text: str) -> CartLine:
    found = re.fullmatch(r"([0-9]{1,18})(?::([0-9]{1,6})(?::([0-9]{1,18}))?)?", text)
    if found is None:
        raise click.BadParameter("expected VARIANT, VARIANT:QUANTITY or VARIANT:QUANTITY:PLAN", param_hint="--cart")
    return CartLine(VariantId(int(found[1])), None, int(found[2] or 1), int(found[3]) if found[3] else None)
