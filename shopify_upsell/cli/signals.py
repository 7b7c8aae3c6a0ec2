"""`shopify-upsell signals`: keys of the signals API, and what is known of a shop's customers."""

import re
import secrets

import click

from shopify_upsell.cli.joined import joined_parts, reading, require_shop
from shopify_upsell.core import InvalidInput, NotFound, ShopId
from shopify_upsell.customers.api_key_store import api_keys, revoke_api_key, save_api_key
from shopify_upsell.customers.api_keys import ApiKey
from shopify_upsell.customers.derived import DERIVED
from shopify_upsell.customers.readiness import STATES
from shopify_upsell.customers.signal_store import customers_by_state
from shopify_upsell.customers.signals import LONGEST_SOURCE, OWN, SHOPIFY
from shopify_upsell.jobs.worker import utc_now

_SHOP = click.option("--shop", "domain", required=True, help="The shop's myshopify.com domain.")


@click.group()
def signals() -> None:
    """Customer signals: keys for those who tell them, and who is ready."""


@signals.command()
@_SHOP
@click.option("--source", default="api", show_default=True, help="Who will speak with the key: gorgias, judgeme, flow.")
@click.option("--replace", is_flag=True, help="Revoke the source's other keys at once.")
def key(domain: str, source: str, replace: bool) -> None:
    """Make a key for POST /api/v1/signals. It is shown once; only its hash is kept."""
    if re.fullmatch(rf"[a-z0-9_.-]{{1,{LONGEST_SOURCE}}}", source) is None or source in (SHOPIFY, OWN, DERIVED):
        raise InvalidInput(f"not a source: {LONGEST_SOURCE} lower-case letters, digits, . _ - at most; not {SHOPIFY}")
    now = utc_now()
    with joined_parts().database.write() as session:
        shop_id = require_shop(session, domain).shop_id
        others = [known.key_id for known in api_keys(session, shop_id) if known.source == source]
        made = _new_key(shop_id)
        save_api_key(session, shop_id, made, source, now)
        for other in others if replace else ():
            revoke_api_key(session, shop_id, other, now)
    click.echo(made.text)


@signals.command()
@_SHOP
def keys(domain: str) -> None:
    """List the shop's keys: name, source, when made, when revoked."""
    with reading(domain) as (_, session, shop):
        for known in api_keys(session, shop.shop_id):
            click.echo(f"{known.key_id}\t{known.source}\t{known.created_at}\t{known.revoked_at or '-'}")


@signals.command()
@_SHOP
@click.argument("key_id")
def revoke(domain: str, key_id: str) -> None:
    """End a key at once: whoever still uses it is refused from then on."""
    with joined_parts().database.write() as session:
        if not revoke_api_key(session, require_shop(session, domain).shop_id, key_id, utc_now()):
            raise NotFound(f"no working key {key_id}")
    click.echo(f"key {key_id} no longer works")


@signals.command()
@_SHOP
@click.option("--state", type=click.Choice(STATES), default="hold", show_default=True)
@click.option("--after", default="", help="Continue after this customer.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
def customers(domain: str, state: str, after: str, limit: int) -> None:
    """List customers who are ready, not yet, or on hold, with their reasons and until when."""
    with reading(domain) as (_, session, shop):
        page = customers_by_state(session, shop.shop_id, state, now=utc_now(), after=after, limit=limit)
    for one in page.customers:
        told = one.readiness
        click.echo(f"{one.subject}\t{one.stage}\t{told.score:.2f}\t{','.join(told.reasons)}\t{told.until or '-'}")
    if page.next_after is not None:
        click.echo(f"more: --after {page.next_after}", err=True)


def _new_key(shop_id: ShopId) -> ApiKey:
    return ApiKey(shop_id, secrets.token_hex(6), secrets.token_urlsafe(32))
