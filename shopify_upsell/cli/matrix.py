"""`shopify-upsell matrix`: what was learned about pairs of products, what the merchant says of them, how good it is."""

import json
from importlib import import_module

import click

from shopify_upsell.app import make_worker
from shopify_upsell.cli.joined import joined_parts, reading, require_shop
from shopify_upsell.cli.pair_files import export_pairs, import_pairs
from shopify_upsell.core import LARGEST_ID, ConflictingRequest, NotFound, ProductId
from shopify_upsell.jobs.queue import JobRequest, enqueue
from shopify_upsell.jobs.worker import utc_now
from shopify_upsell.ledger.store import products_by_id
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.said import PairWord
from shopify_upsell.matrix.store import KINDS, WITH, companions_of, latest_build, words_on
from shopify_upsell.matrix.upkeep import LEARNING

LEARNERS = {
    "cohorts": "shopify_upsell.cli.cohorts",
    "evaluate": "shopify_upsell.cli.evaluation",
    "timing": "shopify_upsell.cli.timing",
}
"""Subcommands that learn in this process, by module: they are slow to import, so only those who ask for them wait."""

AN_ID = click.IntRange(1, LARGEST_ID)


class Lazily(click.Group):
    """Imports a subcommand's module when the subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all subcommands."""
        return sorted({*super().list_commands(ctx), *LEARNERS})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Find a subcommand."""
        if name not in LEARNERS:
            return super().get_command(ctx, name)
        command = getattr(import_module(LEARNERS[name]), name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=Lazily)
def matrix() -> None:
    """Product pairs: learn, look up, override, and measure."""


matrix.add_command(export_pairs)
matrix.add_command(import_pairs)


@matrix.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--later", is_flag=True, help="Leave the work to the running workers.")
def build(domain: str, later: bool) -> None:
    """Learn the shop's product pairs anew, now. Other work that is due is done along with it."""
    parts, now = joined_parts(), utc_now()
    with parts.database.write() as session:
        shop = require_shop(session, domain)
        before = latest_build(session, shop.shop_id)
        enqueue(session, shop.shop_id, JobRequest(LEARNING, f"{LEARNING}:command@{now.isoformat()}"), now)
    if later:
        click.echo("asked for; `jobs status` shows what waits")
        return
    click.echo("Learning …", err=True)
    make_worker(parts).drain()
    with parts.database.read() as session:
        require_shop(session, domain)
        done = latest_build(session, shop.shop_id)
    if done is None or (before is not None and done.version == before.version):
        raise ConflictingRequest("not learned: another worker has it, or it failed; see `jobs status` and `jobs dead`")
    click.echo(
        f"version {done.version}: {done.order_count} orders, {done.product_count} products, {done.pair_count} pairs"
    )


@matrix.command()
@click.option("--shop", "domain", required=True, help="The shop's domain.")
@click.option("--product", "product_id", required=True, type=AN_ID, help="The anchor product's id.")
@click.option("--kind", type=click.Choice(KINDS), default=WITH, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def companions(domain: str, product_id: int, kind: str, as_json: bool) -> None:
    """Companions of a product, best first, with their evidence; and pairs that are not offered.

    Kinds: `with` (in the same order), `next` (for the first time, later), `upgrade` (in its place).
    """
    anchor = ProductId(product_id)
    with reading(domain) as (_, session, shop):
        found = companions_of(session, shop.shop_id, [anchor], kind=kind).get(anchor, ())
        words = words_on(session, shop.shop_id, [anchor])
        named = products_by_id(session, shop.shop_id, [anchor, *(one.product_id for one in found)])
    titles = {number: product.title for number, product in named.items()}
    if anchor not in titles and not found and not words:
        raise NotFound(f"no product {product_id}")
    if as_json:
        listed = [companion_json(one, titles) for one in found]
        click.echo(json.dumps({"kind": kind, "companions": listed, "words": [word_json(word) for word in words]}))
        return
    click.echo(f"{product_id} {titles.get(anchor, '')}: {len(found)} companions of kind {kind}")
    for one in found:
        click.echo(f"  {_described(one, titles)}")
    for word in words:
        click.echo(f"  pair with {word.companion_product_id}: {word.reason}, said by {word.source}{_counts_of(word)}")


def companion_json(one: Companion, titles: dict[ProductId, str]) -> dict[str, object]:
    """A companion with its counts. Units: orders; days after the anchor."""
    return {
        "product_id": one.product_id,
        "title": titles.get(one.product_id, ""),
        "score": one.score,
        "pair_count": one.pair_count,
        "anchor_count": one.anchor_count,
        "companion_count": one.companion_count,
        "basket_count": one.basket_count,
        "window_days": list(one.window) if one.window else None,
    }


def word_json(word: PairWord) -> dict[str, object]:
    """A word on a pair with its evidence."""
    return {
        "companion_product_id": word.companion_product_id,
        "source": word.source,
        "reason": word.reason,
        "observed": word.observed,
        "expected": word.expected,
        "upper_bound": word.upper_bound,
        "review_at": word.review_at.isoformat() if word.review_at else None,
        "note": word.note,
    }


def _described(one: Companion, titles: dict[ProductId, str]) -> str:
    both = f"{one.pair_count} of {one.anchor_count} orders with both"
    window = f", best on days {one.window[0]} to {one.window[1]}" if one.window else ""
    return f"{one.product_id} {titles.get(one.product_id, '')}: score {one.score:.4g}, {both}{window}"


def _counts_of(word: PairWord) -> str:
    if not word.expected:
        return f" ({word.note})" if word.note else ""
    review = f", looked at again on {word.review_at:%Y-%m-%d}" if word.review_at else ""
    return f" ({word.observed:g} bought where {word.expected:g} were due{review})"
